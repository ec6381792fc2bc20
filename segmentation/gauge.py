"""What Spark's jobs are called in its UI and its event log, and what the jobs of a stage took."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkContext

_DESCRIPTION, _GROUP, _STAGE = "spark.job.description", "spark.jobGroup.id", "segmentation.stage"
_NANOSECONDS = 10**9
# Spark forgets its oldest jobs and stages, a tenth at once, when there are more than it was told to keep.
_KEPT_SHARE = 0.9
_KEPT_BY_DEFAULT = 1000
_BUS_MILLISECONDS = 2000


@dataclass(frozen=True)
class Taken:
    """What Spark did for a stage; None where it does not tell, or has forgotten."""

    spark_jobs: int | None = None
    spark_tasks: int | None = None
    executor_cpu_seconds: float | None = None
    bytes_read: int | None = None
    bytes_written: int | None = None
    bytes_shuffled: int | None = None
    bytes_spilled: int | None = None
    rows_written: int | None = None
    execution_memory_bytes: int | None = None
    peak_memory_bytes: int | None = None


@contextmanager
def named_jobs(context: SparkContext, stage: str) -> Iterator[str]:
    """Let every job of the block say its stage, from threads too that inherit from this one; yield the group they share."""
    group = f"{stage} {uuid.uuid4().hex[:8]}"
    with _properties(context, {_STAGE: stage, _DESCRIPTION: stage, _GROUP: group}):
        yield group


def name_step(context: SparkContext, step: str) -> None:
    """Let the jobs from here on say what they are for, after their stage; outside a stage nothing is said."""
    stage = context.getLocalProperty(_STAGE)
    if stage:
        context.setLocalProperty(_DESCRIPTION, f"{stage}: {step}")


@contextmanager
def named_step(context: SparkContext, step: str) -> Iterator[None]:
    """Let the jobs of the block say what they are for, those after it what they said before."""
    with _properties(context, {}):
        name_step(context, step)
        yield


@contextmanager
def _properties(context: SparkContext, given: Mapping[str, str]) -> Iterator[None]:
    before = {name: context.getLocalProperty(name) for name in (_STAGE, _DESCRIPTION, _GROUP)}
    for name, value in given.items():
        context.setLocalProperty(name, value)
    try:
        yield
    finally:
        with suppress(Py4JError, OSError):  # of a JVM that is gone, which the error of the block tells
            for name, former in before.items():
                context.setLocalProperty(name, former)  # type: ignore[arg-type] # None takes it away


def measure_jobs(context: SparkContext, group: str) -> Taken:
    """Return what the jobs of a group took, as Spark's own book-keeping has it; no job is run for it."""
    try:
        return _measure(context, group)
    except Py4JError:  # of a cluster that does not let Python look there: a run must not fail for its figures
        return Taken()


def _measure(context: SparkContext, group: str) -> Taken:
    scala_context: Any = context._jsc.sc()
    with suppress(Py4JError):  # what the bus has not told by then is left out
        scala_context.listenerBus().waitUntilEmpty(_BUS_MILLISECONDS)
    store = scala_context.statusStore()
    jobs = context.statusTracker().getJobIdsForGroup(group)
    numbers = {number for job in jobs for number in _numbers(store.job(job).stageIds())}
    if len(jobs) >= _kept(scala_context, "Jobs") or len(numbers) >= _kept(scala_context, "Stages"):
        return Taken()
    stages = [store.lastStageAttempt(number) for number in sorted(numbers)]
    peaks = [peak for one in stages if (peak := _peak(one)) is not None]
    return Taken(
        spark_jobs=len(jobs),
        spark_tasks=sum(one.numCompleteTasks() + one.numFailedTasks() for one in stages),
        executor_cpu_seconds=sum(one.executorCpuTime() + one.executorDeserializeCpuTime() for one in stages) / _NANOSECONDS,
        bytes_read=sum(one.inputBytes() for one in stages),
        bytes_written=sum(one.outputBytes() for one in stages),
        bytes_shuffled=sum(one.shuffleWriteBytes() for one in stages),
        bytes_spilled=sum(one.diskBytesSpilled() for one in stages),
        rows_written=sum(one.outputRecords() for one in stages),
        execution_memory_bytes=max((one.peakExecutionMemory() for one in stages), default=0),
        peak_memory_bytes=max(peaks, default=None),
    )


def _kept(scala_context: Any, what: str) -> float:
    return _KEPT_SHARE * int(scala_context.conf().getInt(f"spark.ui.retained{what}", _KEPT_BY_DEFAULT))


def _numbers(sequence: Any) -> list[int]:
    return [int(sequence.apply(place)) for place in range(sequence.size())]


def _peak(stage: Any) -> int | None:
    """Return the largest heap of an executor during a Spark stage; None of one too short to be looked at."""
    metrics = stage.peakExecutorMetrics()
    if metrics.isEmpty():
        return None
    return int(metrics.get().getMetricValue("JVMHeapMemory")) or None
