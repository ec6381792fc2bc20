"""A customer's segment, how near it is, which one comes second, and how clear that is. Floor 2."""

from collections.abc import Sequence

from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.members import Members, mean_squared_distance, silhouette_of, squared_distance
from segmentation.tables import ASSIGNMENTS, conform


def build_assignments(
    labelled: DataFrame, centers: Sequence[Sequence[float]], members: Sequence[Members | None], *, run_id: str
) -> DataFrame:
    """Measure each customer's distance to every centre, and the silhouette.

    Parameters
    ----------
    labelled : DataFrame
        ``customer_id``, ``features`` (vector) and ``prediction`` of the published model.
    centers : shape (k, dimensions), scaled units
        Row i is the centre of segment i.
    members : one per segment
        ``measure_members`` of the same frame.

    Returns
    -------
    DataFrame of ``tables.ASSIGNMENTS``
        The runner-up is the nearest other centre, the smaller segment id in a tie. The silhouettes' mean is that of
        Spark's ``ClusteringEvaluator``; null with one segment.
    """
    distances = F.array(*(_distance(center) for center in centers))
    others = F.filter(
        F.transform("distances", lambda distance, segment: F.struct(distance.alias("distance"), segment.alias("segment"))),
        lambda other: other["segment"] != F.col("prediction"),
    )
    own = F.element_at("distances", F.col("prediction") + 1)
    margin = F.col("runner_up.distance") - own
    return (
        labelled.withColumn("point", vector_to_array(F.col("features")))
        .withColumns({"distances": distances, "apart": F.array(*(mean_squared_distance(one) for one in members))})
        .withColumn("runner_up", F.array_min(others))
        .select(
            F.lit(run_id).alias("run_id"),
            "customer_id",
            F.col("prediction").alias("segment_id"),
            own.alias("distance"),
            F.col("runner_up.segment").alias("runner_up_segment_id"),
            F.when(margin > 0, margin).when(margin.isNotNull(), 0.0).alias("margin"),
            silhouette_of(members).alias("silhouette"),
        )
        .transform(conform, ASSIGNMENTS)
    )


def _distance(center: Sequence[float]) -> Column:
    return F.sqrt(squared_distance(center))
