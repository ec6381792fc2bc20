"""Sources to ``transactions``, ``customers``, ``quarantine``, ``row_counts``."""
