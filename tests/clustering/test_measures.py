"""The kernels' measures of every K at once, against scikit-learn, against Spark, and against the definition."""

import numpy as np
import pytest
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.linalg import Vectors
from pyspark.sql import SparkSession
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_samples

from segmentation.clustering.measures import Evaluation, evaluate_grid, measure_grid, sampling_error, tally_grid
from segmentation.clustering.models import build_model
from segmentation.clustering.points import ArrayPoints, Block, join, work_on_points
from segmentation.clustering.sweeps import stack_centers, tally


def block_of(data: np.ndarray, weights: np.ndarray | None = None) -> Block:
    hashes = np.random.default_rng(len(data)).permutation(len(data)).astype(np.uint64)
    return Block(hashes, data, weights)


def label(data: np.ndarray, centers: np.ndarray) -> np.ndarray:
    nearest: np.ndarray = ((data[:, None, :] - centers[None, :, :]) ** 2).sum(2).argmin(1)
    return nearest


def with_outlier(seed: int) -> np.ndarray:
    return np.vstack([np.random.default_rng(seed).normal(size=(500, 4)), [[1e5, -1e5, 0, 0]], [[1e5 + 1, -1e5, 0, 0]]])


TABLES = {
    "spread": np.random.default_rng(1).normal(size=(700, 3)),
    "skewed": np.random.default_rng(2).lognormal(0, 1.5, size=(900, 5)),
    "a hundred features": np.random.default_rng(3).normal(size=(400, 100)),
    "duplicates": np.random.default_rng(4).integers(0, 3, size=(600, 3)).astype(float),
    "a constant feature": np.hstack([np.random.default_rng(5).normal(size=(300, 2)), np.full((300, 1), 7.0)]),
    "one huge outlier": with_outlier(6),
}


@pytest.mark.parametrize("name", TABLES)
def test_measures_equal_scikit_learn_for_every_k_at_once(name: str) -> None:
    data = TABLES[name]
    grid = {k: data[np.random.default_rng(k).choice(len(data), k, replace=False)] for k in (2, 3, 7)}
    grid = {k: np.unique(centers, axis=0) + 0.01 for k, centers in grid.items()}

    found = measure_grid(ArrayPoints(block_of(data)), grid)

    for k, centers in grid.items():
        labels = label(data, centers)
        present = np.unique(labels)
        each = silhouette_samples(data, labels, metric="sqeuclidean")
        expected = [each[labels == one].mean() for one in present]
        assert found[k].sizes == tuple(np.bincount(labels, minlength=len(centers)))
        assert found[k].wssse == pytest.approx(((data - centers[labels]) ** 2).sum(), rel=1e-9)
        assert found[k].silhouette == pytest.approx(each.mean(), abs=1e-9)
        assert [one for one in found[k].silhouettes if not np.isnan(one)] == pytest.approx(expected, abs=1e-9)
        assert found[k].weakest_silhouette == pytest.approx(min(expected), abs=1e-9)
        assert found[k].calinski_harabasz == pytest.approx(calinski_harabasz_score(data, labels), rel=1e-9)
        assert found[k].davies_bouldin == pytest.approx(davies_bouldin_score(data, labels), rel=1e-9)


def test_silhouette_equals_sparks_evaluator(spark: SparkSession) -> None:
    data = np.vstack([TABLES["skewed"], [[900.0] * 5]])
    frame = spark.createDataFrame(
        [(f"{n}", Vectors.dense(row)) for n, row in enumerate(data.tolist())], ["customer_id", "features"]
    )
    frame = frame.repartition(3).cache()
    grid = {k: data[np.random.default_rng(k).choice(len(data) - 1, k, replace=False)] for k in (2, 5)} | {3: data[[0, 5, -1]]}

    found = work_on_points(frame, lambda points: measure_grid(points, grid), customers=len(data), dimensions=5, seed=1)

    for k, centers in grid.items():
        labelled = build_model(spark, centers, max_iterations=1, seed=1).transform(frame)
        assert found[k].silhouette == pytest.approx(ClusteringEvaluator().evaluate(labelled), abs=1e-9)
    assert min(found[3].sizes) == 1  # a cluster of one is in the comparison


