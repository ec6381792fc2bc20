"""What the segments are."""

from segmentation.tables.core import DOUBLE, INT, LONG, MONEY_TOTAL, RANK, RUN_ID, SEGMENT_ID, STRING, Column, K, Table

PROFILES = Table(
    "profiles",
    "Per segment and feature: statistics in original units, one row each.",
    ("run_id", "segment_id", "feature", "statistic"),
    (
        RUN_ID,
        SEGMENT_ID,
        Column("feature", STRING, "feature, or feature=level for a category", required=True),
        Column(
            "statistic",
            STRING,
            "mean, median, p10, p25, p75, p90, population_mean, population_median (feature's unit); share, population_share, "
            "missing_share (0 to 1); index (segment / population x 100); z (population standard deviations)",
            required=True,
        ),
        Column("value", DOUBLE, "the statistic; null when undefined, or of fewer customers than privacy.min_cell"),
    ),
)

FIGURES = Table(
    "figures",
    "What names and advice go by: the middle of each number, of every segment and of all customers.",
    ("run_id", "segment_id", "feature"),
    (
        RUN_ID,
        Column("segment_id", INT, "segment; null for all customers"),
        Column("feature", STRING, "feature, also one that profiles do not show", required=True),
        Column("mean", DOUBLE, "mean, the feature's unit; null where fewer than privacy.min_cell have a value"),
        Column("median", DOUBLE, "median, the feature's unit; null with it"),
        Column("p90", DOUBLE, "value that nine in ten do not exceed, the feature's unit; null with it"),
    ),
)

NEIGHBOURS = Table(
    "neighbours",
    "What the segments would be called at the K tried before and after the one taken; ``compare`` says who is where.",
    ("run_id", "k", "segment_id"),
    (
        RUN_ID,
        K,
        SEGMENT_ID,
        Column("segment_name", STRING, "name that the rules give, unique at this K", required=True),
        Column("customer_share", DOUBLE, "customers / all customers, 0 to 1, estimated by nearest centre; null of too few"),
    ),
)

SEGMENTS = Table(
    "segments",
    "One row per segment.",
    ("run_id", "segment_id"),
    (
        RUN_ID,
        SEGMENT_ID,
        Column("segment_key", STRING, "key of the segment, the same from run to run", required=True),
        Column("segment_name", STRING, "name, unique in the run", required=True),
        Column("rule_name", STRING, "name that the rules give, whatever the configuration calls the segment", required=True),
        Column("kept_name", STRING, "name that the segment keeps from the run before; null of one that is new or has changed"),
        Column("former_name", STRING, "name in the run before, of a segment whose nature and so whose name has changed"),
        Column("archetype", STRING, "key of the naming rule; null where the name comes from traits"),
        Column("color", STRING, "colour in charts, #rrggbb"),
        Column("kept_color", STRING, "colour that the segment keeps from the run before"),
        Column(
            "customers", LONG, "customers, count; null of fewer than privacy.min_cell and of a segment that would tell of them"
        ),
        Column("customer_share", DOUBLE, "customers / all customers, 0 to 1; null with it"),
        Column("revenue", MONEY_TOTAL, "sum of the revenue feature, its currency; null without one and with customers"),
        Column("revenue_share", DOUBLE, "revenue / all revenue; null with it"),
        Column("sets_apart", STRING, "most distinguishing features with segment and population values", required=True),
    ),
)

TRAITS = Table(
    "traits",
    "What sets a segment apart, strongest first; nothing of a segment whose customers are null.",
    ("run_id", "segment_id", "rank"),
    (
        RUN_ID,
        SEGMENT_ID,
        RANK,
        Column("feature", STRING, "feature, or feature=level for a category", required=True),
        Column(
            "segment_value", DOUBLE, "the segment's mean in the feature's unit; its share of customers for a level", required=True
        ),
        Column("population_value", DOUBLE, "the same of all customers", required=True),
        Column("effect", DOUBLE, "segment minus population, population standard deviations", required=True),
        Column("lift", DOUBLE, "segment / population of a level; null for a number"),
        Column("kind", STRING, "number or level", required=True),
    ),
)

