"""Of every K, what tells of segments of too few customers is not shown; the choice is the same."""

from typing import Any

import pytest

from segmentation.grid.hidden import guard_borders, guard_centroids, guard_stability, guard_steps, hide_segments, hide_shares

SIZES = {2: {0: 96, 1: 4}, 3: {0: 60, 1: 36, 2: 4}}
HIDDEN = hide_segments(SIZES, 10)


def test_a_small_segment_goes_with_the_next_smallest_of_its_k() -> None:
    assert {2: {0, 1}, 3: {1, 2}} == HIDDEN
    assert hide_segments(SIZES, 1) == {2: frozenset(), 3: frozenset()}


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [((96, 4), {"smallest_share", "largest_share"}), ((60, 36, 4), {"smallest_share"}), ((60, 40), set())],
)
def test_the_largest_share_is_hidden_where_it_tells_the_smallest(sizes: tuple[int, ...], hidden: set[str]) -> None:
    assert hide_shares(sizes, 10) == hidden


def test_rows_of_large_segments_stay_as_they_are() -> None:
    shares: list[dict[str, Any]] = [
        {"k": k, "segment_id": segment, "customer_share": size / 100} for k, own in SIZES.items() for segment, size in own.items()
    ]
    borders: list[dict[str, Any]] = [
        {"k": 3, "segment_id": 0, "other_segment_id": other, "near_customers": 20, "near_share": 0.2, "depth": 0.5}
        for other in (1, 2)
    ]
    roomy = {3: {0: 60, 1: 40, 2: 50}}

    assert [row["customer_share"] for row in guard_stability(shares, HIDDEN)] == [None, None, 0.6, None, None]
    assert [row["near_share"] for row in guard_borders(borders, HIDDEN, SIZES, 10)] == [None, None]
    assert guard_borders(borders, hide_segments(roomy, 10), roomy, 10) == borders
    assert guard_borders([borders[0] | {"near_customers": 95}], hide_segments(roomy, 10), roomy, 10)[0]["near_customers"] is None


def test_ways_of_few_to_the_next_k_are_hidden_with_what_tells_of_them() -> None:
    sizes = {2: {0: 60, 1: 40}, 3: {0: 40, 1: 40, 2: 20}}
    ways = [(0, 0, 0.40), (0, 2, 0.20), (1, 1, 0.40)]
    rows: list[dict[str, Any]] = [
        {"k": 2, "segment_id": one, "next_k": 3, "next_segment_id": other, "customer_share": share, "segment_share": share}
        for one, other, share in ways
    ]

    hidden = hide_segments(sizes, 10)
    few = [*rows[:2], rows[2] | {"customer_share": 0.36}, rows[2] | {"next_segment_id": 2, "customer_share": 0.04}]
    guarded = guard_steps(few, hidden, sizes, 10)

    assert guard_steps(rows, hidden, sizes, 10) == rows
    assert [row["customer_share"] for row in guarded[:4]] == [0.40, None, None, None]
    assert {(row["segment_id"], row["next_segment_id"]) for row in guarded[4:]} == {(0, 1)}  # the way that nobody went


def test_the_centre_of_a_small_segment_has_no_units_but_still_places_customers() -> None:
    row = {"k": 2, "segment_id": 1, "value_scaled": 3.5, "value_original": 9000.0}

    assert guard_centroids([row], {2: frozenset({1})}) == [row | {"value_original": None}]
    assert guard_centroids([row], {3: frozenset({1})}) == [row]
