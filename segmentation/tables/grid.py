"""Every K tried, why one was chosen, and its centres."""

from segmentation.tables.core import BOOLEAN, DOUBLE, INT, LONG, RUN_ID, SEGMENT_ID, STRING, Column, K, Table

GRID = Table(
    "grid",
    "One row per number of segments tried.",
    ("run_id", "k"),
    (
        RUN_ID,
        K,
        Column("wssse", DOUBLE, "within-set sum of squared errors of the returned centres, scaled units squared"),
        Column("silhouette", DOUBLE, "mean silhouette, squared Euclidean, -1 to 1; null when undefined"),
        Column(
            "smallest_share",
            DOUBLE,
            "customers of the smallest segment / all, 0 to 1; null where they are fewer than privacy.min_cell",
        ),
        Column(
            "largest_share",
            DOUBLE,
            "customers of the largest segment / all, 0 to 1; null where it would tell of fewer than privacy.min_cell",
        ),
        Column("iterations", INT, "Lloyd iterations of the kept restart, count", required=True),
        Column("converged", BOOLEAN, "whether the kept restart stopped before its limit; null where Spark does not say"),
        Column("effective_k", INT, "segments that hold customers, count", required=True),
        Column("seed", LONG, "seed of the kept restart"),
        Column("is_eligible", BOOLEAN, "whether K passes every gate", required=True),
        Column("is_chosen", BOOLEAN, "whether the run uses this K", required=True),
        Column("verdict", STRING, "why K was chosen, passed over or ruled out", required=True),
        Column("decision", STRING, "why this K, in words; null of every K but the chosen one"),
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
        Column("crowd_gain", DOUBLE, "share of WSSSE that is less than on the best of the tables that are one crowd"),
        Column("crowd_silhouette", DOUBLE, "mean silhouette of this K on tables that are one crowd; null when undefined"),
        Column("groups", INT, "segments that valleys in the density part; 1 where one crowd, cut as often, looks the same"),
        Column("splittable_segments", INT, "segments with a valley inside, count"),
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
        Column(
            "value", DOUBLE, "what was found; null when not measured, or when it tells of fewer customers than privacy.min_cell"
        ),
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
        Column(
            "customer_share",
            DOUBLE,
            "customers / all customers, 0 to 1; null of fewer than privacy.min_cell and of a segment that would tell of them",
        ),
        Column("jaccard", DOUBLE, "mean Jaccard similarity to the matched segment of a refit, 0 to 1", required=True),
        Column("lowest_jaccard", DOUBLE, "lowest Jaccard similarity of all refits, 0 to 1", required=True),
        Column("verdict", STRING, "highly stable (0.85), stable (0.75), doubtful (0.6) or unstable, by jaccard", required=True),
        Column("inner_depth", DOUBLE, "depth of the valley between its two halves, 0 to 1; null for a handful"),
        Column("is_splittable", BOOLEAN, "whether a valley runs through the segment"),
    ),
)

BORDERS = Table(
    "borders",
    "What lies between two neighbouring segments of each K: a valley, or a cut through a crowd.",
    ("run_id", "k", "segment_id", "other_segment_id"),
    (
        RUN_ID,
        K,
        SEGMENT_ID,
        Column("other_segment_id", INT, "the neighbour, the larger number", required=True),
        Column("depth", DOUBLE, "share by which the density between them lies below the lower side, 0 to 1", required=True),
        Column("surprise", DOUBLE, "the same difference in standard errors", required=True),
        Column(
            "near_customers",
            LONG,
            "customers within a tenth of the way from the border, estimated; null where it tells of fewer than privacy.min_cell",
        ),
        Column("near_share", DOUBLE, "the same / customers of both, 0 to 1; null with it"),
        Column("verdict", STRING, "apart (a valley) or cut", required=True),
    ),
)

COMPARE = Table(
    "compare",
    "Where the customers of each segment are when K is one step larger.",
    ("run_id", "k", "segment_id", "next_k", "next_segment_id"),
    (
        RUN_ID,
        K,
        SEGMENT_ID,
        Column("next_k", INT, "the next K tried", required=True),
        Column("next_segment_id", INT, "segment at the next K", required=True),
        Column(
            "customer_share",
            DOUBLE,
            "customers in both / all customers, 0 to 1, estimated; null where it tells of fewer than privacy.min_cell",
        ),
        Column("segment_share", DOUBLE, "customers in both / customers of the segment, 0 to 1, estimated; null with it"),
    ),
)

GRID_CENTROIDS = Table(
    "grid_centroids",
    "Segment centres of every K tried, one row per segment and coordinate; another K can be taken without fitting again.",
    ("run_id", "k", "segment_id", "position"),
    (
        RUN_ID,
        K,
        SEGMENT_ID,
        Column("position", INT, "index in the clustered vector", required=True),
        Column("feature", STRING, "feature, feature=level for a category, or principal_component_N", required=True),
        Column("value_scaled", DOUBLE, "coordinate in the scaled and weighted space"),
        Column("value_original", DOUBLE, "the same in the feature's own unit; null of a principal component"),
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
        Column(
            "value_original",
            DOUBLE,
            "the same in the feature's own unit; a share for a category level; null of a segment whose customers are null",
        ),
    ),
)
