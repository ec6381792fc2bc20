"""MLlib's grid, order, model and assignments against oracles in numpy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from conftest import first_row
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession

from segmentation.assign.assignments import build_assignments
from segmentation.clustering.fits import Fit, count_partitions, lay_out
from segmentation.clustering.fused import Settings, find_starts, solve_grid
from segmentation.clustering.measures import Evaluation, measure_grid
from segmentation.clustering.members import measure_members
from segmentation.clustering.mllib import evaluate_fits, fit_kmeans
from segmentation.clustering.models import build_model, canonical_order
from segmentation.clustering.points import Points, work_on_points
from segmentation.config.schema import Clustering
from segmentation.grid.solve import choose_solver


def settings(*k_values: int) -> Settings:
    return Settings(k_values=k_values, seeds=(1, 2), max_iterations=50, min_gain=0.0)


def on_points(frame: DataFrame, work: Callable[[Points], Any]) -> Any:
    return work_on_points(frame, work, customers=frame.count(), dimensions=len(first_row(frame)["features"]), seed=1)


def fit(frame: DataFrame, k_values: tuple[int, ...]) -> list[Fit]:
    starts = on_points(frame, partial(find_starts, settings=settings(*k_values)))
    return fit_kmeans(frame, starts, max_iterations=50, tolerance=1e-4)


def blobs(seed: int = 0, each: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.vstack([rng.normal(center, 0.3, (each, 2)) for center in ((0, 0), (5, 0), (0, 6))])


def points(spark: SparkSession, data: np.ndarray, order: Any = None) -> DataFrame:
    rows = [(f"{n:04d}", Vectors.dense(x)) for n, x in enumerate(data.tolist())]
    rows = rows if order is None else [rows[index] for index in order]
    return lay_out(spark.createDataFrame(rows, ["customer_id", "features"]).repartition(3), partitions=1).cache()


def model_of(spark: SparkSession, centers: np.ndarray) -> KMeansModel:
    return build_model(spark, centers, max_iterations=20, tolerance=1e-4, seed=1)


def evaluate(frame: DataFrame, centers: np.ndarray) -> Evaluation:
    customers, dimensions = frame.count(), centers.shape[1]
    return work_on_points(
        frame, lambda packed: measure_grid(packed, {1: centers})[1], customers=customers, dimensions=dimensions, seed=1
    )


def squares(data: np.ndarray, centers: np.ndarray) -> np.ndarray:
    apart: np.ndarray = ((data[:, None, :] - centers[None, :, :]) ** 2).sum(2)
    return apart


def silhouettes(data: np.ndarray, labels: np.ndarray) -> list[float]:
    distances = squares(data, data)
    scores = []
    for i, own in enumerate(labels):
        a = distances[i, labels == own].sum() / max((labels == own).sum() - 1, 1)
        b = min(distances[i, labels == other].mean() for other in set(labels.tolist()) - {own})
        scores.append(0.0 if (labels == own).sum() == 1 else (b - a) / max(a, b))
    return scores


def test_wssse_is_of_the_returned_centres_where_sparks_cost_is_stale(spark: SparkSession) -> None:
    data = np.random.default_rng(5).normal(size=(300, 3))
    frame = points(spark, data)
    stopped_early = KMeans(k=4, seed=3, maxIter=1).fit(frame)

    found = evaluate(frame, np.array(stopped_early.clusterCenters())).wssse

    true = squares(data, np.array(stopped_early.clusterCenters())).min(1).sum()
    assert found == pytest.approx(true, rel=1e-9)
    assert stopped_early.summary.trainingCost > true * 1.0001


def test_the_grid_finds_planted_groups_and_costs_fall_with_k(spark: SparkSession) -> None:
    frame = points(spark, blobs())

    fits = fit(frame, k_values=(2, 3, 4))
    found = [evaluate(frame, fit.centers) for fit in fits]

    assert [fit.k for fit in fits] == [2, 3, 4]
    assert sorted(found[1].sizes) == [60, 60, 60]
    assert found[0].wssse > found[1].wssse > found[2].wssse
    assert all(fit.converged for fit in fits)


def test_row_order_changes_nothing(spark: SparkSession) -> None:
    data = np.random.default_rng(2).normal(size=(200, 3))

    one = fit(points(spark, data), k_values=(5,))[0]
    other = fit(points(spark, data, np.random.default_rng(9).permutation(200)), k_values=(5,))[0]

    assert np.array_equal(one.centers, other.centers)


def test_fewer_distinct_points_than_k_are_told_not_crashed_on(spark: SparkSession) -> None:
    frame = points(spark, np.array([[0.0, 0.0], [1.0, 1.0]] * 20))

    (found,) = fit(frame, k_values=(5,))

    assert evaluate(frame, found.centers).effective_k == 2


def test_mllib_ends_where_the_fused_solver_does_and_spark_measures_the_same(spark: SparkSession) -> None:
    frame = points(spark, blobs())

    fits = fit(frame, k_values=(2, 3))
    fused = on_points(frame, partial(solve_grid, settings=settings(2, 3)))
    measured = on_points(frame, partial(measure_grid, centers={one.k: one.centers for one in fits}))
    by_spark = evaluate_fits(frame, fits, measured)

    for one, (other, _) in zip(fits, fused, strict=True):
        np.testing.assert_allclose(one.centers, other.centers, atol=1e-9)
        assert by_spark[one.k].silhouette == pytest.approx(measured[one.k].silhouette, abs=1e-9)


def test_one_cluster_has_no_silhouette(spark: SparkSession) -> None:
    found = evaluate(points(spark, blobs()), np.array([[0.0, 0.0], [900.0, 900.0]]))

    assert (found.silhouette, found.effective_k) == (None, 1)


def test_segments_are_ordered_whatever_order_they_were_found_in() -> None:
    centers = np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 9.0]])
    sizes = [10, 30, 20]
    shuffled = [2, 0, 1]

    by_second = centers[canonical_order(centers, sizes, by=1)]
    by_size = centers[canonical_order(centers, sizes, by=None)]

    assert by_second.tolist() == [[2.0, 9.0], [3.0, 5.0], [1.0, 5.0]]
    assert by_size.tolist() == [[3.0, 5.0], [2.0, 9.0], [1.0, 5.0]]
    again = centers[shuffled][canonical_order(centers[shuffled], [sizes[index] for index in shuffled], by=1)]
    assert again.tolist() == by_second.tolist()


def test_distances_runner_up_and_margin_equal_the_oracle(spark: SparkSession) -> None:
    data, centers = blobs(), np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 6.0], [2.0, 2.0]])
    labelled = model_of(spark, centers).transform(points(spark, data))

    built = build_assignments(labelled, centers.tolist(), measure_members(labelled, 4), run_id="r")
    found = built.orderBy("customer_id").collect()

    distances = np.sqrt(squares(data, centers))
    order = distances.argsort(1, kind="stable")
    ranked = np.sort(distances, 1)
    assert [row["segment_id"] for row in found] == order[:, 0].tolist()
    assert [row["runner_up_segment_id"] for row in found] == order[:, 1].tolist()
    np.testing.assert_allclose([row["distance"] for row in found], ranked[:, 0], rtol=1e-12)
    np.testing.assert_allclose([row["margin"] for row in found], ranked[:, 1] - ranked[:, 0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([row["silhouette"] for row in found], silhouettes(data, order[:, 0]), rtol=1e-9, atol=1e-12)


def test_a_tie_has_margin_nought_and_the_smaller_runner_up(spark: SparkSession) -> None:
    centers = np.array([[0.0, 0.0], [2.0, 0.0], [-2.0, 0.0]])
    labelled = model_of(spark, centers).transform(points(spark, np.array([[1.0, 0.0], [0.0, 0.0]])))

    built = build_assignments(labelled, centers.tolist(), measure_members(labelled, 3), run_id="r")
    tie, middle = built.orderBy("customer_id").collect()

    assert (tie["segment_id"], tie["runner_up_segment_id"], tie["margin"]) == (0, 1, 0.0)
    assert (middle["runner_up_segment_id"], middle["margin"]) == (1, 2.0)
    assert (tie["silhouette"], middle["silhouette"]) == (None, None)  # one segment holds both


def test_the_layout_depends_on_customers_alone() -> None:
    assert [count_partitions(customers) for customers in (1, 50_000, 50_001, 1_000_000)] == [1, 1, 2, 20]


@pytest.mark.parametrize(
    ("asked", "solver"),
    [
        ({}, "fused"),
        ({"solver": "fused"}, "fused"),
        ({"solver": "mllib"}, "mllib"),
        ({"algorithm": "gaussian_mixture"}, "mllib"),
    ],
)
def test_the_fused_solver_is_taken_unless_mllib_is_asked_for(asked: dict[str, str], solver: str) -> None:
    assert choose_solver(Clustering.model_validate(asked)) == solver
