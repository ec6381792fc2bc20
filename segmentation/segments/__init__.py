"""``features``, ``assignments`` and the model to all that describes the segments."""
