"""Raw customer and product rows in, one row per key out."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.frames import conform
from segmentation.ingest.reasons import add_reasons, is_kept
from segmentation.tables import Table


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
