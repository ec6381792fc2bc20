"""Features and assignments to all that describes the segments. See ``segmentation segments --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["segments", *sys.argv[1:]]))
