"""``features`` and the model to ``assignments``."""
