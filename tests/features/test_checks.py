"""What looks wrong with the customers is told, and nothing is told of sound ones."""

from typing import Any

import pytest
from conftest import first_row
from pyspark.sql import SparkSession

from segmentation.errors import QualityError
from segmentation.features.checks import (
    can_differ_by_case,
    check_counts,
    check_customers,
    check_overlap,
    find_twins,
    is_beyond_ascii,
    observed,
)

SOUND = {"customers": 1000, "folded": 1000, "beyond": 0, "nobody": 0, "with_orders": 1000, "stale_days": 1, "history_days": 400}


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["check"] for row in rows]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"customers": 100, "folded": 100}, ["few_customers"]),
        ({"history_days": 90}, ["short_history"]),
        ({"stale_days": 400}, ["stale"]),
        ({"folded": 998}, ["ids_differ_by_case"]),
        ({"nobody": 1}, ["ids_for_nobody"]),
        ({"constant age": True, "constant spend": False}, ["constant"]),
        ({"stale_days": None, "history_days": None}, []),
    ],
)
def test_each_suspicion_has_its_check(change: dict[str, Any], expected: list[str]) -> None:
    assert names(check_customers(SOUND | change, ids=[])) == expected


def test_ids_that_look_alike_are_found() -> None:
    composed, decomposed = "Jos\u00e9", "Jose\u0301"

    assert find_twins([composed, decomposed, "Ren\u00e9", "a\u200bb"]) == [decomposed, composed]
    (row,) = check_customers(SOUND, ids=[composed, decomposed])
    assert (row["check"], row["rows"], row["share"]) == ("ids_look_alike", 2, 0.002)
    assert row["said"].endswith("as with U+0301")
    assert "Jos" not in row["said"]  # it names nobody


def test_the_features_say_what_the_checks_need(spark: SparkSession) -> None:
    rows = [("a", 1, 10, 5.0, 1.0), ("A", None, None, 5.0, 2.0), ("é", 3, 30, 5.0, 3.0), ("Null", 3, 30, 5.0, 3.0)]
    frame = spark.createDataFrame(rows, "customer_id string, recency_days int, tenure_days int, same double, other double")

    row = first_row(frame.agg(*observed(has_orders=True, numbers=["same", "other"]))).asDict()

    assert row == {
        **{"customers": 4, "with_capitals": 2, "with_small_letters": 3, "beyond": 1, "nobody": 1},
        **{"with_orders": 3, "stale_days": 1, "history_days": 30},
        **{"constant same": True, "constant other": False},
    }
    assert [one["customer_id"] for one in frame.where(is_beyond_ascii()).collect()] == ["é"]


@pytest.mark.parametrize(
    ("ids", "can"),
    [
        (["a", "A"], True),
        (["\u212a", "K"], True),
        (["A1", "b2"], True),
        (["A1", "B2"], False),
        (["a1", "b2"], False),
        (["1", "2"], False),
    ],
)
def test_capitals_are_counted_only_where_they_can_tell_ids_apart(spark: SparkSession, ids: list[str], can: bool) -> None:
    frame = spark.createDataFrame([(one, 1) for one in ids], "customer_id string, recency_days int")

    row = first_row(frame.agg(*observed(has_orders=False, numbers=[]))).asDict()

    assert can_differ_by_case(row) == can
    assert can or len({one.lower() for one in ids}) == len(ids)


def test_sources_that_share_no_customer_are_refused() -> None:
    assert check_overlap(100, with_orders=80, with_attributes=90) == []
    assert names(check_overlap(1990, with_orders=1000, with_attributes=1000)) == ["few_in_common"]
    with pytest.raises(QualityError, match="found none: 80 with orders, 90 with attributes; are their ids written alike"):
        check_overlap(170, with_orders=80, with_attributes=90)


def test_a_jump_and_rows_after_the_day_are_told() -> None:
    def counts(**outcomes: int) -> list[dict[str, Any]]:
        return [{"source": "transactions", "outcome": name, "rows": rows} for name, rows in outcomes.items()]

    assert check_counts(counts(kept=100), counts(kept=90), before_id="a") == []
    assert names(check_counts(counts(kept=100), counts(kept=10), before_id="a")) == ["jump"]
    assert names(check_counts(counts(kept=10), counts(kept=100), before_id="a")) == ["jump"]
    assert names(check_counts(counts(kept=90, on_or_after_as_of=10), [], before_id=None)) == ["after_as_of"]
