"""Stability and chance against oracles, and that neither depends on where the points lie."""

import itertools

import numpy as np
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import adjusted_rand_score

from segmentation.clustering.agreement import adjusted_rand, cross_tabulate, matched_jaccards
from segmentation.clustering.points import ArrayPoints, Block, PackedPoints, pack
from segmentation.clustering.refits import Refits, Support, draw_sample, permute_columns, resample, support_grid, variance_shares

COLUMNS = ("a", "b", "c")
REFITS = Refits(COLUMNS, seed=1, resamples=8, null_tables=3, max_iterations=50)


def block_of(data: np.ndarray, weights: np.ndarray | None = None) -> Block:
    return Block(np.arange(len(data), dtype=np.uint64), data, weights)


def groups(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.vstack([rng.normal(center, 0.4, (100, 3)) for center in ((0, 0, 0), (6, 0, 3), (0, 6, 6))])


def support(data: np.ndarray, centers: dict[int, np.ndarray], refits: Refits = REFITS) -> dict[int, Support]:
    points = ArrayPoints(block_of(data))
    return support_grid(points, draw_sample(points), centers, refits)


def means_of(data: np.ndarray, *parts: tuple[int, int]) -> np.ndarray:
    return np.array([data[start:end].mean(0) for start, end in parts])


def test_adjusted_rand_equals_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 4, 300), rng.integers(0, 5, 300)
    other[:200] = one[:200]
    copies = rng.integers(1, 5, 300)

    table = cross_tabulate(one, other, copies.astype(float), shape=(4, 5))

    assert adjusted_rand(table) == pytest.approx(adjusted_rand_score(one.repeat(copies), other.repeat(copies)), abs=1e-12)
    assert adjusted_rand(np.diag([3.0, 4.0])) == 1.0


def test_matching_is_the_best_of_all_permutations() -> None:
    table = np.random.default_rng(2).integers(0, 30, (5, 5)).astype(float)
    either = table.sum(1)[:, None] + table.sum(0)[None, :] - table

    found = matched_jaccards(table)

    every = [sum((table / either)[row, column] for row, column in enumerate(order)) for order in itertools.permutations(range(5))]
    assert found.sum() == pytest.approx(max(every))


def test_a_segment_without_a_partner_has_jaccard_nought() -> None:
    assert matched_jaccards(np.array([[5.0], [3.0]])).tolist() == [5 / 8, 0.0]


def test_true_groups_come_back_and_a_split_too_many_does_not() -> None:
    data = groups()
    three, four = means_of(data, (0, 100), (100, 200), (200, 300)), means_of(data, (0, 50), (50, 100), (100, 200), (200, 300))

    found = support(data, {3: three, 4: four})

    assert found[3].adjusted_rand == pytest.approx(1.0)
    assert found[3].weakest == pytest.approx(1.0)
    assert found[4].weakest < 0.8
    assert min(found[4].jaccards[2:]) > found[4].weakest  # the groups left whole
    assert all(low <= mean for low, mean in zip(found[4].lowest_jaccards, found[4].jaccards, strict=True))


def test_permuted_columns_explain_as_much_of_noise_and_less_of_groups() -> None:
    noise = np.random.default_rng(4).random((3000, 3))
    halves = np.array([noise[noise[:, 0] < 0.5].mean(0), noise[noise[:, 0] >= 0.5].mean(0)])
    data = groups()

    of_noise = support(noise, {2: halves})[2]
    of_groups = support(data, {3: means_of(data, (0, 100), (100, 200), (200, 300))})[3]

    explained = 1 - ((noise - halves[(noise[:, 0] >= 0.5).astype(int)]) ** 2).sum() / ((noise - noise.mean(0)) ** 2).sum()
    assert of_noise.permuted.explained == pytest.approx(explained, abs=0.02)  # permuted, two centres find the best cut
    assert of_groups.permuted.explained < 0.85
    assert of_groups.permuted.silhouette is not None
    assert of_groups.permuted.silhouette < 0.7


def test_a_column_keeps_its_values_and_coordinates_of_one_column_stay_together() -> None:
    data = np.random.default_rng(5).normal(size=(200, 3))
    data[:, 2] = data[:, 1] * 10

    mixed = permute_columns(block_of(data), ("a", "b", "b"), np.random.default_rng(1)).points

    assert np.array_equal(np.sort(mixed[:, 0]), np.sort(data[:, 0]))
    assert np.array_equal(np.sort(mixed[:, 1]), np.sort(data[:, 1]))
    assert np.array_equal(mixed[:, 2], mixed[:, 1] * 10)
    assert abs(np.corrcoef(mixed[:, 0], mixed[:, 1])[0, 1]) < 0.3
    assert not np.array_equal(mixed[:, 0], data[:, 0])


def test_a_table_of_one_column_is_compared_with_an_even_one() -> None:
    spikes = np.repeat([[0.0], [5.0], [10.0]], 100, axis=0)

    mixed = permute_columns(block_of(spikes), ("a",), np.random.default_rng(1)).points

    assert (mixed.min() >= 0, mixed.max() <= 10, len(np.unique(mixed)) == 300) == (True, True, True)


def test_a_weighted_row_is_drawn_and_permuted_as_often_as_it_weighs() -> None:
    rare = np.random.default_rng(7).permutation(1000) < 500
    data, weights = np.repeat(rare[:, None], 2, axis=1).astype(float), np.where(rare, 1.0, 9.0)

    drawn = resample(block_of(data, weights), np.random.default_rng(1))
    mixed = permute_columns(block_of(data, weights), ("a", "b"), np.random.default_rng(1))

    assert drawn.weights is not None
    assert drawn.weights.sum() == pytest.approx(5000, rel=0.1)
    assert drawn.weights[drawn.points[:, 0] == 1].sum() / drawn.weights.sum() == pytest.approx(0.1, abs=0.03)
    assert mixed.weights is None
    assert mixed.points.mean(0) == pytest.approx([0.1, 0.1], abs=0.01)


def test_variance_shares_count_weights() -> None:
    data, weights = np.array([[0.0, 0.0], [2.0, 1.0]]), np.array([3.0, 1.0])

    assert variance_shares(block_of(data, weights)) == pytest.approx((0.8, 0.2))


def test_support_is_the_same_wherever_the_points_lie(spark: SparkSession) -> None:
    data = np.random.default_rng(6).lognormal(size=(400, 3))
    rows = [(f"{number}", row) for number, row in enumerate(data.tolist())]
    frame = spark.createDataFrame(rows, "customer_id string, features array<double>")
    centers = {2: data[:2], 4: data[:4]}
    refits = Refits(COLUMNS, seed=3, resamples=3, null_tables=2, max_iterations=30)

    found = []
    for partitions in (1, 3):
        points = PackedPoints(pack(frame.repartition(partitions), seed=1, precision="float64").cache(), 3, "float64")
        found.append(support_grid(points, draw_sample(points), centers, refits))

    assert found[0] == found[1]
