"""The fused solver against MLlib's, and against itself: partitions, order, one task or many."""

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import first_row
from pyspark import cloudpickle
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import adjusted_rand_score

from segmentation.clustering.fused import Settings, Solution, solve_grid
from segmentation.clustering.lloyd import descend
from segmentation.clustering.models import build_model, summarize_model
from segmentation.clustering.points import ArrayPoints, Block, PackedPoints, join, pack, work_on_points
from segmentation.clustering.seeding import choose_coreset, seed_grid, spread_centers
from segmentation.clustering.sweeps import total_moments
from segmentation.errors import ModelError
from segmentation.synthetic import generate_mixture, generate_skewed

SETTINGS = Settings(k_values=(2, 3, 5), seeds=(1, 2), max_iterations=100, min_gain=0.0)


def in_memory(data: np.ndarray, weights: np.ndarray | None = None) -> ArrayPoints:
    return ArrayPoints(Block(np.arange(len(data), dtype=np.uint64), data, weights))


def frame_of(spark: SparkSession, data: np.ndarray) -> DataFrame:
    rows = [(f"{n:05d}", Vectors.dense(row)) for n, row in enumerate(data.tolist())]
    return spark.createDataFrame(rows, ["customer_id", "features"]).coalesce(2).cache()


def prepared_of(frame: DataFrame) -> DataFrame:
    names = [name for name in frame.columns if name not in ("customer_id", "true_segment")]
    return VectorAssembler(inputCols=names, outputCol="features").transform(frame).select("customer_id", "features")


def solve(frame: DataFrame, settings: Settings = SETTINGS, **options: Any) -> list[Solution]:
    sizes = {"customers": frame.count(), "dimensions": len(first_row(frame)["features"])}
    return work_on_points(frame, lambda points: solve_grid(points, settings), seed=settings.seeds[0], **(sizes | options))


def labels_of(centers: np.ndarray, data: np.ndarray) -> np.ndarray:
    nearest: np.ndarray = ((data[:, None, :] - centers[None, :, :]) ** 2).sum(2).argmin(1)
    return nearest


def skewed_data() -> np.ndarray:
    rng = np.random.default_rng(3)
    data = np.hstack([rng.lognormal(0, 1, size=(600, 3)), np.full((600, 1), 2.5)])
    return np.vstack([data, data[:40], [[300.0, 0.0, 0.0, 2.5]]])


PARITY = {
    "skewed, with duplicates, an outlier and a constant": (skewed_data(), None),
    "a hundred features": (np.random.default_rng(4).normal(size=(300, 100)), None),
    "weights": (skewed_data(), np.random.default_rng(5).integers(1, 9, size=641).astype(float)),
}


@pytest.mark.parametrize("name", PARITY)
def test_from_mllibs_own_seeds_both_end_at_the_same_labels(spark: SparkSession, name: str) -> None:
    data, weights = PARITY[name]
    rows = [(Vectors.dense(row), 1.0 if weights is None else float(weights[n])) for n, row in enumerate(data.tolist())]
    frame = spark.createDataFrame(rows, ["features", "weight"]).coalesce(1).cache()
    estimator = KMeans(k=5, seed=11, solver="row", maxIter=1, tol=0.0, weightCol="weight")
    seeds = np.array(estimator.fit(frame).clusterCenters())
    theirs = np.array(estimator.setMaxIter(200).fit(frame).clusterCenters())

    ours = descend(in_memory(data, weights), {5: seeds}, max_iterations=200, min_gain=0.0)[5]

    assert ours.converged
    assert np.array_equal(labels_of(ours.centers, data), labels_of(theirs, data))
    np.testing.assert_allclose(ours.centers, theirs, rtol=0, atol=1e-9)


def test_partitions_order_and_tasks_change_neither_labels_nor_centres(spark: SparkSession) -> None:
    frame = prepared_of(generate_skewed(spark, customers=20_000, features=5, seed=8)).cache()
    data = np.array([row["features"].toArray() for row in frame.collect()])
    settings = Settings(k_values=(2, 4, 6), seeds=(5,), max_iterations=60, min_gain=1e-4, coreset_rows=5000)

    alone = solve(frame.repartition(3), settings)
    packed = [solve(frame.repartition(parts), settings, local_bytes=0, precision="float64") for parts in (1, 2, 16)]

    for other in packed:
        for (fit, found), (same, again) in zip(alone, other, strict=True):
            assert (fit.seed, fit.iterations, fit.converged) == (same.seed, same.iterations, same.converged)
            assert np.array_equal(labels_of(fit.centers, data), labels_of(same.centers, data))
            np.testing.assert_allclose(fit.centers, same.centers, rtol=0, atol=1e-9)
            assert found.silhouette == pytest.approx(again.silhouette, abs=1e-9)
            assert found.sizes == again.sizes


