"""Files of data in, a commented configuration out that runs as it is; reads a bounded sample and starts no Spark."""
