"""What describes the segments to actions. See ``segmentation advice --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["advice", *sys.argv[1:]]))
