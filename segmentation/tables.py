"""Every table the project writes: its columns, their types, units and keys. Floor 1; knows no engine.

A BI tool reads these tables, so they hold scalar columns only. Types are spelled as SQL spells them.
"""

from dataclasses import dataclass, replace

MONEY = "decimal(18,6)"  # 18 digits fit a long; more are several times slower
MONEY_TOTAL = "decimal(28,6)"
QUANTITY = "decimal(18,6)"
STRING, LONG, INT, DOUBLE = "string", "bigint", "int", "double"
BOOLEAN, DATE, TIMESTAMP = "boolean", "date", "timestamp"


def decimal_digits(sql_type: str) -> tuple[int, int] | None:
    """Return the precision and scale of a decimal type, None of another."""
    if not sql_type.startswith("decimal("):
        return None
    precision, scale = sql_type.removeprefix("decimal(").removesuffix(")").split(",")
    return int(precision), int(scale)


@dataclass(frozen=True)
class Column:
    """A column: its SQL type, what it means, and whether it may never be null."""

    name: str
    type: str
    comment: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """A table's name, purpose, unique key and columns in order."""

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def widened(self, extra: tuple[Column, ...]) -> "Table":
        """Return this table with columns that only a configuration knows appended."""
        return replace(self, columns=self.columns + extra)


RUN_ID = Column("run_id", STRING, "run that wrote the row", required=True)
CUSTOMER_ID = Column("customer_id", STRING, "customer, as text", required=True)
SEGMENT_ID = Column("segment_id", INT, "segment, 0 first in canonical order", required=True)
RANK = Column("rank", INT, "order within the segment, 1 first", required=True)
K = Column("k", INT, "number of segments, K", required=True)

TRANSACTIONS = Table(
    "transactions",
    "Cleaned purchase lines, one row per line kept.",
    (),
    (
        RUN_ID,
        CUSTOMER_ID,
        Column("order_id", STRING, "order (basket, invoice)", required=True),
        Column("ordered_at", TIMESTAMP, "instant of the order, UTC", required=True),
        Column("product_id", STRING, "product, as text"),
        Column("category", STRING, "product category"),
        Column("quantity", QUANTITY, "units in the line; negative in a return"),
        Column("unit_price", MONEY, "price of one unit, account currency"),
        Column("amount", MONEY, "paid for the line, account currency; negative in a return", required=True),
        Column("discount", MONEY, "given off the line, account currency", required=True),
        Column("is_return", BOOLEAN, "whether the line is a return or belongs to a cancelled order", required=True),
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
        Column("as_of", DATE, "first day not seen"),
        Column("recency_days", INT, "days from the last order to as_of"),
        Column("frequency_orders", LONG, "orders, count"),
        Column("monetary_total", MONEY_TOTAL, "sum of amounts, account currency"),
        Column("tenure_days", INT, "days from the first order to as_of"),
        Column("average_order_value", DOUBLE, "amount per order, account currency"),
        Column("days_between_orders", DOUBLE, "mean days between an order and the next; null with a single order"),
        Column("items_per_order", DOUBLE, "items per order, count"),
        Column("return_rate", DOUBLE, "returned lines / all lines, 0 to 1"),
        Column("discount_share", DOUBLE, "discount / (amount + discount) of purchases, 0 to 1"),
    ),
)

GRID = Table(
    "grid",
    "One row per number of segments tried.",
    ("run_id", "k"),
    (
        RUN_ID,
        K,
        Column("wssse", DOUBLE, "within-set sum of squared errors of the returned centres, scaled units squared"),
        Column("silhouette", DOUBLE, "mean silhouette, squared Euclidean, -1 to 1; null when undefined"),
        Column("smallest_share", DOUBLE, "customers of the smallest segment / all, 0 to 1"),
        Column("largest_share", DOUBLE, "customers of the largest segment / all, 0 to 1"),
        Column("iterations", INT, "Lloyd iterations of the kept restart, count", required=True),
        Column("converged", BOOLEAN, "whether the kept restart stopped before its limit; null where Spark does not say"),
        Column("effective_k", INT, "segments that hold customers, count", required=True),
        Column("seed", LONG, "seed of the kept restart"),
        Column("is_eligible", BOOLEAN, "whether K passes every gate", required=True),
        Column("is_chosen", BOOLEAN, "whether the run uses this K", required=True),
        Column("verdict", STRING, "why K was chosen, passed over or ruled out", required=True),
        Column("solver", STRING, "mllib or fused"),
        Column("weakest_silhouette", DOUBLE, "mean silhouette of the segment with the smallest; null when undefined"),
        Column("silhouette_error", DOUBLE, "bound of the silhouette's error at 99 %; 0 where every customer was looked at"),
        Column("calinski_harabasz", DOUBLE, "Calinski-Harabasz index, more is better; null when undefined"),
        Column("davies_bouldin", DOUBLE, "Davies-Bouldin index, less is better; null when undefined"),
        Column("last_gain", DOUBLE, "fused: share of WSSSE that one more iteration would at least save; else null"),
        Column("algorithm", STRING, "kmeans, bisecting_kmeans or gaussian_mixture"),
        Column("explained_share", DOUBLE, "sum of squares between segments / total sum of squares, 0 to 1"),
        Column("stability", DOUBLE, "mean adjusted Rand index of refits on resampled customers, 1 is the same segments"),
        Column("weakest_stability", DOUBLE, "mean Jaccard over the refits of the segment with the smallest, 0 to 1"),
        Column("null_gain", DOUBLE, "share of WSSSE that is less than on the best of the tables with permuted columns"),
        Column("null_silhouette", DOUBLE, "mean silhouette of this K on tables with permuted columns; null when undefined"),
        Column("is_knee", BOOLEAN, "whether the knee of WSSSE lies here"),
        Column("score", DOUBLE, "what the rule went by, larger is better; null when undefined"),
        Column("trap", STRING, "why a high silhouette was struck out; null where it was not"),
    ),
)

