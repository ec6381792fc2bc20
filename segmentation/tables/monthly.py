"""What goes on from month to month: the frozen model as constants, the champion, drift, and what a stream scored."""

from segmentation.tables.assign import ASSIGNMENTS
from segmentation.tables.core import BOOLEAN, DOUBLE, INT, LONG, RUN_ID, STRING, TIMESTAMP, Column, Table

PREPARATION = Table(
    "preparation",
    "How the run's model makes each coordinate of a customer's point from the features; see docs/monthly.md.",
    ("run_id", "position"),
    (
        RUN_ID,
        Column("position", INT, "index of the coordinate before any PCA, 0 first", required=True),
        Column("feature", STRING, "coordinate: feature, feature=level or feature=(missing)", required=True),
        Column("source_column", STRING, "column of features it is made from", required=True),
        Column("kind", STRING, "number, ordinal, level (1 at this level, else 0) or missing (1 without a value)", required=True),
        Column("fill_value", DOUBLE, "training median, which stands in for a missing number"),
        Column("cap_low", DOUBLE, "smaller numbers count as this one; null without a cap"),
        Column("cap_high", DOUBLE, "larger numbers count as this one; null without a cap"),
        Column("is_log", BOOLEAN, "whether sign(x) * ln(1 + |x|) follows", required=True),
        Column("center", DOUBLE, "taken away next", required=True),
        Column("scale", DOUBLE, "divided by next", required=True),
        Column("weight", DOUBLE, "multiplied by last", required=True),
        Column("level", STRING, "category of a level; (missing) is a missing one"),
        Column("ranks", STRING, "JSON: the levels of an ordinal in order, the first is 0"),
    ),
)

COMPONENTS = Table(
    "components",
    "Principal components of the run's model, where it has some: each is the sum of loading * coordinate.",
    ("run_id", "component", "position"),
    (
        RUN_ID,
        Column("component", INT, "index in the clustered vector, 0 first", required=True),
        Column("position", INT, "position in preparation", required=True),
        Column("loading", DOUBLE, "what the prepared coordinate is multiplied by", required=True),
    ),
)

CHAMPIONS = Table(
    "champions",
    "Every promotion. The champion is the run of the largest seq that was not taken back.",
    ("seq",),
    (
        RUN_ID,
        Column("seq", LONG, "order of promotion, 1 first", required=True),
        Column("promoted_at", TIMESTAMP, "instant of the promotion, UTC", required=True),
        Column("taken_back_at", TIMESTAMP, "instant of the rollback, UTC; null where there was none"),
    ),
)

DRIFT = Table(
    "drift",
    "How far a score, or a challenger's customers, are from those the model was trained on.",
    ("run_id", "measure", "segment_id", "feature"),
    (
        RUN_ID,
        Column("model_run_id", STRING, "run whose model is judged", required=True),
        Column("measure", STRING, "psi, beyond, wssse_excess or share_change", required=True),
        Column("segment_id", INT, "segment looked at; null is all customers"),
        Column("feature", STRING, "feature looked at; null where the measure is of no single one"),
        Column("value", DOUBLE, "what was found; null where it tells of fewer customers than privacy.min_cell"),
        Column("chance_bound", DOUBLE, "what chance alone exceeds in 1 % of comparisons, all measures together", required=True),
        Column("size_bound", DOUBLE, "what is too small to matter", required=True),
        Column("is_drift", BOOLEAN, "whether the value exceeds both", required=True),
        Column("customers_then", LONG, "customers of the training run looked at, count; null where they are too few to be shown"),
        Column("customers_now", LONG, "customers looked at now, count; null where they are too few to be shown"),
    ),
)

STREAMED_ASSIGNMENTS = Table(
    "streamed_assignments",
    "Each row of a stream of features, scored with a run's model; run_id is that run.",
    ("run_id", "batch_id", "customer_id"),
    (
        *(one for one in ASSIGNMENTS.columns if one.name not in ("silhouette", "previous_key", "changed_at", "since_runs")),
        Column("batch_id", LONG, "batch of the stream, 0 first; counts on within a checkpoint", required=True),
    ),
)
