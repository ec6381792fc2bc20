"""Features to grid, decision, stability, centroids and the model. See ``segmentation grid --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["grid", *sys.argv[1:]]))
