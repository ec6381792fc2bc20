"""Features to grid, centroids and the model. See ``segmentation fit-grid --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["fit-grid", *sys.argv[1:]]))
