"""Each stage: read tables, transform, write tables. Floor 3."""
