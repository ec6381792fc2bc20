"""Raw customer and product rows in, one row per key out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.frames import conform
from segmentation.ingest.reasons import add_reasons, is_kept
from segmentation.tables import Table


@dataclass(frozen=True)
class KeyRule:
    """A row per ``key``; of customers ``buyers``, rows of ``tables.TRANSACTIONS``, are the lines without which none is kept."""

    key: str
    buyers: DataFrame | None = None

    @property
    def counts(self) -> list[Column]:
        """``rows``, those with a key as ``keys``, and different ones as ``ids``, as aggregates for ``is_kept_by``."""
        # Of two keys with one hash the rows are ranked for nothing, and no harm is done.
        different = F.count_distinct(F.when(F.col(self.key).isNotNull(), F.xxhash64(self.key)))
        return [F.count("*").alias("rows"), F.count(self.key).alias("keys"), different.alias("ids")]

    def is_kept_by(self, row: Mapping[str, Any]) -> bool:
        """Say of a row of ``counts`` whether no key comes twice."""
        return bool(row["keys"] == row["ids"])

    def judge(self, frame: DataFrame, *, is_kept: bool) -> DataFrame:
        """Append to ``reasons``; rows of the same key are ranked only where there are some."""
        judged = (judge_missing_keys if is_kept else judge_keys)(frame, key=self.key)
        return judged if self.buyers is None else judge_orders(judged, self.buyers)


def judge_missing_keys(frame: DataFrame, *, key: str) -> DataFrame:
    """Append to ``reasons`` a missing key; for a source whose other keys are unique."""
    return add_reasons(frame, [(f"missing_{key}", F.col(key).isNull())])


def judge_keys(frame: DataFrame, *, key: str) -> DataFrame:
    """Append to ``reasons`` a missing key and, of rows with the same key, all but one.

    The row kept is the same whatever the order of rows: readable ones first, then by ``row_hash``.
    """
    rank = F.row_number().over(Window.partitionBy(key).orderBy(~is_kept(), "_row_hash", "_source_file"))
    rules: list[tuple[str, Column]] = [
        (f"missing_{key}", F.col(key).isNull()),
        (f"duplicate_{key}", F.col(key).isNotNull() & (F.col("_rank") > 1)),
    ]
    return add_reasons(frame.withColumn("_rank", rank), rules)


def judge_orders(customers: DataFrame, transactions: DataFrame) -> DataFrame:
    """Append the reason ``no_orders`` to customers without a line in ``transactions`` of ``tables.TRANSACTIONS``."""
    buyers = transactions.where(~F.col("is_return")).select("customer_id").distinct().withColumn("_is_buyer", F.lit(True))
    marked = customers.join(buyers, on="customer_id", how="left")
    return add_reasons(marked, [("no_orders", F.col("customer_id").isNotNull() & F.col("_is_buyer").isNull())])


def build_customers(judged: DataFrame, table: Table, *, run_id: str) -> DataFrame:
    """Return the customers kept, with the attributes that ``table`` declares beside those of ``tables.CUSTOMERS``."""
    return judged.where(is_kept()).withColumn("run_id", F.lit(run_id)).transform(conform, table)