DECISION = Table(
    "decision",
    "The choice of K: one row per K and gate, and what the rule and the verdict on structure said.",
    ("run_id", "k", "gate"),
    (
        RUN_ID,
        K,
        Column(
            "gate",
            STRING,
            "converged, effective_k, smallest_share, largest_share, stability, better_than_null, rule; structure (chosen K)",
            required=True,
        ),
        Column("value", DOUBLE, "what was found; null when not measured"),
        Column("threshold", DOUBLE, "what was asked for; null where there is no bound"),
        Column("is_passed", BOOLEAN, "whether the gate is passed, or the rule took this K; null when not measured"),
        Column(
            "verdict",
            STRING,
            "passed, failed, not measured; rule: first, second, other; structure: strong to none",
            required=True,
        ),
        Column("reason", STRING, "the same in words", required=True),
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
        Column("customer_share", DOUBLE, "customers / all customers, 0 to 1", required=True),
        Column("jaccard", DOUBLE, "mean Jaccard similarity to the matched segment of a refit, 0 to 1", required=True),
        Column("lowest_jaccard", DOUBLE, "lowest Jaccard similarity of all refits, 0 to 1", required=True),
        Column("verdict", STRING, "highly stable (0.85), stable (0.75), doubtful (0.6) or unstable, by jaccard", required=True),
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
        Column("feature", STRING, "feature, or feature=level for a category", required=True),
        Column("position", INT, "index in the clustered vector; null for a feature read back through PCA"),
        Column("value_scaled", DOUBLE, "coordinate in the scaled and weighted space"),
        Column("value_original", DOUBLE, "the same in the feature's own unit; a share for a category level"),
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
        Column("distance", DOUBLE, "Euclidean distance to the own centroid, scaled units", required=True),
        Column("runner_up_segment_id", INT, "segment of the second nearest centroid"),
        Column(
            "margin",
            DOUBLE,
            "distance to the runner-up's centroid minus distance, scaled units; 0 is a tie, null with one segment",
        ),
        Column(
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
        Column("feature", STRING, "feature, or feature=level for a category", required=True),
        Column(
            "statistic",
            STRING,
            "mean, median, p10, p25, p75, p90, population_mean, population_median (feature's unit); share, population_share, "
            "missing_share (0 to 1); index (segment / population x 100); z (population standard deviations)",
            required=True,
        ),
        Column("value", DOUBLE, "the statistic; null when undefined"),
    ),
)

SEGMENTS = Table(
    "segments",
    "One row per segment.",
    ("run_id", "segment_id"),
    (
        RUN_ID,
        SEGMENT_ID,
        Column("segment_name", STRING, "name, unique in the run", required=True),
        Column("archetype", STRING, "key of the naming rule; null where the name comes from traits"),
        Column("color", STRING, "colour in charts, #rrggbb"),
        Column("customers", LONG, "customers, count", required=True),
        Column("customer_share", DOUBLE, "customers / all customers, 0 to 1", required=True),
        Column("revenue", MONEY_TOTAL, "sum of the revenue feature, its currency; null without one"),
        Column("revenue_share", DOUBLE, "revenue / all revenue; null without revenue"),
        Column("sets_apart", STRING, "most distinguishing features with segment and population values", required=True),
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
    "The customers nearest to their segment's centre.",
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
    "Up to three readable conditions a segment, from a small tree. They do not overlap: the recalls of a segment add up.",
    ("run_id", "segment_id", "rule"),
    (
        RUN_ID,
        SEGMENT_ID,
        Column("rule", INT, "number of the rule within the segment, 1 catches the most of it", required=True),
        Column("condition", STRING, "condition on features in their own units", required=True),
        Column("customers", LONG, "customers that the condition catches, count", required=True),
        Column("precision", DOUBLE, "those of the segment / customers caught, 0 to 1; null when none is caught"),
        Column("recall", DOUBLE, "those of the segment / customers of the segment, 0 to 1", required=True),
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
        Column("action", STRING, "key of the action", required=True),
        Column("advice", STRING, "the advice in one sentence, with the numbers", required=True),
        Column("metric", STRING, "feature that triggered it", required=True),
        Column("value", DOUBLE, "the segment's median of the metric (mean of a share), the metric's unit", required=True),
        Column("population_value", DOUBLE, "the same of all customers", required=True),
        Column("threshold", DOUBLE, "value from which the rule fires, the metric's unit", required=True),
        Column("threshold_side", STRING, "above or below: where value lies from threshold", required=True),
        Column("customers", LONG, "customers of the segment who themselves meet the threshold, count", required=True),
        Column("revenue", MONEY_TOTAL, "revenue of those customers, its currency; null without revenue"),
        Column(
            "holdout_customers", LONG, "customers an arm needs to show the lift, 80 % power, 5 % two-sided; null without a rate"
        ),
        Column("baseline_rate", DOUBLE, "measured rate that the lift is relative to, 0 to 1; null where none can be measured"),
        Column("lift", DOUBLE, "relative change of the rate that so many customers can show; null without a rate"),
        Column("failure_test", STRING, "how to know that the action failed", required=True),
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
        Column("customers", LONG, "customers, count", required=True),
    ),
)

SEGMENT_MAP = Table(
    "segment_map",
    "A sample of customers, without ids, on the two strongest principal components of the scaled features.",
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

RUNS = Table(
    "runs",
    "One row per run; status PUBLISHED is the point of publication.",
    ("run_id",),
    (
        RUN_ID,
        Column("status", STRING, "RUNNING or PUBLISHED", required=True),
        Column("published_seq", LONG, "publication order, 1 first; the largest is current"),
        Column("as_of", DATE, "first day not seen; null without transactions"),
        Column("k", INT, "number of segments chosen"),
        Column("decision", STRING, "why this K, in words"),
        Column(
            "spark_silhouette", DOUBLE, "silhouette of the published assignments by Spark's ClusteringEvaluator; null with one"
        ),
        Column("spark_silhouette_customers", LONG, "customers it was measured on, count; a sample of large tables"),
        Column("structure", STRING, "strong, moderate, weak or none: how far the segments are more than chance"),
        Column("rule", STRING, "rule that chooses K"),
        Column("rule_k", INT, "K that the rule took; another than k where a K was asked for"),
        Column("rows_read", LONG, "rows read from all sources, count"),
        Column("rows_kept", LONG, "rows kept, count"),
        Column("rows_set_aside", LONG, "rows set aside, count; rows_read = rows_kept + rows_set_aside"),
        Column("customers", LONG, "customers assigned, count"),
        Column("layout_partitions", INT, "partitions of the canonical layout, count"),
        Column("category_shares", STRING, "JSON: features of category shares that this run computed"),
        Column("seeds", STRING, "restart seeds, comma separated"),
        Column("table_versions", STRING, "JSON: Delta version of each table that holds this run"),
        Column("source_versions", STRING, "JSON: Delta version of each Delta source"),
        Column(
            "config_hash",
            STRING,
            "SHA-256 of the effective configuration without paths, K asked for and the section segments",
            required=True,
        ),
        Column("input_fingerprint", STRING, "SHA-256 over the rows of all sources, whatever their order or files"),
        Column("model_path", STRING, "where the PipelineModel lies"),
        Column("spark_version", STRING, "Spark version", required=True),
        Column("delta_version", STRING, "Delta Lake version", required=True),
        Column("package_version", STRING, "version of this package", required=True),
        Column("started_at", TIMESTAMP, "start of the run, UTC", required=True),
        Column("published_at", TIMESTAMP, "instant of publication, UTC"),
    ),
)

ROW_COUNTS = Table(
    "row_counts",
    "What became of the rows of each source.",
    ("run_id", "source", "outcome"),
    (
        RUN_ID,
        Column("source", STRING, "transactions, products or customers", required=True),
        Column("outcome", STRING, "kept, or the reason for setting aside", required=True),
        Column("rows", LONG, "rows, count", required=True),
        Column("fingerprint", STRING, "sum of row hashes, whatever the order; equal for equal rows", required=True),
    ),
)

QUARANTINE = Table(
    "quarantine",
    "Rows set aside, with the reason and what is needed to find them again.",
    (),
    (
        RUN_ID,
        Column("source", STRING, "transactions, products or customers", required=True),
        Column("reason", STRING, "first rule the row breaks", required=True),
        Column("all_reasons", STRING, "every rule the row breaks, comma separated", required=True),
        Column("customer_id", STRING, "the row's customer, where it has one"),
        Column("row_key", STRING, "the row's order and product, or its product", required=True),
        Column("source_file", STRING, "file the row was read from; null for a catalog table"),
        Column("raw_record", STRING, "JSON: the declared columns as they were read", required=True),
    ),
)

CURRENT = {
    table.name: replace(table, name=f"current_{table.name}", comment=f"Newest published run of {table.name}.")
    for table in (ASSIGNMENTS, SEGMENTS, PROFILES)
}
