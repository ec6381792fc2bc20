"""Segments keep their keys where their customers stay; what splits, merges, is born or dies is told so."""

from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from segmentation.assign.identity import (
    Match,
    Thresholds,
    match_segments,
    name_first,
    overlaps_of,
    reason_of,
    repeat_matches,
    spare_keys,
    tell,
)

SEEDS = range(10)
SPOTS = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0], [40.0, 0.0]])
FORMER = {0: "S0001", 1: "S0002", 2: "S0003"}
Points = npt.NDArray[np.float64]


def draw(rng: np.random.Generator, *sizes: int, around: Points = SPOTS) -> Points:
    return np.concatenate([rng.normal(spot, 1.0, (size, 2)) for spot, size in zip(around, sizes, strict=False)])


def nearest(points: Points, centers: Points, reach: float = np.inf) -> list[int | None]:
    """Return the nearest centre of each point, None beyond the reach of all."""
    apart = np.linalg.norm(points[:, None] - centers, axis=2)
    return [int(row.argmin()) if row.min() <= reach else None for row in apart]


def match(points: Points, former: Points, now: Points, *, reach: float = 5.0) -> list[Match]:
    labels = zip(nearest(points, former, reach), nearest(points, now), strict=True)
    overlaps = Counter((old, new) for old, new in labels if new is not None)
    keys = {number: f"S{number + 1:04d}" for number in range(len(former))}
    return match_segments(overlaps, keys, segments=len(now), spare=spare_keys(keys.values()), thresholds=Thresholds())