def test_float32_blocks_lead_to_the_segments_of_float64(spark: SparkSession) -> None:
    frame = prepared_of(generate_mixture(spark, customers=3000, features=4, shares=[5, 3, 2], seed=2)).cache()
    data = np.array([row["features"].toArray() for row in frame.collect()])

    exact, packed = (solve(frame, local_bytes=0, precision=precision) for precision in ("float64", "float32"))

    for (fit, found), (same, again) in zip(exact, packed, strict=True):
        assert np.array_equal(labels_of(fit.centers, data), labels_of(same.centers, data))
        assert found.wssse == pytest.approx(again.wssse, rel=1e-6)


def test_planted_groups_are_found(spark: SparkSession) -> None:
    frame = generate_mixture(spark, customers=2000, features=4, shares=[40, 30, 20, 7, 3], seed=3).cache()
    truth = [row["true_segment"] for row in frame.collect()]
    data = np.array([row["features"].toArray() for row in prepared_of(frame).collect()])

    (fit, found) = solve(prepared_of(frame), Settings((5,), (1,), 100, 1e-5))[0]

    assert adjusted_rand_score(truth, labels_of(fit.centers, data)) >= 0.99
    assert found.smallest_share == pytest.approx(0.03, abs=0.01)


def test_a_small_table_costs_one_job(spark: SparkSession) -> None:
    frame = prepared_of(generate_skewed(spark, customers=500, features=4, seed=1)).repartition(4).cache()
    frame.count()
    context = spark.sparkContext
    context.setJobGroup("grid of a small table", "")

    work_on_points(frame, lambda points: solve_grid(points, SETTINGS), customers=500, dimensions=4, seed=1)

    tracker = context.statusTracker()
    jobs = tracker.getJobIdsForGroup("grid of a small table")
    context.setJobGroup("", "")
    assert len(jobs) == 1


def test_fewer_distinct_points_than_k_are_reported(spark: SparkSession) -> None:
    data = np.repeat(np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 9.0]]), 20, axis=0)

    for local_bytes in (0, 10_000):
        solutions = solve(frame_of(spark, data), local_bytes=local_bytes)

        assert [found.effective_k for _, found in solutions] == [2, 3, 3]
        assert [len(fit.centers) for fit, _ in solutions] == [2, 3, 3]
        assert solutions[1][1].wssse == 0.0


def test_all_customers_alike_are_one_segment(spark: SparkSession) -> None:
    (fit, found), *_ = solve(frame_of(spark, np.full((30, 2), 3.0)))

    assert (fit.centers.tolist(), found.effective_k, found.silhouette) == ([[3.0, 3.0]], 1, None)


@pytest.mark.parametrize("local_bytes", [0, 10_000])
def test_a_feature_that_is_no_number_is_refused_in_words(spark: SparkSession, local_bytes: int) -> None:
    frame = frame_of(spark, np.array([[0.0, 1.0], [float("nan"), 2.0], [3.0, 4.0]]))

    with pytest.raises(ModelError, match="features: expected finite numbers, found NaN or infinity"):
        solve(frame, local_bytes=local_bytes)


def test_a_centre_without_members_stays_as_in_mllib() -> None:
    data = np.array([[0.0], [1.0], [2.0]])

    ended = descend(in_memory(data), {2: np.array([[1.5], [90.0]])}, max_iterations=10, min_gain=0.0)[2]

    assert ended.centers.tolist() == [[1.0], [90.0]]
    assert ended.tally.counts.tolist() == [3.0, 0.0]


def test_iterations_never_cost_and_a_limit_is_told() -> None:
    data = np.random.default_rng(6).lognormal(size=(500, 3))
    starts = {k: data[:k] for k in (2, 6)}

    costs = [descend(in_memory(data), starts, max_iterations=limit, min_gain=0.0)[6] for limit in range(1, 9)]

    assert all(later.wssse <= sooner.wssse for sooner, later in pairwise(costs))
    assert [one.iterations for one in costs[:3]] == [1, 2, 3]
    assert not costs[0].converged
    assert costs[0].gain > 0


def test_every_k_becomes_a_genuine_model_with_a_truthful_summary(spark: SparkSession, tmp_path: Path) -> None:
    frame = prepared_of(generate_skewed(spark, customers=800, features=4, seed=4)).coalesce(1).cache()

    for fit, found in solve(frame):
        model = build_model(spark, fit.centers, max_iterations=100, seed=fit.seed)
        summarize_model(model, frame, iterations=fit.iterations, wssse=found.wssse)
        path = str(tmp_path / str(fit.k))
        PipelineModel([model]).write().save(path)
        loaded = PipelineModel.load(path)
        labelled = loaded.transform(frame)
        sizes = {row["prediction"]: row["count"] for row in labelled.groupBy("prediction").count().collect()}
        assert isinstance(loaded.stages[0], KMeansModel)
        assert [sizes[segment] for segment in range(fit.k)] == list(found.sizes)
        assert ClusteringEvaluator().evaluate(labelled) == pytest.approx(found.silhouette, abs=1e-9)
        assert (model.summary.trainingCost, model.summary.numIter) == (found.wssse, fit.iterations)
        assert model.summary.clusterSizes == [sizes[segment] for segment in range(fit.k)]
        true_cost = sum(min(float(row["features"].squared_distance(center)) for center in fit.centers) for row in frame.collect())
        assert found.wssse == pytest.approx(true_cost, rel=1e-9)


