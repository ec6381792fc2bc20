"""Customers as a model places them, for ``drift``: at most so many, chosen by the hash of their ids."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.hashes import draw_places
from segmentation.clustering.placing import Constants, read_points
from segmentation.clustering.points import Array
from segmentation.money import to_doubles
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
    return Placed(segment, _distances(points, centers, segment), _read(rows, kinds)), points


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


def pick_now(members: pa.Table, centers: Sequence[Sequence[float]], kinds: Mapping[str, str]) -> tuple[Placed, Array]:
    """Return what ``collect_now`` does, of customers in this process (``readings.place_here``)."""
    places = draw_places(members["customer_id"], step=find_step(len(members)))
    rows = members.select([*kinds, "features", "segment_id"]).take(places)
    segment, points = rows["segment_id"].to_numpy().astype(np.intp), read_points(rows)
    return Placed(segment, _distances(points, centers, segment), _read(_typed(rows, kinds), kinds)), points


def pick_then(features: pa.Table, assignments: pa.Table, model: Constants, kinds: Mapping[str, str]) -> tuple[Placed, Array]:
    """Return what ``collect_then`` does, in this process.

    Parameters
    ----------
    features : ``customer_id`` (unique) and the columns of ``kinds``
    assignments : ``customer_id`` (unique), ``segment_id`` and ``distance`` of the same run
    """
    step = find_step(len(assignments))
    chosen, assigned = (one.take(draw_places(one["customer_id"], step=step)) for one in (features, assignments))
    place = pc.index_in(chosen["customer_id"], assigned["customer_id"].combine_chunks())
    rows, placed = chosen.filter(place.is_valid()), assigned.take(place.drop_null())
    segment, distance = placed["segment_id"].to_numpy().astype(np.intp), placed["distance"].to_numpy()
    return Placed(segment, distance, _read(_typed(rows, kinds), kinds)), model.points(rows)


def _typed(rows: pa.Table, kinds: Mapping[str, str]) -> pa.Table:
    return pa.table(
        {name: to_doubles(rows[name]) if kind == "number" else rows[name].cast(pa.string()) for name, kind in kinds.items()}
    )


def _distances(points: Array, centers: Sequence[Sequence[float]], segment: npt.NDArray[np.intp]) -> Array:
    return np.asarray(np.sqrt(((points - np.asarray(centers)[segment]) ** 2).sum(1)))


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
