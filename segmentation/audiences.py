"""How many customers of each segment meet a condition, and what they bring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import dataset
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.frames import Customers
from segmentation.money import as_money, millionths, paid_by, to_doubles, total
from segmentation.tables import Rows


@dataclass(frozen=True)
class Audience:
    """Customers of a segment who meet a condition, their count and revenue (None without a revenue feature)."""

    customers: int
    revenue: Decimal | None


@dataclass(frozen=True)
class Columns:
    """How a condition on customers is written: as columns of Spark, or as expressions of Arrow; both know > and &."""

    number: Callable[[str], Any]
    level: Callable[[str, str], Any]  # with the level of no value
    literal: Callable[[Any], Any]


OF_SPARK = Columns(
    number=lambda name: F.col(f"`{name}`").cast("double"),
    level=lambda name, missing: F.coalesce(F.col(f"`{name}`"), F.lit(missing)),
    literal=F.lit,
)
OF_ARROW = Columns(
    number=lambda name: pc.field(name).cast(pa.float64()),
    level=lambda name, missing: pc.coalesce(pc.field(name), pc.scalar(missing)),
    literal=pc.scalar,
)


def columns_of(members: Customers) -> Columns:
    """Return how conditions on these customers are written."""
    return OF_ARROW if isinstance(members, pa.Table) else OF_SPARK


def find_audiences(members: Customers, conditions: Sequence[Any], *, revenue: str | None) -> Sequence[Any]:
    """Return the rows of ``count_audiences``, of a frame by one Spark job; none without conditions, of ``columns_of``."""
    if not conditions:
        return []
    if isinstance(members, pa.Table):
        return _count_here(members, conditions, revenue=revenue)
    return count_audiences(members, conditions, revenue=revenue).collect()


def _count_here(members: pa.Table, conditions: Sequence[Any], *, revenue: str | None) -> Rows:
    numbers = {one.name: to_doubles(members[one.name]) for one in members.schema if pa.types.is_decimal(one.type)}
    columns = {name: numbers.get(name, members[name]) for name in members.column_names}
    customers = dataset(pa.table({**columns, "audience_revenue": paid_by(members, revenue)}))
    rows: dict[int, dict[str, Any]] = {one: {"segment_id": one} for one in pc.unique(members["segment_id"]).to_pylist()}
    for place, condition in enumerate(conditions):
        met = customers.to_table(columns=["segment_id", "audience_revenue"], filter=condition)
        sums = met.group_by("segment_id").aggregate([([], "count_all"), ("audience_revenue", "sum")]).to_pylist()
        found = {one["segment_id"]: (one["count_all"], one["audience_revenue_sum"]) for one in sums}
        for segment, row in rows.items():
            row[f"a{place}"] = dict(zip(("customers", "revenue"), found.get(segment, (0, None)), strict=True))
    return list(rows.values())


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


def read_audiences(rows: Sequence[Any], number: int) -> dict[int, Audience]:
    """Return each segment's audience of condition ``number`` from rows of ``count_audiences``."""
    return {row["segment_id"]: Audience(row[f"a{number}"]["customers"], row[f"a{number}"]["revenue"]) for row in rows}
