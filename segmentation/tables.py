"""Every table the project writes: its columns, their types, units and keys. Floor 1.

A BI tool reads these tables, so they hold scalar columns only.
"""

from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

MONEY = T.DecimalType(18, 6)  # 18 digits fit a long; more are several times slower
MONEY_TOTAL = T.DecimalType(28, 6)
QUANTITY = T.DecimalType(18, 6)
STRING, LONG, INT, DOUBLE = T.StringType(), T.LongType(), T.IntegerType(), T.DoubleType()
BOOLEAN, DATE, TIMESTAMP = T.BooleanType(), T.DateType(), T.TimestampType()


def column(name: str, data_type: T.DataType, comment: str, *, required: bool = False) -> T.StructField:
    """Return one commented column; a required one may not be null."""
    return T.StructField(name, data_type, nullable=not required, metadata={"comment": comment})


@dataclass(frozen=True)
class Table:
    """A table's name, purpose, unique key and columns in order."""

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[T.StructField, ...]

    @property
    def schema(self) -> T.StructType:
        return T.StructType(list(self.columns))

    def widened(self, extra: tuple[T.StructField, ...]) -> "Table":
        """Return this table with columns that only a configuration knows appended."""
        return replace(self, columns=self.columns + extra)


def conform(frame: DataFrame, table: Table) -> DataFrame:
    """Select ``table``'s columns in order and in type.

    Raises
    ------
    ValueError
        If a column is missing or has another type. ``DataFrame.to`` alone would fill it with nulls.
    """
    found = {field.name: field.dataType for field in frame.schema}
    missing = [field.name for field in table.columns if field.name not in found]
    if missing:
        raise ValueError(f"{table.name}: columns {missing} are missing; found {sorted(found)}")
    wrong = [
        f"{field.name} is {found[field.name].simpleString()}, not {field.dataType.simpleString()}"
        for field in table.columns
        if found[field.name] != field.dataType
    ]
    if wrong:
        raise ValueError(f"{table.name}: {'; '.join(wrong)}")
    return frame.select(*(F.col(f"`{field.name}`").alias(field.name, metadata=dict(field.metadata)) for field in table.columns))


RUN_ID = column("run_id", STRING, "run that wrote the row", required=True)
CUSTOMER_ID = column("customer_id", STRING, "customer, as text", required=True)
SEGMENT_ID = column("segment_id", INT, "segment, 0 first in canonical order", required=True)
RANK = column("rank", INT, "order within the segment, 1 first", required=True)
K = column("k", INT, "number of segments, K", required=True)

TRANSACTIONS = Table(
    "transactions",
    "Cleaned purchase lines, one row per line kept.",
    (),
    (
        RUN_ID,
        CUSTOMER_ID,
        column("order_id", STRING, "order (basket, invoice)", required=True),
        column("ordered_at", TIMESTAMP, "instant of the order, UTC", required=True),
        column("product_id", STRING, "product, as text"),
        column("category", STRING, "product category"),
        column("quantity", QUANTITY, "units in the line; negative in a return"),
        column("unit_price", MONEY, "price of one unit, account currency"),
        column("amount", MONEY, "paid for the line, account currency; negative in a return", required=True),
        column("discount", MONEY, "given off the line, account currency", required=True),
        column("is_return", BOOLEAN, "whether the line is a return or belongs to a cancelled order", required=True),
    ),
)

CUSTOMERS = Table(
    "customers",
    "Cleaned customer attributes, one row per customer of the customers source.",
    ("run_id", "customer_id"),
    (RUN_ID, CUSTOMER_ID),
)

