"""Customers of today with a frozen model to a published run and its drift. See ``segmentation score --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["score", *sys.argv[1:]]))
