"""A customer's segment, how near it is, which one comes second, and how clear that is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.assign.movement import HISTORY
from segmentation.clustering.members import Members
from segmentation.clustering.placing import squared_distances
from segmentation.clustering.points import Array
from segmentation.frames import conform
from segmentation.tables import ASSIGNMENTS

_CHUNK_ROWS = 8192
_COLUMNS_WITHOUT_HISTORY = 3
_SCHEMA = (
    "customer_id string, segment_id int, distance double, runner_up_segment_id int, margin double, silhouette double, "
    "is_unlike boolean, segment_key string, previous_key string, changed_at date, since_runs int"
)


@dataclass(frozen=True)
class Keys:
    """The key of each segment by its number, and the day on which whoever changes has changed, None where nobody asks."""

    of: tuple[str, ...]
    day: date | None = None


def build_assignments(
    labelled: DataFrame,
    centers: Sequence[Sequence[float]],
    members: Sequence[Members | None],
    *,
    keys: Keys,
    run_id: str,
    limits: Sequence[float] | None = None,
) -> DataFrame:
    """Measure each customer's distance to every centre, and the silhouette.

    Parameters
    ----------
    labelled : DataFrame
        ``customer_id``, ``features`` (vector), ``prediction`` of the published model; ``HISTORY`` where a run came before.
    centers : shape (k, dimensions), scaled units
        Row i is the centre of segment i.
    members : one per segment
        ``measure_members`` of the same frame.
    limits : distance of each segment, scaled units
        Who is farther is ``is_unlike``; None where the customers are those of the training.

    Returns
    -------
    DataFrame of ``tables.ASSIGNMENTS``
        The runner-up is the nearest other centre, the smaller segment id in a tie. The silhouettes' mean is that of
        Spark's ``ClusteringEvaluator``; null with one segment.
    """
    measured = select_points(labelled).mapInArrow(partial(_measure_batches, centers, members, keys, limits), _SCHEMA)
    return measured.select(F.lit(run_id).alias("run_id"), "*").transform(conform, ASSIGNMENTS)


def measure_assignments(
    points: pa.Table,
    centers: Sequence[Sequence[float]],
    members: Sequence[Members | None],
    *,
    keys: Keys,
    run_id: str,
    limits: Sequence[float] | None = None,
) -> pa.Table:
    """Return the rows of ``build_assignments`` in this process, of the rows of ``select_points``, which fit into it."""
    batches = list(_measure_batches(centers, members, keys, limits, iter(points.to_batches())))
    rows = pa.Table.from_batches(batches)
    return rows.add_column(0, "run_id", pa.repeat(pa.scalar(run_id), len(rows)))


def select_points(labelled: DataFrame) -> DataFrame:
    """Return ``customer_id``, ``point`` (array), ``prediction``, and ``HISTORY`` where it is there."""
    history = [name for name in HISTORY if name in labelled.columns]
    return labelled.select("customer_id", vector_to_array(F.col("features")).alias("point"), "prediction", *history)


def _measure_batches(
    centers: Sequence[Sequence[float]],
    members: Sequence[Members | None],
    keys: Keys,
    limits: Sequence[float] | None,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    places = np.asarray(centers, dtype=np.float64)
    for batch in batches:
        for start in range(0, batch.num_rows, _CHUNK_ROWS):
            chunk = batch.slice(start, _CHUNK_ROWS)
            points = chunk.column(1).flatten().to_numpy().reshape(chunk.num_rows, -1)
            label = chunk.column(2).to_numpy().astype(np.intp)
            measured = _measure(points, label, places, members)
            unlike = _judge(measured[0], label, limits)
            columns = [chunk.column(0).cast(pa.string()), pa.array(label, pa.int32()), *measured, unlike]
            columns += _go_on(chunk, label, keys)
            names = [part.strip().split(" ")[0] for part in _SCHEMA.split(",")]
            yield pa.RecordBatch.from_arrays(columns, names=names)


def _go_on(chunk: pa.RecordBatch, label: npt.NDArray[np.intp], keys: Keys) -> list[pa.Array]:
    """Return the key, the last different one, the day of the change, and the number of runs since, this one counted."""
    own = pa.array(np.array(keys.of, dtype=object)[label], pa.string())
    if len(chunk.schema.names) == _COLUMNS_WITHOUT_HISTORY:
        none, day = pa.nulls(len(own), pa.string()), pa.repeat(pa.scalar(keys.day, pa.date32()), len(own))
        return [own, none, day, pa.repeat(pa.scalar(1, pa.int32()), len(own))]
    key, previous, changed, since = (chunk.column(chunk.schema.get_field_index(name)) for name in HISTORY)
    stays = pc.fill_null(pc.equal(own, key), False)
    return [
        own,
        pc.if_else(stays, previous, key),
        pc.if_else(stays, changed, pa.scalar(keys.day, pa.date32())),
        pc.if_else(stays, pc.add(since, pa.scalar(1, pa.int32())), pa.scalar(1, pa.int32())),
    ]


def _judge(distance: pa.Array, label: npt.NDArray[np.intp], limits: Sequence[float] | None) -> pa.Array:
    """Return whether each distance is beyond the limit of its segment, null without limits."""
    if limits is None:
        return pa.nulls(len(label), pa.bool_())
    return pa.array(distance.to_numpy() > np.asarray(limits)[label])


def _measure(points: Array, label: npt.NDArray[np.intp], centers: Array, members: Sequence[Members | None]) -> list[pa.Array]:
    """Return distance, runner-up, margin and silhouette; each row's are the same in whatever batch it comes."""
    rows = np.arange(len(points))
    distances = np.sqrt(squared_distances(points, centers))
    own = distances[rows, label]
    silhouettes, is_missing = _silhouettes(points, label, members)
    scores = pa.array(silhouettes, mask=is_missing)
    if len(centers) == 1:
        nothing = pa.nulls(len(rows), pa.int32())
        return [pa.array(own), nothing, pa.nulls(len(rows), pa.float64()), scores]
    distances[rows, label] = np.inf
    second = distances.argmin(1)
    margin = np.maximum(distances[rows, second] - own, 0.0)
    return [pa.array(own), pa.array(second, pa.int32()), pa.array(margin), scores]


def _silhouettes(
    points: Array, label: npt.NDArray[np.intp], members: Sequence[Members | None]
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return silhouettes by mean squared distances, and where there is none: no other segment has members."""
    rows, width = np.arange(len(points)), points.shape[1]
    means = np.array([one.mean if one else [0.0] * width for one in members])
    spread = np.array([one.variance if one else np.inf for one in members])
    sizes = np.array([float(one.customers if one else 0) for one in members])[label]
    apart = squared_distances(points, means) + spread
    with np.errstate(invalid="ignore", divide="ignore"):
        own = apart[rows, label] * sizes / (sizes - 1)
        apart[rows, label] = np.inf
        other = apart.min(1)
        larger = np.fmax(own, other)
        scores = np.where((sizes == 1) | (larger == 0), 0.0, (other - own) / larger)
    return scores, np.isinf(other)
