"""Run every stage in one SparkSession and publish the run. Floor 4; see ``segmentation run --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