def told(matches: list[Match]) -> list[tuple[str, str]]:
    return [(one.key, one.verdict) for one in matches]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_data_and_permuted_numbers_keep_every_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(4)

    matches = match(draw(rng, 100, 100, 100, 100), SPOTS[:4], SPOTS[:4][order])

    assert told(matches) == [(f"S{old + 1:04d}", "survived") for old in order]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_split_gives_new_keys_to_both_halves_and_retires_the_whole(seed: int) -> None:
    points = draw(np.random.default_rng(seed), 100, 100, 100)
    middle = np.array([[10.0, 0.0], [0.0, 20.0]])  # the first two as one

    matches = match(points, middle, SPOTS[:3], reach=20)

    assert told(matches) == [("S0003", "split"), ("S0004", "split"), ("S0002", "survived"), ("S0001", "retired")]
    assert matches[3].heirs in (("S0003", "S0004"), ("S0004", "S0003"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_merger_of_equals_is_a_new_segment(seed: int) -> None:
    points = draw(np.random.default_rng(seed), 100, 100, 100)

    matches = match(points, SPOTS[:3], np.array([[10.0, 0.0], [0.0, 20.0]]))

    assert told(matches)[:2] == [("S0004", "merged"), ("S0003", "survived")]
    assert {one.key for one in matches[2:]} == {"S0001", "S0002"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_segment_that_takes_in_a_handful_stays_itself(seed: int) -> None:
    points = draw(np.random.default_rng(seed), 200, 20, 100)

    matches = match(points, SPOTS[:3], np.array([[2.0, 0.0], [0.0, 20.0]]))

    assert told(matches) == [("S0001", "survived"), ("S0003", "survived"), ("S0002", "retired")]
    assert matches[2].heirs == ("S0001",)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_group_unlike_any_former_one_is_born_and_splits_nobody(seed: int) -> None:
    points = draw(np.random.default_rng(seed), 100, 100, 100, 0, 150)

    matches = match(points, SPOTS[:3], SPOTS[[0, 1, 2, 4]])

    assert told(matches) == [("S0001", "survived"), ("S0002", "survived"), ("S0003", "survived"), ("S0004", "born")]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_group_without_customers_dies(seed: int) -> None:
    matches = match(draw(np.random.default_rng(seed), 100, 100), SPOTS[:3], SPOTS[:2])

    assert told(matches) == [("S0001", "survived"), ("S0002", "survived"), ("S0003", "retired")]


@pytest.mark.parametrize("seed", SEEDS)
def test_growth_and_a_shift_of_all_keep_every_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grown, shifted = draw(rng, 1000, 100, 100), draw(rng, 100, 100, 100) + 1.5

    for points, centers in ((grown, SPOTS[:3]), (shifted, SPOTS[:3] + 1.5)):
        assert told(match(points, SPOTS[:3], centers, reach=6)) == [(f"S000{one}", "survived") for one in (1, 2, 3)]


def test_a_key_is_never_given_twice() -> None:
    assert [one.key for one in name_first(2)] == ["S0001", "S0002"]
    assert list(islice(spare_keys(["S0007", "S0002"]), 2)) == ["S0008", "S0009"]
    assert next(spare_keys([])) == "S0001"
    assert next(spare_keys(["S9999", "S10000"])) == "S10001"
    # A run that is repeated has its own again, and what it needs beyond those is beyond everybody's.
    assert list(islice(spare_keys(["S0003", "S0006"], own=["S10004", "S0005"]), 4)) == ["S0005", "S10004", "S10005", "S10006"]


def test_a_run_that_is_repeated_is_what_its_lineage_says() -> None:
    lineage: list[dict[str, Any]] = [
        {"segment_id": None, "segment_key": "S0001", "verdict": "retired", "previous_key": "S0001"},
        {"segment_id": 1, "segment_key": "S0004", "verdict": "born", "previous_key": None},
        {"segment_id": 0, "segment_key": "S0002", "verdict": "survived", "previous_key": "S0002"},
    ]

    assert repeat_matches(lineage) == [Match("S0002", 0, "survived", "S0002"), Match("S0004", 1, "born")]


def test_verdicts_read_as_sentences() -> None:
    survived, *_, born = match(draw(np.random.default_rng(0), 100, 100, 100, 0, 50), SPOTS[:3], SPOTS[[0, 1, 2, 4]])

    assert tell(survived) == "S0001 goes on: 100% of S0001's customers are in it, 100% of its own come from it"
    assert tell(born) == "S0004 is new: no former segment goes on in it"
    assert tell(Match("S0001", None, "retired", heirs=("S0002",))) == "S0001 is no more: its customers went to S0002"


@pytest.mark.parametrize(
    ("before", "mid", "now", "expected"),
    [
        # numbers of the former run, of the former model on today's customers, of this run
        (0, 0, 0, ("S0001", "S0001", "stayed")),
        (0, 1, 1, ("S0001", "S0002", "customer")),
        (0, 0, 1, ("S0001", "S0002", "model")),
        (0, 2, 1, ("S0001", "S0002", "both")),
        (0, None, 1, ("S0001", "S0002", "both")),
        (None, 1, 1, (None, "S0002", "arrived")),
        (1, None, None, ("S0002", None, "left")),
    ],
)
def test_why_a_customer_is_elsewhere(before: int | None, mid: int | None, now: int | None, expected: tuple[str, ...]) -> None:
    row = {"before_id": before, "mid_id": mid, "segment_id": now}

    assert reason_of(row, basis="models", former=FORMER, keys=["S0001", "S0002", "S0003"]) == expected


def test_the_basis_says_whose_overlap_counts() -> None:
    rows: list[dict[str, int | None]] = [
        {"before_id": 0, "mid_id": 1, "is_far": False, "segment_id": 1, "customers": 5},
        {"before_id": None, "mid_id": 2, "is_far": False, "segment_id": 2, "customers": 3},
        {"before_id": 0, "mid_id": None, "is_far": None, "segment_id": None, "customers": 2},
        {"before_id": 0, "mid_id": 0, "is_far": True, "segment_id": 1, "customers": 7},
    ]

    assert overlaps_of(rows, basis="models") == {(1, 1): 5, (2, 2): 3, (None, 1): 7}
    assert overlaps_of(rows, basis="customers") == {(0, 1): 12}
    # Who is far from all was not moved by that: the former model would have left them where they were.
    assert reason_of(rows[3], basis="models", former=FORMER, keys=["S0001", "S0002"])[2] == "model"
