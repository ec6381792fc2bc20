"""Transactions and customers to features. See ``segmentation features --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["features", *sys.argv[1:]]))
