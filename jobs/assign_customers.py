"""Features and the model to assignments. See ``segmentation assign-customers --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["assign-customers", *sys.argv[1:]]))
