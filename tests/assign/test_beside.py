"""What this process makes of the run before is what Spark makes of it."""

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from segmentation.assign.beside import add_history, count_moves_here
from segmentation.assign.movement import count_moves, read_history

_MONEY = pa.decimal128(28, 6)


def make_now() -> pa.Table:
    """Three who stay or move, two who arrive, and one whose revenue is not known."""
    revenue = pa.array([Decimal("10.5"), Decimal("2.000001"), None, Decimal("7"), Decimal("1"), Decimal("-3")], _MONEY)
    columns = {
        "customer_id": ["a", "b", "c", "d", "new", "e"],
        "segment_id": pa.array([0, 1, 1, 0, 2, 1], pa.int32()),
        "mid_id": pa.array([0, 0, 1, 0, 2, None], pa.int32()),
        "is_far": [False, True, False, False, True, False],
        "revenue": revenue,
    }
    return pa.table(columns)


def make_assignments() -> pa.Table:
    """Five customers of the run before, of whom one has left."""
    return pa.table(
        {
            "customer_id": ["b", "a", "gone", "c", "d"],
            "segment_id": pa.array([0, 0, 1, 1, 0], pa.int32()),
            "segment_key": ["S1", "S1", "S2", "S2", "S1"],
            "previous_key": pa.array([None, "S2", None, "S1", None], pa.string()),
            "changed_at": [date(2024, 1, day) for day in range(1, 6)],
            "since_runs": pa.array([1, 2, 3, 4, 5], pa.int32()),
        }
    )


def sort_rows(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(str(sorted(row.items())) for row in rows)


@pytest.mark.parametrize("kind", ["decimals", "doubles", "none"])
def test_moves_are_counted_as_by_spark(spark: SparkSession, kind: str) -> None:
    # The run before has no features of c; those of gone count as what has left.
    amounts = {"decimals": pa.array([Decimal("4.25"), Decimal("1"), Decimal("0.000001"), Decimal("9")], _MONEY)}
    amounts["doubles"] = pa.array([0.1 + 0.2, 1e6 / 3, None, 5.0])
    features = pa.table({"customer_id": ["a", "gone", "b", "d"], "spend": amounts.get(kind, amounts["decimals"])})
    now, assignments = make_now(), make_assignments()

    found = count_moves_here(now, assignments, None if kind == "none" else features)

    frames = [spark.createDataFrame(table) for table in (now, assignments, features)]
    expected = count_moves(*frames, revenue=None if kind == "none" else "spend").collect()
    assert sort_rows(found) == sort_rows([row.asDict() for row in expected])
    assert sum(row["customers"] for row in found) == 7


@pytest.mark.parametrize("is_own", [False, True])
def test_history_is_handed_on_as_by_spark(spark: SparkSession, is_own: bool) -> None:
    now, assignments = make_now(), make_assignments()

    found = add_history(now, assignments, is_own=is_own).drop_columns(["segment_id", "mid_id", "is_far", "revenue"])

    joined = spark.createDataFrame(now.select(["customer_id"])).join(
        read_history(spark.createDataFrame(assignments), is_own=is_own), on="customer_id", how="left"
    )
    assert sort_rows(found.to_pylist()) == sort_rows([row.asDict() for row in joined.collect()])
