"""Features and the model to assignments. See ``segmentation assign --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["assign", *sys.argv[1:]]))
