"""The tables of a run, checked, to the current ones. See ``segmentation publish --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["publish", *sys.argv[1:]]))
