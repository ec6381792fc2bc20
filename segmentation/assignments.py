"""A customer's segment, how near it is, which one comes second, and how clear that is. Floor 2."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.ml.functions import vector_to_array
from pyspark.ml.stat import Summarizer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.tables import ASSIGNMENTS, conform

# The order of summation, which files and cores decide, must not shift a silhouette.
_DIGITS = 10


@dataclass(frozen=True)
class Members:
    """A segment's customers, count, their mean (scaled units) and their mean squared distance to it."""

    customers: int
    mean: tuple[float, ...]
    variance: float


def measure_members(labelled: DataFrame, segments: int) -> list[Members | None]:
    """Return the members of each segment, None without any (one Spark job).

    Parameters
    ----------
    labelled : DataFrame
        ``features`` (vector) and ``prediction`` of the published model.
    """
    summary = Summarizer.metrics("count", "mean", "variance").summary(F.col("features"))
    found: list[Members | None] = [None] * segments
    for row in labelled.groupBy("prediction").agg(summary.alias("s")).select("prediction", "s.*").collect():
        customers = int(row["count"])
        # Summarizer divides by one customer less.
        variance = row["variance"].toArray().sum() * (customers - 1) / customers if customers > 1 else 0.0
        found[row["prediction"]] = Members(customers, tuple(map(_settle, row["mean"].toArray())), _settle(variance))
    return found


def _settle(value: Any) -> float:
    return float(f"{value:.{_DIGITS}g}")


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
    return (
        labelled.withColumn("point", vector_to_array(F.col("features")))
        .withColumns({"distances": distances, "apart": F.array(*(_apart(one) for one in members))})
        .withColumn("runner_up", F.array_min(others))
        .select(
            F.lit(run_id).alias("run_id"),
            "customer_id",
            F.col("prediction").alias("segment_id"),
            own.alias("distance"),
            F.col("runner_up.segment").alias("runner_up_segment_id"),
            F.greatest(F.col("runner_up.distance") - own, F.lit(0.0)).alias("margin"),
            _silhouette(members).alias("silhouette"),
        )
        .transform(conform, ASSIGNMENTS)
    )


def _distance(center: Sequence[float]) -> Column:
    return F.sqrt(_squared_distance(center))


def _squared_distance(center: Sequence[float]) -> Column:
    literal = F.array(*(F.lit(float(value)) for value in center))
    squares = F.zip_with("point", literal, lambda x, c: (x - c) * (x - c))
    return F.aggregate(squares, F.lit(0.0), lambda total, square: total + square)


def _apart(members: Members | None) -> Column:
    """Return the mean squared distance to the members, null without any."""
    return F.lit(None).cast("double") if members is None else _squared_distance(members.mean) + F.lit(members.variance)


def _silhouette(members: Sequence[Members | None]) -> Column:
    """Return (b - a) / max(a, b) of the columns ``apart`` and ``prediction``."""
    sizes = F.array(*(F.lit(float(one.customers if one else 0)) for one in members))
    size = F.element_at(sizes, F.col("prediction") + 1)
    own = F.element_at("apart", F.col("prediction") + 1) * size / (size - 1)
    other = F.array_min(F.filter("apart", lambda _, segment: segment != F.col("prediction")))
    larger = F.greatest(own, other)
    score = F.when((size == 1) | (larger == 0), 0.0).otherwise((other - own) / larger)
    return F.when(other.isNotNull(), score)