def test_a_row_that_stands_for_customers_counts_as_so_many() -> None:
    data = np.random.default_rng(7).normal(size=(80, 3))
    weights = np.random.default_rng(8).integers(1, 6, size=80).astype(float)
    grid = {k: data[:k] for k in (2, 4)}

    heavy = measure_grid(ArrayPoints(block_of(data, weights)), grid)
    expanded = measure_grid(ArrayPoints(block_of(np.repeat(data, weights.astype(int), axis=0))), grid)

    for k in grid:
        one, other = heavy[k], expanded[k]
        assert one.sizes == other.sizes
        assert one.wssse == pytest.approx(other.wssse, rel=1e-12)
        assert one.silhouette == pytest.approx(other.silhouette, rel=1e-9)
        assert one.davies_bouldin == pytest.approx(other.davies_bouldin, rel=1e-9)
        assert one.calinski_harabasz == pytest.approx(other.calinski_harabasz, rel=1e-9)


def test_a_tie_goes_to_the_first_centre_and_is_counted_once() -> None:
    data = np.array([[0.0], [1.0], [2.0], [1.0]])
    stack = stack_centers({2: np.array([[0.0], [2.0]]), 3: np.array([[2.0], [0.0], [0.0]])})

    total = tally([block_of(data)], stack)

    assert total[:, 1].tolist() == [3, 1, 3, 1, 0]
    assert total[:, 0].tolist() == [2, 2, 4, 0, 0]


@pytest.mark.parametrize(
    ("data", "centers", "effective_k"),
    [
        (np.ones((5, 2)), np.array([[1.0, 1.0], [9.0, 9.0]]), 1),  # one cluster holds all
        (np.ones((5, 2)), np.array([[1.0, 1.0]]), 1),  # fewer centres than K: fewer distinct points
    ],
)
def test_what_one_cluster_leaves_undefined_is_none(data: np.ndarray, centers: np.ndarray, effective_k: int) -> None:
    found = measure_grid(ArrayPoints(block_of(data)), {2: centers})[2]

    undefined = (found.silhouette, found.weakest_silhouette, found.calinski_harabasz, found.davies_bouldin)
    assert undefined == (None, None, None, None)
    assert (found.effective_k, found.wssse) == (effective_k, 0.0)


def test_two_points_as_two_clusters_are_exact() -> None:
    found = measure_grid(ArrayPoints(block_of(np.array([[0.0], [0.0], [3.0], [3.0]]))), {2: np.array([[0.0], [3.0]])})[2]

    assert (found.silhouette, found.davies_bouldin, found.wssse) == (1.0, 0.0, 0.0)
    assert found.calinski_harabasz == calinski_harabasz_score([[0], [0], [3], [3]], [0, 0, 1, 1])


def test_a_sampled_silhouette_stays_within_its_bound_and_says_so() -> None:
    data = TABLES["skewed"]
    whole = ArrayPoints(block_of(data))
    grid = {k: data[:k] for k in (2, 3, 5)}
    exact = measure_grid(whole, grid)

    def estimate(seed: int) -> dict[int, Evaluation]:
        kept = np.random.default_rng(seed).random(len(data)) < 0.5
        sample = Block(whole.block.hashes[kept], data[kept], np.full(kept.sum(), 2.0))
        return evaluate_grid(ArrayPoints(sample), grid, tally_grid(whole, grid), coreset_rows=len(data))

    estimates = [estimate(seed) for seed in range(20)]

    assert all(one[k].silhouette_error == sampling_error(900, 3) > 0 for one in estimates for k in grid)
    off = [abs((one[k].silhouette or 0) - (exact[k].silhouette or 0)) for one in estimates for k in grid]
    assert 0 < max(off) < sampling_error(900, 3)
    assert all(one[k].wssse == exact[k].wssse for one in estimates for k in grid)


def test_joined_blocks_are_in_one_order_wherever_they_came_from() -> None:
    data, hashes = np.random.default_rng(9).normal(size=(50, 2)), np.repeat(np.arange(25, dtype=np.uint64), 2)
    whole = Block(hashes, data, None)
    parts = [Block(hashes[part], data[part], None) for part in (slice(30, 50), slice(0, 11), slice(11, 30))]

    assert np.array_equal(join(parts).points, join([whole]).points)


def test_sampling_error_shrinks_with_the_sample_and_grows_with_the_grid() -> None:
    assert sampling_error(400_000, 11) < 0.52 * sampling_error(100_000, 11)
    assert sampling_error(100_000, 2) < sampling_error(100_000, 19) < 0.025
