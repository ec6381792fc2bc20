"""``features`` to ``grid``, ``decision``, ``stability``, ``centroids`` and the model."""
