"""Sources to a published run and its report: every stage in one SparkSession. See ``segmentation run --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