FEATURES = Table(
    "features",
    "One row per customer in original units, seen from the day as_of.",
    ("run_id", "customer_id"),
    (
        RUN_ID,
        CUSTOMER_ID,
        column("as_of", DATE, "first day not seen"),
        column("recency_days", INT, "days from the last order to as_of"),
        column("frequency_orders", LONG, "orders, count"),
        column("monetary_total", MONEY_TOTAL, "sum of amounts, account currency"),
        column("tenure_days", INT, "days from the first order to as_of"),
        column("average_order_value", DOUBLE, "amount per order, account currency"),
        column("days_between_orders", DOUBLE, "mean days between an order and the next; null with a single order"),
        column("items_per_order", DOUBLE, "items per order, count"),
        column("return_rate", DOUBLE, "returned lines / all lines, 0 to 1"),
        column("discount_share", DOUBLE, "discount / (amount + discount) of purchases, 0 to 1"),
    ),
)

GRID = Table(
    "grid",
    "One row per number of segments tried.",
    ("run_id", "k"),
    (
        RUN_ID,
        K,
        column("wssse", DOUBLE, "within-set sum of squared errors of the returned centres, scaled units squared"),
        column("silhouette", DOUBLE, "mean silhouette, squared Euclidean, -1 to 1; null when undefined"),
        column("smallest_share", DOUBLE, "customers of the smallest segment / all, 0 to 1"),
        column("largest_share", DOUBLE, "customers of the largest segment / all, 0 to 1"),
        column("iterations", INT, "Lloyd iterations of the kept restart, count", required=True),
        column("converged", BOOLEAN, "whether the kept restart stopped before its limit; null where Spark does not say"),
        column("effective_k", INT, "segments that hold customers, count", required=True),
        column("seed", LONG, "seed of the kept restart"),
        column("is_eligible", BOOLEAN, "whether K passes every gate", required=True),
        column("is_chosen", BOOLEAN, "whether the run uses this K", required=True),
        column("verdict", STRING, "why K was chosen, passed over or ruled out", required=True),
        column("solver", STRING, "mllib or fused"),
        column("weakest_silhouette", DOUBLE, "mean silhouette of the segment with the smallest; null when undefined"),
        column("silhouette_error", DOUBLE, "bound of the silhouette's error at 99 %; 0 where every customer was looked at"),
        column("calinski_harabasz", DOUBLE, "Calinski-Harabasz index, more is better; null when undefined"),
        column("davies_bouldin", DOUBLE, "Davies-Bouldin index, less is better; null when undefined"),
        column("last_gain", DOUBLE, "fused: share of WSSSE that one more iteration would at least save; else null"),
        column("algorithm", STRING, "kmeans, bisecting_kmeans or gaussian_mixture"),
        column("explained_share", DOUBLE, "sum of squares between segments / total sum of squares, 0 to 1"),
        column("stability", DOUBLE, "mean adjusted Rand index of refits on resampled customers, 1 is the same segments"),
        column("weakest_stability", DOUBLE, "mean Jaccard over the refits of the segment with the smallest, 0 to 1"),
        column("null_gain", DOUBLE, "share of WSSSE that is less than on the best of the tables with permuted columns"),
        column("null_silhouette", DOUBLE, "mean silhouette of this K on tables with permuted columns; null when undefined"),
        column("is_knee", BOOLEAN, "whether the knee of WSSSE lies here"),
        column("score", DOUBLE, "what the rule went by, larger is better; null when undefined"),
        column("trap", STRING, "why a high silhouette was struck out; null where it was not"),
    ),
)

DECISION = Table(
    "decision",
    "The choice of K: one row per K and gate, and what the rule and the verdict on structure said.",
    ("run_id", "k", "gate"),
    (
        RUN_ID,
        K,
        column(
            "gate",
            STRING,
            "converged, effective_k, smallest_share, largest_share, stability, better_than_null, rule; structure (chosen K)",
            required=True,
        ),
        column("value", DOUBLE, "what was found; null when not measured"),
        column("threshold", DOUBLE, "what was asked for; null where there is no bound"),
        column("is_passed", BOOLEAN, "whether the gate is passed, or the rule took this K; null when not measured"),
        column(
            "verdict",
            STRING,
            "passed, failed, not measured; rule: first, second, other; structure: strong to none",
            required=True,
        ),
        column("reason", STRING, "the same in words", required=True),
    ),
)

