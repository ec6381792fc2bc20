"""Spark's hash of customers' ids in this process: who is in a sample is the same, whoever draws it."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh64_intdigest

_SEED = 42  # of Spark's function


def hash_ids(ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return Spark's ``xxhash64`` of each id (text, none of them null)."""
    digests = (xxh64_intdigest(one, _SEED) for chunk in ids.chunks for one in chunk.cast(pa.binary()).to_pylist())
    return np.fromiter(digests, dtype=np.uint64, count=len(ids)).view(np.int64)


def draw_places(ids: pa.ChunkedArray, *, step: int = 1) -> npt.NDArray[np.intp]:
    """Return the places of the ids that are in a sample of every ``step``-th hash, in the order of their hashes."""
    hashes = hash_ids(ids)
    chosen = np.flatnonzero(np.mod(hashes, step) == 0)
    return chosen[np.argsort(hashes[chosen], kind="stable")]