EXEMPLARS = Table(
    "exemplars",
    "The customers nearest to their segment's centre, of segments whose customers are not null.",
    ("run_id", "segment_id", "rank"),
    (
        RUN_ID,
        SEGMENT_ID,
        RANK,
        Column("customer_id", STRING, "pseudonym of the customer, or the id where the configuration says so", required=True),
        Column("distance", DOUBLE, "Euclidean distance to the centroid, scaled units", required=True),
    ),
)

SEGMENT_RULES = Table(
    "segment_rules",
    "Up to three readable conditions a segment, from a small tree. They do not overlap: the recalls of a segment add up. "
    "There are none of a segment whose customers are null.",
    ("run_id", "segment_id", "rule"),
    (
        RUN_ID,
        SEGMENT_ID,
        Column("rule", INT, "number of the rule within the segment, 1 catches the most of it", required=True),
        Column("condition", STRING, "condition on features in their own units", required=True),
        Column(
            "customers", LONG, "customers that the condition catches, count; null where it tells of fewer than privacy.min_cell"
        ),
        Column(
            "precision", DOUBLE, "those of the segment / customers caught, 0 to 1; null when none is caught, and with customers"
        ),
        Column("recall", DOUBLE, "those of the segment / customers of the segment, 0 to 1; null with customers"),
    ),
)

REPRESENTATION = Table(
    "representation",
    "Who is in each segment, by attributes that are never clustered on, named by or advised by (role audit).",
    ("run_id", "segment_id", "attribute", "level"),
    (
        RUN_ID,
        SEGMENT_ID,
        Column("attribute", STRING, "attribute", required=True),
        Column("level", STRING, "its value", required=True),
        Column("customers", LONG, "customers of the segment with it, count; null where a group is smaller than privacy.min_cell"),
        Column("share", DOUBLE, "customers / customers of the segment, 0 to 1; null with it"),
        Column("population_share", DOUBLE, "of all customers, 0 to 1; null where they are fewer than privacy.min_cell"),
        Column("index", DOUBLE, "share / population_share x 100; null with either"),
    ),
)

HISTOGRAMS = Table(
    "histograms",
    "Distribution of each number, of every segment and of all customers.",
    ("run_id", "feature", "segment_id", "bin"),
    (
        RUN_ID,
        Column("feature", STRING, "feature", required=True),
        Column("segment_id", INT, "segment; null for all customers"),
        Column("bin", INT, "bin, 0 first; the first and the last hold what lies beyond them too", required=True),
        Column("lower", DOUBLE, "lower edge of the bin, the feature's unit", required=True),
        Column("upper", DOUBLE, "upper edge of the bin, the feature's unit", required=True),
        Column("customers", LONG, "customers, count; null of fewer than privacy.min_cell and of a bin that would tell of them"),
    ),
)

SEGMENT_MAP = Table(
    "segment_map",
    "A sample of customers, without ids, on the two strongest principal components of the scaled features; nobody of a segment "
    "whose customers are null.",
    (),
    (
        RUN_ID,
        SEGMENT_ID,
        Column("x", DOUBLE, "first principal component, scaled units", required=True),
        Column("y", DOUBLE, "second principal component, scaled units", required=True),
    ),
)

MAP_AXES = Table(
    "map_axes",
    "What the axes of segment_map mean.",
    ("run_id", "axis", "feature"),
    (
        RUN_ID,
        Column("axis", STRING, "x or y", required=True),
        Column("feature", STRING, "feature, or feature=level for a category", required=True),
        Column("loading", DOUBLE, "weight of the feature on the axis, -1 to 1", required=True),
        Column("explained_share", DOUBLE, "variance along the axis / all variance of the sample, 0 to 1", required=True),
    ),
)
