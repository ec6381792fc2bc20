"""Spark jobs side by side. Floor 1."""

from collections.abc import Callable, Sequence
from multiprocessing.pool import ThreadPool
from typing import TypeVar

from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession

Item = TypeVar("Item")
Result = TypeVar("Result")
_MOST_THREADS = 4


def side_by_side(spark: SparkSession, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return ``work`` of each item, in order, several at once: small jobs mostly wait for the driver."""
    with ThreadPool(max(1, min(_MOST_THREADS, len(items)))) as pool:
        return pool.map(inheritable_thread_target(spark)(work), items, chunksize=1)
