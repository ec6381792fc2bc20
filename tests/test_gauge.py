"""Spark's jobs say their stage and step, from threads too; what a stage took is what its own jobs took."""

from typing import Any

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

from segmentation import gauge
from segmentation.gauge import Taken, measure_jobs, name_step, named_jobs, named_step
from segmentation.parallel import side_by_side


def descriptions(spark: SparkSession, group: str) -> list[str]:
    """Return what the jobs of a group say of themselves, in order."""
    context: Any = spark.sparkContext._jsc.sc()
    context.listenerBus().waitUntilEmpty()
    jobs = sorted(spark.sparkContext.statusTracker().getJobIdsForGroup(group))
    return [str(context.statusStore().job(one).description().get()) for one in jobs]


def count(spark: SparkSession, rows: int = 10) -> None:
    spark.sparkContext.parallelize(range(rows), 1).count()


def said_of(context: SparkContext) -> list[str | None]:
    """Return what a job started now would say of itself; what ran before in this session may have left a word."""
    return [context.getLocalProperty(name) for name in ("spark.job.description", "spark.jobGroup.id")]


def test_jobs_say_their_stage_and_step_until_the_stage_ends(spark: SparkSession) -> None:
    context = spark.sparkContext
    before = said_of(context)
    with named_jobs(context, "grid") as group:
        count(spark)
        name_step(context, "k-means K=2..8")
        count(spark)
        with named_step(context, "write grid"):
            count(spark)
        count(spark)

    assert descriptions(spark, group) == ["grid", "grid: k-means K=2..8", "grid: write grid", "grid: k-means K=2..8"]
    name_step(context, "nothing")
    assert said_of(context) == before


def test_each_thread_has_a_step_of_its_own(spark: SparkSession) -> None:
    steps = [f"table {number}" for number in range(4)]

    def work(step: str) -> str | None:
        with named_step(spark.sparkContext, step):
            for _ in range(5):
                count(spark)
            return spark.sparkContext.getLocalProperty("spark.job.description")

    with named_jobs(spark.sparkContext, "segments") as group:
        found = side_by_side(spark, work, steps)

    expected = [f"segments: {step}" for step in steps]
    assert found == expected
    assert sorted(descriptions(spark, group)) == sorted(expected * 5)


def test_a_stage_took_what_its_own_jobs_took(spark: SparkSession) -> None:
    context = spark.sparkContext
    count(spark)
    with named_jobs(context, "grid") as group:
        context.parallelize(range(1000), 3).map(lambda one: (one % 5, one)).groupByKey(2).count()
        taken = measure_jobs(context, group)
        again = measure_jobs(context, group)

    assert (taken.spark_jobs, taken.spark_tasks) == (1, 5)
    assert taken.bytes_shuffled
    assert taken.executor_cpu_seconds
    assert again == taken  # to measure is no job
    assert measure_jobs(context, "another").spark_jobs == 0


def test_what_spark_has_forgotten_is_not_guessed(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "_KEPT_SHARE", 0.001)  # of a thousand jobs
    with named_jobs(spark.sparkContext, "grid") as group:
        count(spark)

    assert measure_jobs(spark.sparkContext, group) == Taken()
