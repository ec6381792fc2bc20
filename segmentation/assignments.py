"""A customer's segment, how near it is, and which one comes second. Floor 2: pure transforms."""

from collections.abc import Sequence

from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.tables import ASSIGNMENTS, conform


def build_assignments(labelled: DataFrame, centers: Sequence[Sequence[float]], *, run_id: str) -> DataFrame:
    """Measure each customer's distance to every centre.

    Parameters
    ----------
    labelled : DataFrame
        ``customer_id``, ``features`` (vector) and ``prediction`` of the published model.
    centers : shape (k, dimensions), scaled units
        Row i is the centre of segment i.

    Returns
    -------
    DataFrame of ``tables.ASSIGNMENTS``
        The runner-up is the nearest other centre, the smaller segment id in a tie.
    """
    distances = F.array(*(_distance(center) for center in centers))
    others = F.filter(
        F.transform("distances", lambda distance, segment: F.struct(distance.alias("distance"), segment.alias("segment"))),
        lambda other: other["segment"] != F.col("prediction"),
    )
    own = F.element_at("distances", F.col("prediction") + 1)
    return (
        labelled.withColumn("point", vector_to_array(F.col("features")))
        .withColumn("distances", distances)
        .withColumn("runner_up", F.array_min(others))
        .select(
            F.lit(run_id).alias("run_id"),
            "customer_id",
            F.col("prediction").alias("segment_id"),
            own.alias("distance"),
            F.col("runner_up.segment").alias("runner_up_segment_id"),
            F.greatest(F.col("runner_up.distance") - own, F.lit(0.0)).alias("margin"),
        )
        .transform(conform, ASSIGNMENTS)
    )


def _distance(center: Sequence[float]) -> Column:
    literal = F.array(*(F.lit(float(value)) for value in center))
    squares = F.zip_with("point", literal, lambda x, c: (x - c) * (x - c))
    return F.sqrt(F.aggregate(squares, F.lit(0.0), lambda total, square: total + square))
