"""Conditions of a user's own: read alone, counted, and refused where they reach beyond the row."""

from typing import Any

import pytest
from conftest import first_row
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.errors import ConfigError, QualityError
from segmentation.ingest.reasons import is_kept
from segmentation.ingest.rules import Condition, breaches, check_breaches, judge_conditions


def make(name: str = "cheap", expression: str = "amount < 10", action: Any = "warn", max_share: float = 1.0) -> Condition:
    return Condition(name, expression, action, max_share)


@pytest.fixture
def lines(spark: SparkSession) -> DataFrame:
    rows = [("1", 5, ""), ("2", 50, ""), ("3", None, ""), ("4", 500, "return")]
    frame = spark.createDataFrame(rows, "customer_id string, amount int, _reasons string")
    return frame.withColumn("_is_kept", F.col("_reasons") == "")


def test_a_warning_counts_what_is_kept_and_null_fulfils_nothing(lines: DataFrame) -> None:
    judged = judge_conditions(lines, [make()], source="transactions")

    counted = first_row(judged.agg(F.count_if(is_kept()).alias("kept"), *breaches([make()])))

    assert (counted["kept"], counted["_breaks cheap"]) == (3, 2)


def test_quarantine_gives_the_rule_as_the_reason(lines: DataFrame) -> None:
    judged = judge_conditions(lines, [make(action="quarantine")], source="transactions")

    assert {row["customer_id"]: row["_reasons"] for row in judged.collect()} == {
        "1": "",
        "2": "cheap",
        "3": "cheap",
        "4": "return,cheap",
    }


@pytest.mark.parametrize(
    ("action", "max_share", "broken", "message"),
    [
        ("fail", 1.0, 1, "expected amount < 10 in every row, found 1 of 10 rows of transactions"),
        ("fail", 1.0, 0, None),
        ("warn", 0.1, 1, None),
        ("warn", 0.1, 2, "in all but 10% of the rows, found 2 of 10"),
        ("quarantine", 0.0, 1, "in every row, found 1 of 10"),
    ],
)
def test_what_is_too_much_ends_the_run(action: str, max_share: float, broken: int, message: str | None) -> None:
    condition = make(action=action, max_share=max_share)

    if message is None:
        checks = check_breaches([condition], {"cheap": broken}, rows=10, source="transactions")
        assert [(row["subject"], row["rows"], row["share"]) for row in checks] == [("cheap", broken, broken / 10)] * (broken > 0)
        return
    with pytest.raises(QualityError, match=message):
        check_breaches([condition], {"cheap": broken}, rows=10, source="transactions")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("amount <", "expected a condition in Spark SQL"),
        ("price > 1", "expected a condition on the columns customer_id, amount of transactions"),
        ("amount + 1", "expected a condition on the columns"),
        ("sum(amount) > 1", "expected a condition on the columns"),
        (
            "amount > 1 AND reflect('java.lang.Runtime', 'getRuntime') = ''",
            r"expected a condition on the row alone, found reflect\(\)",
        ),
        ("java_method('java.util.UUID', 'randomUUID') = ''", "on the row alone"),
        ("amount < rand()", "on the row alone"),
        ("current_date() > '2020-01-01'", "on the row alone"),
        ("amount IN (SELECT 1)", "found a question to another table"),
        ("EXISTS (SELECT 1)", "found a question to another table"),
        ("amount > (SELECT 1)", "found a question to another table"),
    ],
)
def test_what_is_no_condition_on_the_row_is_refused(lines: DataFrame, expression: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        judge_conditions(lines, [make(expression=expression)], source="transactions")
