"""The former run's customers and model beside this run's: who went where, and what each customer's former segment was."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.money import as_money
from segmentation.readings import take_steps
from segmentation.score_sql import Steps

_FAR = 1.5  # times the 99th percentile: one in a hundred lies beyond that itself
_ROUNDING = 1e-9
_NOW, PAID, POINT = "_now", "_paid", "_point"  # of no feature: their names begin with letters
HANDED_ON = ("segment_key", "previous_key", "changed_at", "since_runs")
HISTORY = ("former_key", "former_previous", "former_changed", "former_since")


@dataclass(frozen=True)
class Former:
    """The run shown before: its id, that of its model, the keys of its segments by number, how far each reaches (scaled).

    ``hidden``: its segments that show nothing, for they are too few customers.
    """

    run_id: str
    model_run_id: str
    keys: Mapping[int, str]
    reach: Mapping[int, float]
    hidden: frozenset[int] = frozenset()


def place_by_steps(members: DataFrame, steps: Steps) -> DataFrame:
    """Return what is asked of ``members``, with ``mid_id`` and ``distance``: the former model's segment, how far from its centre.

    Parameters
    ----------
    members : ``customer_id`` (unique), ``segment_id``, ``PAID``, ``POINT`` and the columns of ``tables.FEATURES``
    steps : the former model by ``score_sql.list_steps``

    Raises
    ------
    pyspark.errors.AnalysisException
        If the former model needs features that these customers do not have.
    """
    beside = members.drop("features").withColumnRenamed("segment_id", _NOW)
    placed = take_steps(beside, steps, kept=("customer_id", _NOW, PAID, POINT))
    now, mid = F.col(_NOW).alias("segment_id"), F.col("segment_id").alias("mid_id")
    return placed.select("customer_id", now, *carried(), mid, F.sqrt("_squared").alias("distance"))


def place_by_model(members: DataFrame, model: PipelineModel, centers: Sequence[Sequence[float]]) -> DataFrame:
    """Return what ``place_by_steps`` does, for a model that is not the nearest centre's; its ``centers`` by number, scaled units.

    Raises
    ------
    pyspark.errors.PySparkException, ValueError
        If the former model needs features that these customers do not have.
    """
    distance = _distance(centers).alias("distance")
    placed = model.transform(members.drop("features"))
    return placed.select("customer_id", "segment_id", *carried(), F.col("prediction").alias("mid_id"), distance)


def carried() -> tuple[Column, Column]:
    """Return ``revenue`` and ``point``, under whose own names a feature may go while the customers are placed."""
    return F.col(PAID).alias("revenue"), F.col(POINT).alias("point")


def find_bounds(reach: Mapping[int, float]) -> dict[int, float]:
    """Return how far from a segment's centre its customers may lie (scaled units)."""
    # Customers who are all alike reach no farther than the last bits of their distance.
    least = _ROUNDING * max((far for far in reach.values() if math.isfinite(far)), default=0.0)
    return {segment: _FAR * max(far, least) for segment, far in reach.items()}


def mark_far(placed: DataFrame, reach: Mapping[int, float]) -> DataFrame:
    """Return ``placed`` with ``is_far``: who lies beyond its segment's reach (scaled units; infinite where unknown)."""
    bounds = (F.when(F.col("mid_id") == one, bound) for one, bound in find_bounds(reach).items())
    return placed.withColumn("is_far", F.col("distance") > F.coalesce(*bounds, F.lit(math.inf))).drop("distance")


def _distance(centers: Sequence[Sequence[float]]) -> Column:
    places = F.array(*(F.array(*map(F.lit, center)) for center in centers))
    own = F.element_at(places, F.col("prediction") + 1)
    squares = F.zip_with(vector_to_array(F.col("features")), own, lambda one, other: (one - other) * (one - other))
    return F.sqrt(F.aggregate(squares, F.lit(0.0), lambda total, value: total + value))


def read_history(assignments: DataFrame, *, is_own: bool = False) -> DataFrame:
    """Return what a run hands on of each customer (customer_id unique), from its rows of ``tables.ASSIGNMENTS``.

    With ``is_own`` to itself, so that it says the same again: the run is counted already.
    """
    *columns, since = map(F.col, HANDED_ON)
    handed_on = zip((*columns, since - F.lit(int(is_own))), HISTORY, strict=True)
    return assignments.select("customer_id", *(column.alias(alias) for column, alias in handed_on))


def count_moves(now: DataFrame, assignments: DataFrame, features: DataFrame, *, revenue: str | None) -> DataFrame:
    """Count customers, and their revenue, by former segment, the former model's segment, how far they are of it, and today's.

    Parameters
    ----------
    now : ``customer_id`` (unique), ``segment_id``, ``mid_id``, ``is_far`` and ``revenue``
    assignments, features : the former run's rows of ``tables.ASSIGNMENTS`` and ``tables.FEATURES`` (customer_id unique in each)
    revenue : the feature that is revenue, None without one

    Returns
    -------
    DataFrame
        ``before_id``, ``mid_id``, ``is_far``, ``segment_id`` (null of who is not in that run), ``customers``,
        ``revenue_before``, ``revenue_after``.
    """
    paid = as_money(revenue) if revenue is not None and revenue in features.columns else F.lit(None).cast("decimal(28,6)")
    paid_before = features.select("customer_id", paid.alias("revenue_before"))
    before = assignments.select("customer_id", F.col("segment_id").alias("before_id")).join(
        paid_before, on="customer_id", how="left"
    )
    both = now.withColumnRenamed("revenue", "revenue_after").join(before, on="customer_id", how="full")
    sums = (F.sum(name).cast("decimal(28,6)").alias(name) for name in ("revenue_before", "revenue_after"))
    return both.groupBy("before_id", "mid_id", "is_far", "segment_id").agg(F.count("*").alias("customers"), *sums)
