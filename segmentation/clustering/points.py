"""Points as blocks of rows: packed once, then swept by numpy kernels, on Spark or within one task."""

import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import cloudpickle
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel
from threadpoolctl import threadpool_limits

from segmentation.parallel import in_threads

Array = npt.NDArray[np.float64]
Item = TypeVar("Item")
Result = TypeVar("Result")
Precision = Literal["float32", "float64"]
# Distances of one matrix product: a few MB, so that they stay near the core.
_PRODUCT = 500_000
# Rows that are summed up as one: whatever the cores, sums come in the same order.
_PART_ROWS = 2**17
# What this process takes whole, in float64, unless told otherwise: 3 million customers with ten features.
LOCAL_BYTES = 256 * 2**20
_PACKED = "hashes binary, points binary, weights binary"

# Executors need numpy and pyarrow; the kernels travel with the job, so that the package need not be installed there.
cloudpickle.register_pickle_by_value(sys.modules[__name__.partition(".")[0]])  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Block:
    """Rows of a table of points.

    ``points`` has shape (rows, dimensions), ``hashes`` (uint64) and ``weights`` (customers a row stands for) have shape
    (rows,); ``weights`` None is one customer a row.
    """

    hashes: npt.NDArray[np.uint64]
    points: npt.NDArray[Any]
    weights: Array | None

    def parts(self, rows: int) -> Iterator["Block"]:
        """Yield the block in pieces of ``rows``, one at least."""
        for start in range(0, max(len(self.hashes), 1), rows):
            some = slice(start, start + rows)
            yield Block(self.hashes[some], self.points[some], None if self.weights is None else self.weights[some])

    def chunks(self, centers: int = 1) -> Iterator[tuple[Array, Array | None]]:
        """Yield rows as [x, 1, |x|^2] in float64, with their weights, as many at a time as suit a product with ``centers``."""
        rows, dimensions = self.points.shape
        size = max(256, min(8192, _PRODUCT // centers))
        wide = np.empty((min(rows, size), dimensions + 2))
        wide[:, dimensions] = 1.0
        for start in range(0, rows, size):
            chunk = wide[: min(size, rows - start)]
            chunk[:, :dimensions] = self.points[start : start + size]
            np.einsum("ij,ij->i", chunk[:, :dimensions], chunk[:, :dimensions], out=chunk[:, dimensions + 1])
            yield chunk, None if self.weights is None else self.weights[start : start + size]


Kernel = Callable[[Iterable[Block]], Array]


class Points(Protocol):
    """A table of points that kernels run over; what a kernel returns of each part is added up."""

    def total(self, kernel: Kernel) -> Array:
        """Return the sum of ``kernel`` over all parts of the table."""

    def gather(self, choose: Callable[[Block], Block]) -> Block:
        """Return the chosen rows of all parts, by hash, in this process."""

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return ``work`` of each item, in order, wherever there is room for it."""


@dataclass(frozen=True)
class ArrayPoints:
    """Points in this process's memory, worked on by a thread a core."""

    block: Block

    def total(self, kernel: Kernel) -> Array:
        """Return the sum of ``kernel`` over parts of the block."""
        parts = in_threads(lambda part: kernel([part]), list(self.block.parts(_PART_ROWS)))
        return np.asarray(sum(parts[1:], start=parts[0]))

    def gather(self, choose: Callable[[Block], Block]) -> Block:
        """Return the chosen rows."""
        return choose(self.block)

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return ``work`` of each item, a thread a core."""
        return in_threads(work, items)


@dataclass(frozen=True)
class PackedPoints:
    """Points packed by ``pack``: one Spark job a ``total``, one task a partition. ``dtype`` is that of the packed points."""

    packed: DataFrame
    dimensions: int
    dtype: str

    def total(self, kernel: Kernel) -> Array:
        """Return the sum of ``kernel`` over all partitions."""
        parts = [pickle.loads(row["part"]) for row in self._run(lambda blocks: _dumps(kernel(blocks)))]
        return np.asarray(sum(parts))

    def gather(self, choose: Callable[[Block], Block]) -> Block:
        """Return the chosen rows of all packed blocks, by hash."""
        rows = self._run(lambda blocks: _dumps([choose(block) for block in blocks]))
        return join([block for row in rows for block in pickle.loads(row["part"])])

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return ``work`` of each item, a task an item."""
        spark, every = self.packed.sparkSession, list(items)

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for index in batch.column(0).to_pylist():
                    yield pa.RecordBatch.from_pydict({"id": [index], "part": [_dumps(work(every[index]))]})

        parts = spark.range(0, len(every), 1, len(every)).mapInArrow(run, "id long, part binary").collect()
        return [pickle.loads(row["part"]) for row in sorted(parts, key=lambda row: row["id"])]

    def _run(self, work: Callable[[Iterator[Block]], bytes]) -> list[Any]:
        dimensions, dtype = self.dimensions, self.dtype

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            yield pa.RecordBatch.from_pydict({"part": [work(_unpack(batches, dimensions, dtype))]})

        return self.packed.mapInArrow(run, "part binary").collect()


def pack(points: DataFrame, *, seed: int, precision: Precision, weight: str | None = None) -> DataFrame:
    """Return the points as blocks, one binary cell per column and Arrow batch.

    Parameters
    ----------
    points : DataFrame
        ``customer_id`` (unique) and ``features``, a vector or an array of numbers without nulls.
    seed : int
        Of the hash of ``customer_id`` that orders and samples rows wherever they lie.
    weight : str or None
        Column of the customers a row stands for.

    Returns
    -------
    DataFrame of ``hashes`` (uint64), ``points`` (``precision``, rows x dimensions), ``weights`` (float64; null without)
    """
    columns = _packed_columns(points, seed=seed, precision=precision, weight=weight)

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                cells = [batch.column(0).to_numpy(), batch.column(1).flatten().to_numpy()]
                weights = batch.column(2).to_numpy() if batch.num_columns > 2 else None
                yield pa.RecordBatch.from_arrays(
                    [pa.array([None if cell is None else cell.tobytes()], pa.binary()) for cell in (*cells, weights)],
                    names=["hashes", "points", "weights"],
                )

    return points.select(columns).mapInArrow(run, _PACKED)


def _packed_columns(points: DataFrame, *, seed: int, precision: Precision, weight: str | None = None) -> list[Column]:
    element = "float" if precision == "float32" else "double"
    return [
        F.xxhash64("customer_id", F.lit(seed)).alias("hash"),
        _as_array(points, precision).cast(f"array<{element}>").alias("features"),
        *([F.col(weight).cast("double").alias("weight")] if weight else []),
    ]


def work_on_points(
    prepared: DataFrame,
    work: Callable[[Points], Result],
    *,
    customers: int,
    dimensions: int,
    seed: int,
    precision: Precision | None = None,
    local_bytes: int = LOCAL_BYTES,
) -> Result:
    """Return ``work`` of the packed points.

    What fits into ``LOCAL_BYTES`` in float64 is worked on in this process, for one Spark job; a larger table is packed once, kept
    in memory and on disk, and costs a job a sweep.

    Parameters
    ----------
    prepared, seed, precision
        See ``pack``; without ``precision`` this process holds float64, a larger table float32.
    customers, dimensions : rows of ``prepared`` and length of ``features``
    local_bytes : packed bytes up to which this process takes all

    """
    if customers * dimensions * np.dtype(np.float64).itemsize <= local_bytes:
        return _work_here(prepared, work, dimensions, seed, precision or "float64")
    packed = pack(prepared, seed=seed, precision=precision or "float32").persist(StorageLevel.MEMORY_AND_DISK)
    try:
        return work(PackedPoints(packed, dimensions, precision or "float32"))
    finally:
        packed.unpersist()


def _work_here(prepared: DataFrame, work: Callable[[Points], Result], dimensions: int, seed: int, dtype: Precision) -> Result:
    """Return ``work`` of all rows in this process, one thread a product: sums of several come in another order."""
    rows = prepared.select(_packed_columns(prepared, seed=seed, precision=dtype)).toArrow()
    points = rows.column("features").combine_chunks().flatten().to_numpy().reshape(-1, dimensions)
    block = Block(rows.column("hash").to_numpy().view(np.uint64), points, None)
    with threadpool_limits(1, "blas"):
        return work(ArrayPoints(join([block])))


def join(blocks: Sequence[Block]) -> Block:
    """Return the rows of all blocks, by hash: the same order wherever they came from."""
    hashes = np.concatenate([block.hashes for block in blocks])
    points = np.concatenate([block.points for block in blocks])
    weights = [np.ones(len(block.hashes)) if block.weights is None else block.weights for block in blocks]
    # Equal hashes of different customers are possible, so points break the tie.
    order = np.lexsort((*points.T[::-1], hashes)) if len(np.unique(hashes)) < len(hashes) else np.argsort(hashes)
    unweighted = all(block.weights is None for block in blocks)
    return Block(hashes[order], points[order], None if unweighted else np.concatenate(weights)[order])


def _as_array(points: DataFrame, precision: Precision) -> Column:
    if isinstance(points.schema["features"].dataType, VectorUDT):
        return vector_to_array(F.col("features"), precision)
    return F.col("features")


def _unpack(batches: Iterator[pa.RecordBatch], dimensions: int, dtype: str) -> Iterator[Block]:
    for batch in batches:
        for hashes, points, weights in zip(*(batch.column(place) for place in range(3)), strict=True):
            yield Block(
                np.frombuffer(hashes.as_buffer(), np.uint64),
                np.frombuffer(points.as_buffer(), dtype).reshape(-1, dimensions),
                np.frombuffer(weights.as_buffer(), np.float64) if weights.is_valid else None,
            )


def _dumps(value: Any) -> bytes:
    """Pickle what may be of a class that came along with the job."""
    dumped: bytes = cloudpickle.dumps(value)  # type: ignore[no-untyped-call]
    return dumped
