"""What a run needs, checked where it would run: a cluster's Spark, workers and warehouse. See ``segmentation doctor --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["doctor", *sys.argv[1:]]))
