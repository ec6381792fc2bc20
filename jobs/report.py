"""Published tables to the report of a run. See ``segmentation report --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
