"""Features and assignments to profiles and segments; publishes the run. See ``segmentation profile-segments --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["profile-segments", *sys.argv[1:]]))
