"""Every line is kept or set aside with the first reason that applies."""

from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.ingest.transactions import (
    build_transactions,
    check_categories,
    complete_transactions,
    find_non_buyers,
    judge_purchasers,
    judge_transactions,
)

POLICIES: dict[str, Any] = {
    "as_of": date(2020, 2, 1),
    "returns": "exclude",
    "non_product_pattern": "^POST$",
    "non_positive_prices": "set_aside",
    "exact_duplicates": "keep",
}


def raw_lines(spark: SparkSession, rows: list[tuple[Any, ...]]) -> Any:
    names = "customer_id string, order_id string, day string, product_id string, quantity string, unit_price string"
    frame = spark.createDataFrame(rows, names)
    raw = F.struct(*frame.columns)
    return frame.select(
        "customer_id",
        "order_id",
        F.col("day").cast("timestamp").alias("ordered_at"),
        "product_id",
        F.col("quantity").cast("decimal(18,6)").alias("quantity"),
        F.col("unit_price").cast("decimal(18,6)").alias("unit_price"),
        F.lit("").alias("_reasons"),
        F.lit(True).alias("_is_kept"),
        raw.alias("_raw"),
        F.xxhash64(raw).alias("_row_hash"),
        F.lit("f").alias("_source_file"),
    )


@pytest.mark.parametrize(
    ("line", "policy", "reason"),
    [
        # customer, order, day, product, quantity, unit price
        (("1", "10", "2020-01-31 23:59:59", "A", "2", "1.5"), {}, ""),
        ((None, "10", "2020-01-01", "A", "2", "1.5"), {}, "missing_customer_id"),
        (("1", None, "2020-01-01", "A", "2", "1.5"), {}, "missing_order_id"),
        (("1", "10", None, "A", "2", "1.5"), {}, "missing_ordered_at"),
        (("1", "10", "2020-01-01", "A", "2", None), {}, "missing_amount"),
        (("1", "10", "2020-02-01", "A", "2", "1.5"), {}, "on_or_after_as_of"),
        (("1", "10", "2020-01-01", "POST", "2", "1.5"), {}, "non_product"),
        (("1", "C1", "2020-01-01", "A", "2", "1.5"), {}, "return"),
        (("1", "10", "2020-01-01", "A", "-2", "1.5"), {}, "return"),
        (("1", "10", "2020-01-01", "A", "-2", "1.5"), {"returns": "net"}, ""),
        (("1", "10", "2020-01-01", "A", "2", "0"), {}, "non_positive_price"),
        (("1", "10", "2020-01-01", "A", "2", "0"), {"non_positive_prices": "keep"}, ""),
        ((None, "C1", "2020-01-01", "A", "-2", "0"), {}, "missing_customer_id,return,non_positive_price"),
    ],
)
def test_a_line_is_judged(spark: SparkSession, line: tuple[Any, ...], policy: dict[str, Any], reason: str) -> None:
    complete = complete_transactions(raw_lines(spark, [line]), return_order_pattern="^C")

    judged = judge_transactions(complete, **{**POLICIES, **policy}).collect()

    assert [row["_reasons"] for row in judged] == [reason]


def test_all_but_one_of_equal_rows_are_duplicates_when_asked(spark: SparkSession) -> None:
    line = ("1", "10", "2020-01-01", "A", "2", "1.5")
    complete = complete_transactions(raw_lines(spark, [line, line, line]), return_order_pattern=None)

    judged = judge_transactions(complete, **{**POLICIES, "exact_duplicates": "set_aside"}).collect()

    assert sorted(row["_reasons"] for row in judged) == ["", "exact_duplicate", "exact_duplicate"]


def test_returns_of_a_customer_who_bought_nothing_are_set_aside(spark: SparkSession) -> None:
    lines = [
        ("1", "10", "2020-01-01", "A", "2", "1.5"),
        ("1", "11", "2020-01-02", "A", "-2", "1.5"),
        ("2", "12", "2020-01-01", "A", "-1", "1"),
    ]
    complete = complete_transactions(raw_lines(spark, lines), return_order_pattern=None)

    net = judge_transactions(complete, **{**POLICIES, "returns": "net"})
    judged = judge_purchasers(net, find_non_buyers(net)).orderBy("order_id").collect()

    assert [row["_reasons"] for row in judged] == ["", "", "customer_without_purchase"]


def test_amounts_are_exact_and_orders_follow_from_the_instant(spark: SparkSession) -> None:
    lines = [("1", None, "2020-01-01 10:00:00", "A", "3", "0.001"), ("1", None, "2020-01-01 10:00:00", "B", "1", "0.10")]
    raw = raw_lines(spark, lines).drop("order_id")

    complete = complete_transactions(raw, return_order_pattern=None)
    kept = build_transactions(judge_transactions(complete, **POLICIES), run_id="r").collect()

    assert len({row["order_id"] for row in kept}) == 1
    assert sorted(str(row["amount"]) for row in kept) == ["0.003000", "0.100000"]


def test_lines_whose_products_are_unknown_are_told_where_they_are_most() -> None:
    assert check_categories(5, 10) == []
    (row,) = check_categories(6, 10)
    assert (row["check"], row["rows"], row["share"]) == ("few_categories", 6, 0.6)
