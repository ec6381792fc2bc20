"""Frames of customers as a model places them, collected for ``drift``: at most so many, chosen by the hash of their ids."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.points import Array
from segmentation.publish.drift import Placed

# Beyond so many, chance is far below what matters.
MOST_CUSTOMERS = 200_000


def collect_now(
    members: DataFrame, centers: Sequence[Sequence[float]], kinds: Mapping[str, str], *, customers: int
) -> tuple[Placed, Array]:
    """Return customers as the model places them now, and their points, shape (customers, dimensions), scaled units.

    They come in the order of their ids' hashes, which says nothing of them.

    Parameters
    ----------
    members : DataFrame
        ``customer_id``, ``features`` (vector), ``segment_id`` and the columns of ``kinds``.
    centers : shape (k, dimensions), scaled units
    kinds : of each column that the model uses, as in ``tables.PREPARATION``
    """
    rows, points = _collect(members, [F.col("segment_id").alias("_segment")], kinds, customers)
    segment = rows.column("_segment").to_numpy().astype(np.intp)
    distance = np.sqrt(((points - np.asarray(centers)[segment]) ** 2).sum(1))
    return Placed(segment, distance, _read(rows, kinds)), points


def collect_then(
    features: DataFrame, assignments: DataFrame, kinds: Mapping[str, str], *, customers: int
) -> tuple[Placed, Array]:
    """Return the customers of the training as ``collect_now`` does, where its run placed them.

    Parameters
    ----------
    features : DataFrame
        ``customer_id`` (unique), ``features`` (vector) and the columns of ``kinds``.
    assignments : the run's slice of ``tables.ASSIGNMENTS`` (customer_id unique)
    """
    own = [F.col("segment_id").alias("_segment"), F.col("distance").alias("_distance")]  # a feature may be called distance
    joined = features.select("customer_id", "features", *map(_quoted, kinds)).join(
        assignments.select("customer_id", *own), "customer_id", how="inner"
    )
    rows, points = _collect(joined, [F.col("_segment"), F.col("_distance")], kinds, customers)
    segment = rows.column("_segment").to_numpy().astype(np.intp)
    return Placed(segment, rows.column("_distance").to_numpy(), _read(rows, kinds)), points


def _collect(frame: DataFrame, own: Sequence[Column], kinds: Mapping[str, str], customers: int) -> tuple[pa.Table, Array]:
    """Return a sample's own columns and those of ``kinds``, and its points."""
    beside = (vector_to_array(F.col("features")).alias("_point"), F.xxhash64("customer_id").alias("_place"))
    rows = _sample(frame, customers).select(*own, *beside, *_columns(kinds)).toArrow().sort_by("_place")
    return rows, rows.column("_point").combine_chunks().flatten().to_numpy().reshape(len(rows), -1)


def find_step(customers: int) -> int:
    """Return every how many hashes a customer is compared, 1 for all of them."""
    return math.ceil(customers / MOST_CUSTOMERS)


def _sample(frame: DataFrame, customers: int) -> DataFrame:
    step = find_step(customers)
    return frame if step == 1 else frame.where(F.pmod(F.xxhash64("customer_id"), F.lit(step)) == 0)


def _columns(kinds: Mapping[str, str]) -> list[Column]:
    return [_quoted(name).cast("double" if kind == "number" else "string").alias(name) for name, kind in kinds.items()]


def _quoted(name: str) -> Column:
    return F.col(f"`{name}`")


def _read(rows: pa.Table, kinds: Mapping[str, str]) -> dict[str, Array]:
    found = {}
    for name, kind in kinds.items():
        column = rows.column(name)
        found[name] = column.to_numpy().astype(np.float64) if kind == "number" else np.array(column.to_pylist(), dtype=object)
    return found
