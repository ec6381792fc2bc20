"""The members of a segment: count, mean, spread; and what follows for silhouettes when a model gave the labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.functions import vector_to_array
from pyspark.ml.stat import Summarizer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.measures import Evaluation, evaluate_tally
from segmentation.clustering.points import Array
from segmentation.clustering.sweeps import Tally

# The order of summation, which files and cores decide, must not shift a silhouette.
_DIGITS = 10
EVALUATED_CUSTOMERS = 1_000_000


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


def measure_points(points: Array, segment: npt.NDArray[np.int32], segments: int) -> list[Members | None]:
    """Return what ``measure_members`` does, of points in this process.

    Parameters
    ----------
    points : shape (customers, dimensions), scaled units
    segment : shape (customers,)
    """
    found: list[Members | None] = [None] * segments
    for one in np.unique(segment).tolist():
        own = points[segment == one]
        found[one] = Members(len(own), tuple(map(_settle, own.mean(0))), _settle(own.var(0).sum()))
    return found


def _settle(value: Any) -> float:
    return float(f"{value:.{_DIGITS}g}")


def evaluate_labels(labelled: DataFrame, segments: int) -> tuple[Array, Evaluation]:
    """Evaluate the segments of a model whose labels are not those of the nearest centre (two Spark jobs).

    Parameters
    ----------
    labelled : DataFrame
        ``features`` (vector) and ``prediction``, 0 to ``segments`` - 1.

    Returns
    -------
    tuple of (array of shape (segments, dimensions), Evaluation)
        The members' means, nought without members; WSSSE is about them.
    """
    members = measure_members(labelled, segments)
    scored = labelled.withColumn("point", vector_to_array(F.col("features")))
    scored = scored.withColumn("apart", F.array(*(mean_squared_distance(one) for one in members)))
    spread = F.array(*(F.lit(one.variance if one else 0.0) for one in members))
    place = F.col("prediction") + 1
    distance = F.sqrt(F.greatest(F.element_at("apart", place) - F.element_at(spread, place), F.lit(0.0)))
    sums = scored.groupBy("prediction").agg(
        F.coalesce(F.sum(silhouette_of(members)), F.lit(0.0)).alias("silhouette"), F.sum(distance).alias("distance")
    )
    judged = np.zeros((segments, 2))
    for row in sums.collect():
        judged[row["prediction"]] = row["silhouette"], row["distance"]
    width = next(len(one.mean) for one in members if one is not None)
    means = np.array([one.mean if one else [0.0] * width for one in members])
    counts = np.array([float(one.customers if one else 0) for one in members])
    variances = np.array([one.variance if one else 0.0 for one in members])
    found = Tally(means * counts[:, None], counts, counts * (variances + (means * means).sum(1)))
    return means, evaluate_tally(means, found, judged)


def evaluate_by_spark(labelled: DataFrame, *, customers: int, segments: int) -> tuple[float | None, int]:
    """Return the silhouette of Spark's own ``ClusteringEvaluator``, and on how many customers it was measured.

    Of more than a million customers it looks at a sample by the hash of their ids; with one segment there is none.

    Parameters
    ----------
    labelled : DataFrame
        ``customer_id``, ``features`` (vector) and ``prediction``.
    """
    if segments < 2:
        return None, 0
    every = math.ceil(customers / EVALUATED_CUSTOMERS)
    if every > 1:
        labelled = labelled.where(F.pmod(F.xxhash64("customer_id"), F.lit(every)) == 0)
        customers = labelled.count()
    return float(ClusteringEvaluator().evaluate(labelled)), customers


def squared_distance(center: Sequence[float]) -> Column:
    """Return the squared distance of the column ``point`` (array) to a centre."""
    literal = F.array(*(F.lit(float(value)) for value in center))
    squares = F.zip_with("point", literal, lambda x, c: (x - c) * (x - c))
    return F.aggregate(squares, F.lit(0.0), lambda total, square: total + square)


def mean_squared_distance(members: Members | None) -> Column:
    """Return the mean squared distance to the members, null without any."""
    return F.lit(None).cast("double") if members is None else squared_distance(members.mean) + F.lit(members.variance)


def silhouette_of(members: Sequence[Members | None]) -> Column:
    """Return (b - a) / max(a, b) of the columns ``apart`` and ``prediction``."""
    sizes = F.array(*(F.lit(float(one.customers if one else 0)) for one in members))
    size = F.element_at(sizes, F.col("prediction") + 1)
    own = F.element_at("apart", F.col("prediction") + 1) * size / (size - 1)
    other = F.array_min(F.filter("apart", lambda _, segment: segment != F.col("prediction")))
    larger = F.greatest(own, other)
    score = F.when((size == 1) | (larger == 0), 0.0).otherwise((other - own) / larger)
    return F.when(other.isNotNull(), score)
