"""Which segment of a run is which of the run before, and who went where."""

from segmentation.tables.core import DOUBLE, INT, LONG, MONEY_TOTAL, RUN_ID, STRING, Column, Table

LINEAGE = Table(
    "lineage",
    "Each segment of a run and what it was in the run published before; retired ones have a row too.",
    ("run_id", "segment_key"),
    (
        RUN_ID,
        Column("segment_key", STRING, "key of the segment, never given to another", required=True),
        Column("segment_id", INT, "its number in this run; null of a retired one"),
        Column("verdict", STRING, "first, survived, split, merged, born or retired", required=True),
        Column("previous_key", STRING, "segment of the run before that it comes from most; null of a first or born one"),
        Column("previous_run_id", STRING, "run published before; null without one"),
        Column(
            "basis",
            STRING,
            "models: both models label the customers of this run; customers: those in both runs, where the former model "
            "cannot label these; null without a run before",
        ),
        Column(
            "customers_common",
            LONG,
            "customers in both the segment and its previous one, as the basis says, count; null where it tells of fewer than "
            "privacy.min_cell",
        ),
        Column("previous_overlap", DOUBLE, "customers_common / customers of the previous one, 0 to 1; null with it"),
        Column("overlap", DOUBLE, "customers_common / customers of this one, 0 to 1; null with it"),
        Column("jaccard", DOUBLE, "customers_common / customers in either, 0 to 1; null with it"),
        Column("shifted_feature", STRING, "feature whose centre moved most, of a segment that survived"),
        Column("shift", DOUBLE, "by how much it moved, the feature's unit"),
        Column("shift_deviations", DOUBLE, "the same in standard deviations of all customers"),
        Column("said", STRING, "the verdict in words", required=True),
    ),
)

TRANSITIONS = Table(
    "transitions",
    "Customers by segment in the run published before and in this one.",
    ("run_id", "from_key", "to_key", "why"),
    (
        RUN_ID,
        Column("from_key", STRING, "segment in the run before; null of those who arrived"),
        Column("to_key", STRING, "segment in this run; null of those who left"),
        Column(
            "why",
            STRING,
            "stayed; customer (moved: the former model says so too), model (moved: the former model would have left them), "
            "both, unknown (the former model cannot tell), arrived or left",
            required=True,
        ),
        Column("customers", LONG, "customers, count; null of fewer than privacy.min_cell and of a row that would tell of them"),
        Column("share", DOUBLE, "of all customers of either run, 0 to 1; null with it, and where too few arrived or left"),
        Column(
            "revenue_before", MONEY_TOTAL, "their revenue in the run before; null without a revenue feature and with customers"
        ),
        Column("revenue_after", MONEY_TOTAL, "their revenue in this run; null without a revenue feature and with customers"),
    ),
)

REACH = Table(
    "reach",
    "How far customers of a segment lie from its centre when the model was made: who lies farther is like nobody it knew.",
    ("run_id", "segment_id"),
    (
        RUN_ID,
        Column("segment_id", INT, "segment, 0 first in canonical order", required=True),
        Column("segment_key", STRING, "key of the segment", required=True),
        Column(
            "customers", LONG, "customers, count; null of fewer than privacy.min_cell and of a segment that would tell of them"
        ),
        Column("distance_p99", DOUBLE, "99th percentile of the distance to the centre, scaled units; null with it"),
    ),
)