def test_the_coreset_stands_for_the_table_and_keeps_the_great() -> None:
    data = np.random.default_rng(7).lognormal(0, 1.2, size=(60_000, 3))
    whole = in_memory(data)
    whole = ArrayPoints(Block(np.random.default_rng(1).integers(0, 2**64, len(data), np.uint64), data, None))
    moments = whole.total(total_moments)

    coreset = choose_coreset(whole.block, moments=moments, rows=6000)
    in_parts = join([choose_coreset(Block(h, x, None), moments=moments, rows=6000) for h, x in split(whole.block, 9)])

    assert coreset.weights is not None
    assert 4000 < len(coreset.points) < 6300  # those kept for certain count once, though more would be due to them
    assert coreset.weights.sum() == pytest.approx(60_000, rel=0.05)
    heaviest = np.argsort(data.sum(1))[-20:]
    assert np.isin(whole.block.hashes[heaviest], coreset.hashes).mean() > 0.7  # a tenth of the rows, most of the great
    joined = join([coreset])
    assert joined.weights is not None
    assert in_parts.weights is not None
    assert np.array_equal(joined.points, in_parts.points)
    assert np.array_equal(joined.weights, in_parts.weights)
    centers = data[:4]
    costs = [points.total(lambda blocks: cost(blocks, centers)) for points in (whole, ArrayPoints(coreset))]
    assert costs[1] == pytest.approx(costs[0], rel=0.05)


def split(block: Block, parts: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(np.array_split(block.hashes, parts), np.array_split(block.points, parts), strict=True))


def cost(blocks: Any, centers: np.ndarray) -> np.ndarray:
    one = join(list(blocks))
    weights = np.ones(len(one.points)) if one.weights is None else one.weights
    return np.array(float(weights @ ((one.points[:, None, :] - centers[None, :, :]) ** 2).sum(2).min(1)))


def test_a_table_of_the_size_of_the_coreset_is_its_own() -> None:
    whole = in_memory(np.random.default_rng(8).normal(size=(50, 2)))

    assert choose_coreset(whole.block, moments=whole.total(total_moments), rows=50) is whole.block


def test_seeds_beat_one_plain_start_on_skewed_data() -> None:
    points = in_memory(np.random.default_rng(10).lognormal(0, 1.3, size=(4000, 4)))
    k_values = range(2, 10)

    seeded = seed_grid(points.block, k_values=k_values, seeds=(1, 2), max_iterations=100)
    plain = spread_centers(points.block, 9, np.random.default_rng(1))

    ours = descend(points, {k: centers for k, (_, centers) in seeded.items()}, max_iterations=100, min_gain=1e-5)
    theirs = descend(points, {k: plain[:k] for k in k_values}, max_iterations=100, min_gain=1e-5)
    assert all(ours[k].wssse <= theirs[k].wssse * 1.001 for k in k_values)
    assert any(ours[k].wssse < theirs[k].wssse * 0.99 for k in k_values)
    assert all(ours[k + 1].wssse < ours[k].wssse for k in range(2, 9))


def test_weights_travel_with_the_blocks(spark: SparkSession) -> None:
    rows = [(str(n), [float(n), 1.0], n + 1) for n in range(6)]
    frame = spark.createDataFrame(rows, "customer_id string, features array<double>, copies int").repartition(2)

    packed = PackedPoints(pack(frame, seed=1, precision="float64", weight="copies"), 2, "float64")

    copies = np.arange(6) + 1
    expected = [(copies * np.arange(6)).sum(), 21, 21, (copies * (np.arange(6) ** 2 + 1)).sum(), 6]
    assert packed.total(total_moments).tolist() == expected


def test_kernels_run_where_the_package_is_not_installed(
    run_command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    dumped, points = tmp_path / "job", in_memory(np.arange(40.0).reshape(20, 2))
    dumped.write_bytes(cloudpickle.dumps(lambda: solve_grid(points, SETTINGS)))  # type: ignore[no-untyped-call]
    program = (
        "import sys, pickle; sys.modules['segmentation'] = None\n"
        f"print([found.sizes for _, found in pickle.load(open({str(dumped)!r}, 'rb'))()])"
    )

    done = run_command(sys.executable, "-c", program, cwd=tmp_path)

    assert done.stdout.startswith("[(10.0, 10.0)"), done.stderr
