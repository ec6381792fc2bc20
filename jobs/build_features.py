"""Transactions and customers to features. See ``segmentation build-features --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["build-features", *sys.argv[1:]]))
