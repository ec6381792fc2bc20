"""The warehouse: Delta tables behind one door, written by delta-rs where it can and by Spark elsewhere."""
