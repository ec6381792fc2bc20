"""What to do about a segment."""

from segmentation.tables.core import DOUBLE, LONG, MONEY_TOTAL, RANK, RUN_ID, SEGMENT_ID, STRING, Column, Table

ACTIONS = Table(
    "actions",
    "Advice, each with the numbers that led to it. A segment that no rule fires for has none, nor has one whose customers are "
    "null, nor is there one to fewer customers than privacy.min_cell.",
    ("run_id", "segment_id", "rank"),
    (
        RUN_ID,
        SEGMENT_ID,
        RANK,
        Column("action", STRING, "key of the action", required=True),
        Column("advice", STRING, "the advice in one sentence, with the numbers", required=True),
        Column("metric", STRING, "feature that triggered it", required=True),
        Column("value", DOUBLE, "the segment's median of the metric (mean of a share), the metric's unit", required=True),
        Column("population_value", DOUBLE, "the same of all customers", required=True),
        Column("threshold", DOUBLE, "value from which the rule fires, the metric's unit", required=True),
        Column("threshold_side", STRING, "above or below: where value lies from threshold", required=True),
        Column(
            "customers",
            LONG,
            "customers of the segment who themselves meet the threshold, count; null where too few of it do not",
        ),
        Column("revenue", MONEY_TOTAL, "revenue of those customers, its currency; null without revenue and with customers"),
        Column(
            "holdout_customers", LONG, "customers an arm needs to show the lift, 80 % power, 5 % two-sided; null without a rate"
        ),
        Column("baseline_rate", DOUBLE, "measured rate that the lift is relative to, 0 to 1; null where none can be measured"),
        Column("lift", DOUBLE, "relative change of the rate that so many customers can show; null without a rate"),
        Column("failure_test", STRING, "how to know that the action failed", required=True),
    ),
)
