"""How many customers of each segment meet a condition, and what they bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from segmentation.money import as_money, millionths, total


@dataclass(frozen=True)
class Audience:
    """Customers of a segment who meet a condition, their count and revenue (None without a revenue feature)."""

    customers: int
    revenue: Decimal | None


def count_audiences(members: DataFrame, conditions: Sequence[Column], *, revenue: str | None) -> DataFrame:
    """Return, per segment, how many customers meet each condition (null is no) and the sum of their revenue feature.

    Returns
    -------
    DataFrame
        ``segment_id`` and, per condition in order, the struct ``a0``, ``a1`` ... of ``customers`` and ``revenue``.
    """
    value = millionths(as_money(revenue)) if revenue else F.lit(None).cast("bigint")
    audiences = [
        F.struct(
            F.count_if(condition).alias("customers"), total(F.when(condition, F.col("audience_revenue"))).alias("revenue")
        ).alias(f"a{number}")
        for number, condition in enumerate(conditions)
    ]
    members = members.withColumn("audience_revenue", value)
    return members.groupBy("segment_id").agg(*audiences)


def read_audiences(rows: Sequence[Row], number: int) -> dict[int, Audience]:
    """Return each segment's audience of condition ``number`` from rows of ``count_audiences``."""
    return {row["segment_id"]: Audience(row[f"a{number}"]["customers"], row[f"a{number}"]["revenue"]) for row in rows}
