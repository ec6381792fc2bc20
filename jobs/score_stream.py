"""What is new in a Delta table of features to streamed_assignments. See ``segmentation stream --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["stream", *sys.argv[1:]]))