STABILITY = Table(
    "stability",
    "How surely each segment of each K comes back when the customers are resampled and the fit repeated.",
    ("run_id", "k", "segment_id"),
    (
        RUN_ID,
        K,
        SEGMENT_ID,
        column("customer_share", DOUBLE, "customers / all customers, 0 to 1", required=True),
        column("jaccard", DOUBLE, "mean Jaccard similarity to the matched segment of a refit, 0 to 1", required=True),
        column("lowest_jaccard", DOUBLE, "lowest Jaccard similarity of all refits, 0 to 1", required=True),
        column("verdict", STRING, "highly stable (0.85), stable (0.75), doubtful (0.6) or unstable, by jaccard", required=True),
    ),
)

CENTROIDS = Table(
    "centroids",
    "Segment centres of the chosen K, one row per segment and coordinate.",
    ("run_id", "segment_id", "feature"),
    (
        RUN_ID,
        K,
        SEGMENT_ID,
        column("feature", STRING, "feature, or feature=level for a category", required=True),
        column("position", INT, "index in the clustered vector; null for a feature read back through PCA"),
        column("value_scaled", DOUBLE, "coordinate in the scaled and weighted space"),
        column("value_original", DOUBLE, "the same in the feature's own unit; a share for a category level"),
    ),
)

ASSIGNMENTS = Table(
    "assignments",
    "Each customer's segment.",
    ("run_id", "customer_id"),
    (
        RUN_ID,
        CUSTOMER_ID,
        SEGMENT_ID,
        column("distance", DOUBLE, "Euclidean distance to the own centroid, scaled units", required=True),
        column("runner_up_segment_id", INT, "segment of the second nearest centroid"),
        column(
            "margin",
            DOUBLE,
            "distance to the runner-up's centroid minus distance, scaled units; 0 is a tie, null with one segment",
        ),
        column(
            "silhouette", DOUBLE, "how much nearer to the own segment's customers than to the next's, -1 to 1; squared Euclidean"
        ),
    ),
)

PROFILES = Table(
    "profiles",
    "Per segment and feature: statistics in original units, one row each.",
    ("run_id", "segment_id", "feature", "statistic"),
    (
        RUN_ID,
        SEGMENT_ID,
        column("feature", STRING, "feature, or feature=level for a category", required=True),
        column(
            "statistic",
            STRING,
            "mean, median, p10, p25, p75, p90, population_mean, population_median (feature's unit); share, population_share, "
            "missing_share (0 to 1); index (segment / population x 100); z (population standard deviations)",
            required=True,
        ),
        column("value", DOUBLE, "the statistic; null when undefined"),
    ),
)

SEGMENTS = Table(
    "segments",
    "One row per segment.",
    ("run_id", "segment_id"),
    (
        RUN_ID,
        SEGMENT_ID,
        column("segment_name", STRING, "name, unique in the run", required=True),
        column("archetype", STRING, "key of the naming rule; null where the name comes from traits"),
        column("color", STRING, "colour in charts, #rrggbb"),
        column("customers", LONG, "customers, count", required=True),
        column("customer_share", DOUBLE, "customers / all customers, 0 to 1", required=True),
        column("revenue", MONEY_TOTAL, "sum of the revenue feature, its currency; null without one"),
        column("revenue_share", DOUBLE, "revenue / all revenue; null without revenue"),
        column("sets_apart", STRING, "most distinguishing features with segment and population values", required=True),
    ),
)

