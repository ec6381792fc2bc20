"""A Delta table of features, read as a stream, to ``streamed_assignments``: each row once, however often it is stopped."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.assign.assignments import Keys, build_assignments
from segmentation.errors import SourceError
from segmentation.readings import take_steps
from segmentation.score_sql import Steps
from segmentation.tables import STREAMED_ASSIGNMENTS
from segmentation.warehouse.files import read_file
from segmentation.warehouse.lake import Lake

# Takes rows of ``tables.FEATURES`` and returns what ``tables.STREAMED_ASSIGNMENTS`` says of each, but the batch.
Place = Callable[[DataFrame], DataFrame]
_NO_RUN = "none"  # a table without rows yet is partitioned by run all the same
_MOST_BATCHES = 1_000_000  # whose rows are counted; Spark remembers a hundred by itself


@dataclass(frozen=True)
class Frozen:
    """The segments of a run's model: each one's limit (scaled units) and key."""

    run_id: str
    limits: Sequence[float]
    keys: tuple[str, ...]

    def by_steps(self, steps: Steps) -> Place:
        """Return what places by the constants of a nearest centre's model, which takes neither Python nor vectors."""

        def place(features: DataFrame) -> DataFrame:
            placed = take_steps(features, steps, kept=["customer_id"])
            distance = F.sqrt("_squared")
            return placed.select(
                F.lit(self.run_id).alias("run_id"),
                "customer_id",
                "segment_id",
                distance.alias("distance"),
                F.col("_runner_up_id").alias("runner_up_segment_id"),
                (F.sqrt("_runner_up_squared") - distance).alias("margin"),
                (distance > _of_segment(self.limits)).alias("is_unlike"),
                _of_segment(self.keys).alias("segment_key"),
            )

        return place

    def by_model(self, model: PipelineModel, centers: Sequence[Sequence[float]]) -> Place:
        """Return what places by a saved model; its ``centers`` have shape (k, dimensions), scaled units."""
        # The silhouette of a batch would say nothing: it is left out, and so no members are counted.
        nobody = [None] * len(centers)

        def place(features: DataFrame) -> DataFrame:
            labelled = model.transform(features).select("customer_id", "features", "prediction")
            how: Mapping[str, Any] = {"keys": Keys(self.keys), "run_id": self.run_id, "limits": self.limits}
            return build_assignments(labelled, centers, nobody, **how)

        return place


def _of_segment(values: Sequence[float | str]) -> Column:
    """Return the value of each row's segment."""
    return F.element_at(F.array(*map(F.lit, values)), F.col("segment_id") + 1)


def score_stream(lake: Lake, place: Place, source: str, checkpoint: str, *, needed: Collection[str], files: int) -> int:
    """Score what the source holds beyond what the checkpoint remembers, then end; return the rows read.

    A batch that was written before a kill, but not remembered, comes again and is not written again: Delta keeps the
    number of each writer's last batch with the rows (``txnAppId`` and ``txnVersion``).

    Parameters
    ----------
    source : Delta table with ``customer_id`` and the columns of ``tables.FEATURES`` that the model uses
    needed : those columns
    files : of the source per batch

    Raises
    ------
    SourceError
        If the source is no such table.
    """
    spark = lake.spark

    def write(features: DataFrame, batch_id: int) -> None:
        numbered = place(features).withColumn("batch_id", F.lit(batch_id).cast("bigint"))
        if not lake.store.exists(STREAMED_ASSIGNMENTS):
            lake.write_rows([], STREAMED_ASSIGNMENTS, run_id=_NO_RUN)
        lake.by_spark.append_once(numbered, STREAMED_ASSIGNMENTS, writer=_writer(spark, checkpoint), batch_id=batch_id)

    spark.conf.set("spark.sql.streaming.numRecentProgressUpdates", _MOST_BATCHES)
    try:
        stream = spark.readStream.format("delta").option("maxFilesPerTrigger", files).load(source)
    except AnalysisException:
        raise SourceError(f"--source {source}", expected="a Delta table", found="none") from None
    if lacking := {"customer_id", *needed} - set(stream.columns):
        found = f"columns {', '.join(stream.columns)}"
        raise SourceError(f"--source {source}", expected=f"columns {', '.join(sorted(lacking))}", found=found)
    query = stream.writeStream.foreachBatch(write).trigger(availableNow=True).option("checkpointLocation", checkpoint).start()
    query.awaitTermination()
    progress: list[Any] = query.recentProgress
    return sum(int(one["numInputRows"]) for one in progress)


def _writer(spark: SparkSession, checkpoint: str) -> str:
    """Return the id of the checkpoint: a new one is another writer, whose batches count from 0 again."""
    return f"score-stream {json.loads(read_file(spark, f'{checkpoint}/metadata'))['id']}"
