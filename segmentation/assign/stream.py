"""A Delta table of features, read as a stream, to ``streamed_assignments``: each row once, however often it is stopped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.assign.assignments import Keys, build_assignments
from segmentation.tables import STREAMED_ASSIGNMENTS
from segmentation.warehouse.spark_store import SparkStore


@dataclass(frozen=True)
class Frozen:
    """The model of a run: its stages, its centres of shape (k, dimensions), each segment's limit (scaled units) and key."""

    run_id: str
    model: PipelineModel
    centers: Sequence[Sequence[float]]
    limits: Sequence[float]
    keys: tuple[str, ...]


def score_stream(store: SparkStore, frozen: Frozen, source: str, checkpoint: str, *, files: int) -> int:
    """Score what the source holds beyond what the checkpoint remembers, then end; return the rows read.

    A batch that was written before a kill, but not remembered, comes again and is not written again: Delta keeps the
    number of each writer's last batch with the rows (``txnAppId`` and ``txnVersion``).

    Parameters
    ----------
    source : Delta table with ``customer_id`` and the columns of ``tables.FEATURES`` that the model uses
    files : of the source per batch
    """
    spark = store.spark

    def write(features: DataFrame, batch_id: int) -> None:
        labelled = frozen.model.transform(features).select("customer_id", "features", "prediction")
        # The silhouette of a batch would say nothing: it is left out, and so no members are counted.
        nobody = [None] * len(frozen.centers)
        placed = build_assignments(
            labelled, frozen.centers, nobody, keys=Keys(frozen.keys), run_id=frozen.run_id, limits=frozen.limits
        )
        numbered = placed.withColumn("batch_id", F.lit(batch_id).cast("bigint"))
        store.append_once(numbered, STREAMED_ASSIGNMENTS, writer=_writer(spark, checkpoint), batch_id=batch_id)

    stream = spark.readStream.format("delta").option("maxFilesPerTrigger", files).load(source)
    query = stream.writeStream.foreachBatch(write).trigger(availableNow=True).option("checkpointLocation", checkpoint).start()
    query.awaitTermination()
    progress: list[Any] = query.recentProgress
    return sum(int(one["numInputRows"]) for one in progress)


def _writer(spark: SparkSession, checkpoint: str) -> str:
    """Return the id of the checkpoint: a new one is another writer, whose batches count from 0 again."""
    text = spark.read.text(f"{checkpoint}/metadata", wholetext=True).collect()[0]["value"]
    return f"score-stream {json.loads(text)['id']}"