TRAITS = Table(
    "traits",
    "What sets a segment apart, strongest first.",
    ("run_id", "segment_id", "rank"),
    (
        RUN_ID,
        SEGMENT_ID,
        RANK,
        column("feature", STRING, "feature, or feature=level for a category", required=True),
        column(
            "segment_value", DOUBLE, "the segment's mean in the feature's unit; its share of customers for a level", required=True
        ),
        column("population_value", DOUBLE, "the same of all customers", required=True),
        column("effect", DOUBLE, "segment minus population, population standard deviations", required=True),
        column("lift", DOUBLE, "segment / population of a level; null for a number"),
        column("kind", STRING, "number or level", required=True),
    ),
)

EXEMPLARS = Table(
    "exemplars",
    "The customers nearest to their segment's centre.",
    ("run_id", "segment_id", "rank"),
    (
        RUN_ID,
        SEGMENT_ID,
        RANK,
        column("customer_id", STRING, "pseudonym of the customer, or the id where the configuration says so", required=True),
        column("distance", DOUBLE, "Euclidean distance to the centroid, scaled units", required=True),
    ),
)

SEGMENT_RULES = Table(
    "segment_rules",
    "Up to three readable conditions a segment, from a small tree. They do not overlap: the recalls of a segment add up.",
    ("run_id", "segment_id", "rule"),
    (
        RUN_ID,
        SEGMENT_ID,
        column("rule", INT, "number of the rule within the segment, 1 catches the most of it", required=True),
        column("condition", STRING, "condition on features in their own units", required=True),
        column("customers", LONG, "customers that the condition catches, count", required=True),
        column("precision", DOUBLE, "those of the segment / customers caught, 0 to 1; null when none is caught"),
        column("recall", DOUBLE, "those of the segment / customers of the segment, 0 to 1", required=True),
    ),
)

ACTIONS = Table(
    "actions",
    "Advice, each with the numbers that led to it. A segment that no rule fires for has none.",
    ("run_id", "segment_id", "rank"),
    (
        RUN_ID,
        SEGMENT_ID,
        RANK,
        column("action", STRING, "key of the action", required=True),
        column("advice", STRING, "the advice in one sentence, with the numbers", required=True),
        column("metric", STRING, "feature that triggered it", required=True),
        column("value", DOUBLE, "the segment's median of the metric (mean of a share), the metric's unit", required=True),
        column("population_value", DOUBLE, "the same of all customers", required=True),
        column("threshold", DOUBLE, "value from which the rule fires, the metric's unit", required=True),
        column("threshold_side", STRING, "above or below: where value lies from threshold", required=True),
        column("customers", LONG, "customers of the segment who themselves meet the threshold, count", required=True),
        column("revenue", MONEY_TOTAL, "revenue of those customers, its currency; null without revenue"),
        column(
            "holdout_customers", LONG, "customers an arm needs to show the lift, 80 % power, 5 % two-sided; null without a rate"
        ),
        column("baseline_rate", DOUBLE, "measured rate that the lift is relative to, 0 to 1; null where none can be measured"),
        column("lift", DOUBLE, "relative change of the rate that so many customers can show; null without a rate"),
        column("failure_test", STRING, "how to know that the action failed", required=True),
    ),
)

HISTOGRAMS = Table(
    "histograms",
    "Distribution of each number, of every segment and of all customers.",
    ("run_id", "feature", "segment_id", "bin"),
    (
        RUN_ID,
        column("feature", STRING, "feature", required=True),
        column("segment_id", INT, "segment; null for all customers"),
        column("bin", INT, "bin, 0 first; the first and the last hold what lies beyond them too", required=True),
        column("lower", DOUBLE, "lower edge of the bin, the feature's unit", required=True),
        column("upper", DOUBLE, "upper edge of the bin, the feature's unit", required=True),
        column("customers", LONG, "customers, count", required=True),
    ),
)

SEGMENT_MAP = Table(
    "segment_map",
    "A sample of customers, without ids, on the two strongest principal components of the scaled features.",
    (),
    (
        RUN_ID,
        SEGMENT_ID,
        column("x", DOUBLE, "first principal component, scaled units", required=True),
        column("y", DOUBLE, "second principal component, scaled units", required=True),
    ),
)

