"""``features`` and the model to ``assignments``."""

from pyspark.sql import functions as F

from segmentation.assign.assignments import build_assignments, collect_assignments
from segmentation.clustering.members import evaluate_by_spark, measure_members
from segmentation.clustering.points import LOCAL_BYTES
from segmentation.readings import place_members
from segmentation.run import Run, check_featured, note
from segmentation.tables import ASSIGNMENTS, CENTROIDS


def assign_customers(run: Run) -> str:
    """Let the model place every customer, measure how clearly, and let Spark's own evaluator check the silhouette."""
    known = check_featured(run)
    members = place_members(run, known)
    labelled = members.select("customer_id", "features", F.col("segment_id").alias("prediction"))
    centers = _read_centers(run)
    measured = measure_members(labelled, len(centers))
    if run.lake.is_plain and known["customers"] * len(centers[0]) * 8 <= LOCAL_BYTES:
        run.lake.store.replace(collect_assignments(labelled, centers, measured, run_id=run.run_id), ASSIGNMENTS, run.run_id)
    else:
        run.write_frame(build_assignments(labelled, centers, measured, run_id=run.run_id), ASSIGNMENTS, rows=None)
    silhouette, looked_at = evaluate_by_spark(labelled, customers=known["customers"], segments=len(centers))
    note(run, spark_silhouette=silhouette, spark_silhouette_customers=looked_at)
    return f"{len(centers)} segments"


def _read_centers(run: Run) -> list[list[float]]:
    """Return each segment's centre in the clustered space."""
    rows = [row for row in run.read_rows(CENTROIDS) if row["position"] is not None]
    centers: dict[int, list[float]] = {}
    for row in sorted(rows, key=lambda row: (row["segment_id"], row["position"])):
        centers.setdefault(row["segment_id"], []).append(row["value_scaled"])
    return list(centers.values())
