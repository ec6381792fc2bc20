"""Sources to transactions, customers, quarantine and row_counts. See ``segmentation ingest --help``."""

import sys

from segmentation.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest", *sys.argv[1:]]))
