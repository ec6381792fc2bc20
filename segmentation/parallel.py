"""Spark jobs side by side, and numpy in a thread a core."""

import os
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
    # Wrapped once an item: threads that share one wrapping share the names of their jobs and Spark's number of the query.
    inheriting = [(inheritable_thread_target(spark)(work), item) for item in items]
    with ThreadPool(max(1, min(_MOST_THREADS, len(items)))) as pool:
        return pool.map(lambda one: one[0](one[1]), inheriting, chunksize=1)


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return ``work`` of each item, in order, by a thread for each core of this process: numpy lets go of Python's lock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = min(cores, len(items))
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPool(threads) as pool:
        return pool.map(work, items, chunksize=1)
