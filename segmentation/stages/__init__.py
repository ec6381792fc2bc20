"""Each stage: read tables, transform, write tables. Floor 3."""

STAGE_NAMES = ("ingest", "build_features", "fit_grid", "assign_customers", "profile_segments")