MAP_AXES = Table(
    "map_axes",
    "What the axes of segment_map mean.",
    ("run_id", "axis", "feature"),
    (
        RUN_ID,
        column("axis", STRING, "x or y", required=True),
        column("feature", STRING, "feature, or feature=level for a category", required=True),
        column("loading", DOUBLE, "weight of the feature on the axis, -1 to 1", required=True),
        column("explained_share", DOUBLE, "variance along the axis / all variance of the sample, 0 to 1", required=True),
    ),
)

RUNS = Table(
    "runs",
    "One row per run; status PUBLISHED is the point of publication.",
    ("run_id",),
    (
        RUN_ID,
        column("status", STRING, "RUNNING or PUBLISHED", required=True),
        column("published_seq", LONG, "publication order, 1 first; the largest is current"),
        column("as_of", DATE, "first day not seen; null without transactions"),
        column("k", INT, "number of segments chosen"),
        column("decision", STRING, "why this K, in words"),
        column("structure", STRING, "strong, moderate, weak or none: how far the segments are more than chance"),
        column("rule", STRING, "rule that chooses K"),
        column("rule_k", INT, "K that the rule took; another than k where a K was asked for"),
        column("rows_read", LONG, "rows read from all sources, count"),
        column("rows_kept", LONG, "rows kept, count"),
        column("rows_set_aside", LONG, "rows set aside, count; rows_read = rows_kept + rows_set_aside"),
        column("customers", LONG, "customers assigned, count"),
        column("layout_partitions", INT, "partitions of the canonical layout, count"),
        column("seeds", STRING, "restart seeds, comma separated"),
        column("table_versions", STRING, "JSON: Delta version of each table that holds this run"),
        column("source_versions", STRING, "JSON: Delta version of each Delta source"),
        column(
            "config_hash",
            STRING,
            "SHA-256 of the effective configuration without paths, K asked for and the section segments",
            required=True,
        ),
        column("input_fingerprint", STRING, "SHA-256 over the rows of all sources, whatever their order or files"),
        column("model_path", STRING, "where the PipelineModel lies"),
        column("spark_version", STRING, "Spark version", required=True),
        column("delta_version", STRING, "Delta Lake version", required=True),
        column("package_version", STRING, "version of this package", required=True),
        column("started_at", TIMESTAMP, "start of the run, UTC", required=True),
        column("published_at", TIMESTAMP, "instant of publication, UTC"),
    ),
)

ROW_COUNTS = Table(
    "row_counts",
    "What became of the rows of each source.",
    ("run_id", "source", "outcome"),
    (
        RUN_ID,
        column("source", STRING, "transactions, products or customers", required=True),
        column("outcome", STRING, "kept, or the reason for setting aside", required=True),
        column("rows", LONG, "rows, count", required=True),
        column("fingerprint", STRING, "sum of row hashes, whatever the order; equal for equal rows", required=True),
    ),
)

QUARANTINE = Table(
    "quarantine",
    "Rows set aside, with the reason and what is needed to find them again.",
    (),
    (
        RUN_ID,
        column("source", STRING, "transactions, products or customers", required=True),
        column("reason", STRING, "first rule the row breaks", required=True),
        column("all_reasons", STRING, "every rule the row breaks, comma separated", required=True),
        column("customer_id", STRING, "the row's customer, where it has one"),
        column("row_key", STRING, "the row's order and product, or its product", required=True),
        column("source_file", STRING, "file the row was read from; null for a catalog table"),
        column("raw_record", STRING, "JSON: the declared columns as they were read", required=True),
    ),
)

CURRENT = {
    table.name: replace(table, name=f"current_{table.name}", comment=f"Newest published run of {table.name}.")
    for table in (ASSIGNMENTS, SEGMENTS, PROFILES)
}
