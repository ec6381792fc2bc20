"""One YAML file becomes one frozen, checked ``Config``."""
