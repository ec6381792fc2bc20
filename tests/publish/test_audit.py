"""A run whose tables contradict each other is not published."""

from typing import Any

import pytest

from segmentation.errors import QualityError
from segmentation.publish.audit import check_members, check_rows, check_silhouette, find_chosen

COUNTS = [
    {"source": "transactions", "outcome": "kept", "rows": 90},
    {"source": "transactions", "outcome": "return", "rows": 10},
    {"source": "customers", "outcome": "kept", "rows": 7},
]


def members(**changed: Any) -> dict[str, Any]:
    return {"rows": {"features": 9, "assignments": 9}, "ids": 9, "placed": {0: 4, 1: 5}, "sizes": {0: 4, 1: 5}} | changed


def test_tables_that_agree_pass() -> None:
    check_members(9, **members())

    assert check_rows(COUNTS, {"transactions": 90, "customers": 7, "quarantine": 10}) == {
        "rows_read": 107,
        "rows_kept": 97,
        "rows_set_aside": 10,
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"ids": 8},  # a customer twice
        {"rows": {"features": 9, "assignments": 10}},
        {"rows": {"features": 8, "assignments": 9}},
        {"placed": {0: 5, 1: 4}},  # profiled in another segment
    ],
)
def test_a_customer_who_is_not_there_exactly_once_is_told(changed: dict[str, Any]) -> None:
    with pytest.raises(QualityError, match="assignments: expected each of 9 customers once"):
        check_members(9, **members(**changed))


@pytest.mark.parametrize("stored", [{"transactions": 89}, {"quarantine": 11}, {"customers": 0}])
def test_rows_other_than_counted_are_told(stored: dict[str, int]) -> None:
    with pytest.raises(QualityError, match="rows counted"):
        check_rows(COUNTS, stored)


@pytest.mark.parametrize("chosen", [[], [2, 3], [3]])
def test_the_grid_has_one_chosen_k_of_as_many_segments(chosen: list[int]) -> None:
    grid = [{"k": k, "is_chosen": k in chosen} for k in (2, 3, 4)]

    with pytest.raises(QualityError, match="expected one chosen K of 2"):
        find_chosen(grid, segments=2)


# silhouette of the grid and its error, that of Spark and the customers it looked at, whether they agree
@pytest.mark.parametrize(
    ("own", "error", "other", "customers", "agrees"),
    [
        (0.5, 0.0, 0.50005, 100, True),
        (0.5, 0.0, 0.502, 100, False),
        (0.5, 0.0, 0.502, 50, True),  # Spark looked at a sample
        (0.5, 0.02, 0.515, 100, True),  # the grid did
        (0.5, 0.0, float("nan"), 100, False),
        (None, 0.0, 0.9, 100, True),
    ],
)
def test_spark_must_find_the_silhouette_of_the_grid(
    own: float | None, error: float, other: float, customers: int, agrees: bool
) -> None:
    grid, known = {"silhouette": own, "silhouette_error": error}, {"spark_silhouette": other, "customers": 100}
    known["spark_silhouette_customers"] = customers

    if agrees:
        check_silhouette(grid, known)
    else:
        with pytest.raises(QualityError, match="by Spark's ClusteringEvaluator"):
            check_silhouette(grid, known)
