"""``features`` and the model, the run's own or a frozen one, to ``assignments``."""

from typing import Any

from pyspark.sql import functions as F

from segmentation.assign.assignments import build_assignments, collect_assignments
from segmentation.clustering.members import evaluate_by_spark, measure_members
from segmentation.clustering.points import LOCAL_BYTES
from segmentation.readings import place_members, read_limits
from segmentation.run import Run, check_featured, note
from segmentation.score_sql import read_centers
from segmentation.tables import ASSIGNMENTS, CENTROIDS


def assign_customers(run: Run) -> str:
    """Let the model place every customer, measure how clearly, and let Spark's own evaluator check the silhouette."""
    known = check_featured(run)
    members = place_members(run, known)
    labelled = members.select("customer_id", "features", F.col("segment_id").alias("prediction"))
    centers = read_centers(run.read_model_rows(CENTROIDS))
    measured = measure_members(labelled, len(centers))
    limits = read_limits(run.lake, run.scored_with, segments=len(centers)) if run.scored_with else None
    how: dict[str, Any] = {"run_id": run.run_id, "limits": limits}
    if run.lake.is_plain and known["customers"] * len(centers[0]) * 8 <= LOCAL_BYTES:
        run.lake.store.replace(collect_assignments(labelled, centers, measured, **how), ASSIGNMENTS, run.run_id)
    else:
        run.write_frame(build_assignments(labelled, centers, measured, **how), ASSIGNMENTS, rows=None)
    if run.scored_with:  # the silhouette judges a choice of K, and none was made
        return f"{known['customers']:,} customers scored with the model of {run.scored_with}"
    silhouette, looked_at = evaluate_by_spark(labelled, customers=known["customers"], segments=len(centers))
    note(run, spark_silhouette=silhouette, spark_silhouette_customers=looked_at)
    return f"{len(centers)} segments"
