"""The former run's customers and model beside this run's: who went where, and what each customer's former segment was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.money import as_money

_FAR = 1.5  # times the 99th percentile: one in a hundred lies beyond that itself
HISTORY = ("former_key", "former_previous", "former_changed", "former_since")


@dataclass(frozen=True)
class Former:
    """The run shown before: its id, that of its model, the keys of its segments by number, and how far each reaches (scaled)."""

    run_id: str
    model_run_id: str
    keys: Mapping[int, str]
    reach: Mapping[int, float]


def label_again(
    members: DataFrame, model: PipelineModel, centers: Sequence[Sequence[float]], reach: Mapping[int, float]
) -> DataFrame | None:
    """Return ``members`` with ``mid_id``, the segment that the former model gives them; null of who lies beyond its reach.

    Parameters
    ----------
    centers : the former segments', scaled units, by number
    reach : how far each goes, scaled units

    Returns
    -------
    DataFrame or None
        None where the former model needs features that these customers do not have.
    """
    try:
        labelled = model.transform(members.drop("features"))
        bounds = _doubles([_FAR * reach.get(one, float("inf")) for one in range(len(centers))])
        is_within = _distance(centers) <= F.element_at(bounds, _place())
        return labelled.select("customer_id", "segment_id", "revenue", F.when(is_within, F.col("prediction")).alias("mid_id"))
    except (PySparkException, ValueError):
        return None


def _place() -> Column:
    return F.col("prediction") + 1


def _doubles(values: Sequence[float]) -> Column:
    return F.array(*(F.lit(float(value)) for value in values))


def _distance(centers: Sequence[Sequence[float]]) -> Column:
    own = F.element_at(F.array(*map(_doubles, centers)), _place())
    squares = F.zip_with(vector_to_array(F.col("features")), own, lambda one, other: (one - other) * (one - other))
    return F.sqrt(F.aggregate(squares, F.lit(0.0), lambda total, value: total + value))


def read_history(assignments: DataFrame) -> DataFrame:
    """Return what a run hands on of each customer (customer_id unique), from its rows of ``tables.ASSIGNMENTS``."""
    names = ("segment_key", "previous_key", "changed_at", "since_runs")
    return assignments.select("customer_id", *(F.col(name).alias(alias) for name, alias in zip(names, HISTORY, strict=True)))


def count_moves(now: DataFrame, assignments: DataFrame, features: DataFrame, *, revenue: str | None) -> DataFrame:
    """Count customers, and their revenue, by former segment, the former model's segment and today's.

    Parameters
    ----------
    now : ``customer_id`` (unique), ``segment_id``, ``mid_id`` and ``revenue``
    assignments, features : the former run's rows of ``tables.ASSIGNMENTS`` and ``tables.FEATURES`` (customer_id unique in each)
    revenue : the feature that is revenue, None without one

    Returns
    -------
    DataFrame
        ``before_id``, ``mid_id``, ``segment_id`` (null of who is not in that run), ``customers``, ``revenue_before``,
        ``revenue_after``.
    """
    paid = as_money(revenue) if revenue is not None and revenue in features.columns else F.lit(None).cast("decimal(28,6)")
    paid_before = features.select("customer_id", paid.alias("revenue_before"))
    before = assignments.select("customer_id", F.col("segment_id").alias("before_id")).join(
        paid_before, on="customer_id", how="left"
    )
    both = now.withColumnRenamed("revenue", "revenue_after").join(before, on="customer_id", how="full")
    sums = (F.sum(name).cast("decimal(28,6)").alias(name) for name in ("revenue_before", "revenue_after"))
    return both.groupBy("before_id", "mid_id", "segment_id").agg(F.count("*").alias("customers"), *sums)
