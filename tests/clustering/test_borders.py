"""Valleys between segments: found where groups are apart, and nowhere in a crowd, whatever its shape."""

import numpy as np
import pytest

from segmentation.clustering.agreement import nearest
from segmentation.clustering.borders import find_borders, find_parting, join_segments, spread_ties
from segmentation.clustering.lloyd import descend
from segmentation.clustering.points import Array, ArrayPoints, Block
from segmentation.clustering.seeding import seed_grid


def segments(points: Array, k: int) -> Array:
    """Return the centres of k-means."""
    block = Block(np.arange(len(points), dtype=np.uint64), points, None)
    start = seed_grid(block, k_values=[k], seeds=[1], max_iterations=50)[k][1]
    return descend(ArrayPoints(block), {k: start}, max_iterations=50, min_gain=0.0)[k].centers


def parting(points: Array, k: int) -> tuple[int, int]:
    """Return how many of k segments are apart, and how many have a valley inside."""
    rng = np.random.default_rng(0)
    spread, centers = spread_ties(points, rng), segments(points, k)
    found = find_parting(spread, np.ones(len(points)), centers, nearest(centers, spread), rng)
    return found.parts, sum(found.splittable)


def correlated(rng: np.random.Generator) -> Array:
    shared: Array = rng.normal(size=(2000, 1)) * 2
    return shared + rng.normal(size=(2000, 4))


def line(rng: np.random.Generator) -> Array:
    places: Array = rng.random((2000, 1)) * 10
    return places + rng.normal(size=(2000, 3))


def heavy(rng: np.random.Generator) -> Array:
    return rng.standard_t(3, size=(2000, 3))


def scale(rng: np.random.Generator) -> Array:
    rounded: Array = np.clip(np.rint(correlated(rng) / 2 + 3), 1, 5)
    return rounded


def nothing_spent(rng: np.random.Generator) -> Array:
    spent: Array = np.where(rng.random((2000, 2)) < 0.6, 0.0, rng.normal(4, 1, (2000, 2)))
    return spent


@pytest.mark.parametrize("make", [correlated, line, heavy, scale, nothing_spent])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_a_crowd_has_no_valley_wherever_it_is_cut(make: object, k: int) -> None:
    points = make(np.random.default_rng(k))  # type: ignore[operator]

    assert parting(points, k) == (1, 0)


def square(rng: np.random.Generator, apart: float = 6.0) -> Array:
    corners = rng.integers(0, 2, (2000, 2)) * apart
    return corners + rng.normal(size=(2000, 2))


def test_groups_are_apart_too_few_have_a_valley_inside_and_too_many_are_cut() -> None:
    points = square(np.random.default_rng(1))

    assert parting(points, 4) == (4, 0)
    assert parting(points, 3) == (3, 1)
    parts, _ = parting(points, 6)
    assert parts == 4


def test_a_group_of_few_is_apart_from_one_of_many_whose_edge_k_means_gives_to_it() -> None:
    rng = np.random.default_rng(1)
    corners = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]], [769, 77, 77, 77], axis=0)
    points = corners + rng.normal(size=(1000, 2))

    assert parting(points, 4) == (4, 0)


def test_the_two_that_are_cut_from_one_group_are_joined() -> None:
    points = square(np.random.default_rng(2))
    centers = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [5.5, 6.0], [6.5, 6.0]])

    joined = join_segments(find_borders(points, np.ones(2000), centers), 5)

    assert joined == [0, 1, 2, 3, 3]


def test_a_ring_is_one_crowd_though_the_straight_way_leaves_it() -> None:
    rng = np.random.default_rng(3)
    angle, radius = rng.random(2000) * 2 * np.pi, rng.normal(10, 0.5, 2000)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

    assert parting(points, 3)[0] == 1


def test_weights_count_as_customers_but_not_as_looks() -> None:
    rng = np.random.default_rng(4)
    points = np.concatenate([rng.normal(0, 1, (20, 2)), rng.normal(6, 1, (20, 2))])
    centers = np.array([[0.0, 0.0], [6.0, 6.0]])

    (light,) = find_borders(points, np.ones(40), centers)
    (heavy_one,) = find_borders(points, np.full(40, 1000.0), centers)

    assert heavy_one.depth == pytest.approx(light.depth)
    assert heavy_one.surprise == pytest.approx(light.surprise)


def test_customers_near_a_border_are_counted() -> None:
    points = np.array([[0.0], [0.39], [0.45], [0.55], [1.0]])

    (border,) = find_borders(points, np.ones(5), np.array([[0.0], [1.0]]))

    assert border.near_share == pytest.approx(2 / 5)


def test_ties_are_spread_half_way_and_spikes_as_far_as_the_middle_of_what_comes_next() -> None:
    rng = np.random.default_rng(5)
    levels = np.repeat([1.0, 2.0, 4.0], 100)
    spent = np.where(np.arange(300) < 150, 0.0, rng.normal(5, 0.5, 300))

    spread = spread_ties(np.stack([levels, spent], axis=1), rng)

    assert np.abs(spread[:200, 0] - levels[:200]).max() <= 0.5
    assert np.abs(spread[200:, 0] - 4.0).max() <= 1.0
    assert spread[:150, 1].min() >= 0
    assert spread[:150, 1].max() == pytest.approx(5, abs=0.2)
    assert np.array_equal(spread[150:, 1], spent[150:])


def test_groups_that_only_one_column_of_many_shows_are_apart() -> None:
    rng = np.random.default_rng(6)
    points = rng.normal(size=(3000, 6))
    points[:, 0] += 6 * rng.integers(0, 2, 3000)
    points /= points.std(0)

    assert parting(points, 2) == (2, 0)
