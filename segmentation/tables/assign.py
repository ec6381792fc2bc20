"""Each customer's segment."""

from segmentation.tables.core import BOOLEAN, CUSTOMER_ID, DATE, DOUBLE, INT, RUN_ID, SEGMENT_ID, STRING, Column, Table

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
        Column(
            "is_unlike",
            BOOLEAN,
            "whether distance is beyond the 99th percentile of the segment's training customers; null of those themselves",
        ),
        Column("segment_key", STRING, "key of the segment, the same from run to run", required=True),
        Column("previous_key", STRING, "the last different segment; null of who was in no other"),
        Column("changed_at", DATE, "as_of of the run since which the customer is in the segment; without as_of its first day"),
        Column("since_runs", INT, "published runs in a row in which the customer is in the segment, this one counted"),
    ),
)
