"""What tells of too few customers between two runs is not shown, and what does not stays as it is."""

from decimal import Decimal
from typing import Any

from segmentation.assign.hidden import guard_matches, guard_transitions
from segmentation.assign.identity import Match, tell
from segmentation.assign.movement import Former


def flow(start: str | None, end: str | None, why: str, customers: int) -> dict[str, Any]:
    numbers = {"customers": customers, "share": customers / 400, "revenue_before": Decimal(1), "revenue_after": Decimal(2)}
    return {"from_key": start, "to_key": end, "why": why, **numbers}


def shown(rows: list[dict[str, Any]]) -> dict[tuple[str | None, str | None], int | None]:
    return {(row["from_key"], row["to_key"]): row["customers"] for row in rows}


def test_large_flows_stay_as_they_are() -> None:
    rows = [
        flow("S1", "S1", "stayed", 100),
        flow("S1", "S2", "model", 10),
        flow("S2", "S2", "stayed", 90),
        flow(None, "S2", "arrived", 20),
    ]

    assert guard_transitions(rows, hidden=(), former_hidden=(), min_cell=10) == rows


def test_a_small_flow_goes_with_what_would_tell_of_it() -> None:
    rows = [
        flow("S1", "S1", "stayed", 100),
        flow("S1", "S2", "model", 3),
        flow("S2", "S2", "stayed", 90),
        flow("S3", "S3", "stayed", 80),
    ]

    guarded = guard_transitions(rows, hidden=(), former_hidden=(), min_cell=10)

    assert shown(guarded)["S1", "S2"] is shown(guarded)["S1", "S1"] is None
    assert guarded[1]["share"] is guarded[1]["revenue_before"] is guarded[1]["revenue_after"] is None
    assert shown(guarded)["S3", "S3"] == 80


def test_few_who_arrived_take_shares_of_all_with_them() -> None:
    rows = [
        flow("S1", "S1", "stayed", 100),
        flow("S2", "S2", "stayed", 90),
        flow(None, "S1", "arrived", 4),
        flow("S2", None, "left", 30),
    ]

    guarded = guard_transitions(rows, hidden=(), former_hidden=(), min_cell=10)

    assert {row["share"] for row in guarded} == {None}
    assert shown(guarded)[None, "S1"] is shown(guarded)["S2", None] is None


def test_a_match_keeps_its_verdict_and_loses_its_numbers_where_few_went_elsewhere() -> None:
    former = Former("r1", "r1", {0: "S1", 1: "S2", 2: "S3"}, {})
    overlaps = {(0, 0): 97, (0, 1): 3, (1, 1): 100, (2, 2): 80, (None, 2): 20}
    matches = [Match(f"S{n + 1}", n, "survived", f"S{n + 1}", overlaps[n, n], 0.97, 1.0, 0.97) for n in range(3)]

    first, _, third = guard_matches(matches, overlaps, former, hidden=(), min_cell=10)

    assert (first.verdict, first.common, first.overlap) == ("survived", None, None)
    assert tell(first) == "S1 goes on"
    assert third == matches[2]
