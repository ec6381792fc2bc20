"""Distances, runners-up, margins and silhouettes against oracles in numpy and scikit-learn."""

from datetime import date

import numpy as np
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import silhouette_samples

from segmentation.assign.assignments import Keys, build_assignments
from segmentation.clustering.members import measure_members
from segmentation.clustering.models import build_model

KEYS = Keys(("S0001", "S0002", "S0003", "S0004"), date(2020, 1, 1))


def blobs() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(center, 0.3, (60, 2)) for center in ((0, 0), (5, 0), (0, 6))])


def label(spark: SparkSession, centers: np.ndarray, data: np.ndarray) -> DataFrame:
    """Return customers 0000, 0001 ... as a model with these centres labels them."""
    rows = [(f"{n:04d}", Vectors.dense(x)) for n, x in enumerate(data.tolist())]
    model = build_model(spark, centers, max_iterations=20, tolerance=1e-4, seed=1)
    return model.transform(spark.createDataFrame(rows, ["customer_id", "features"]).repartition(3))


def test_distances_runner_up_and_margin_equal_the_oracle(spark: SparkSession) -> None:
    data, centers = blobs(), np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 6.0], [2.0, 2.0]])
    labelled = label(spark, centers, data)

    built = build_assignments(labelled, centers.tolist(), measure_members(labelled, 4), keys=KEYS, run_id="r")
    found = built.orderBy("customer_id").collect()

    distances = np.sqrt(((data[:, None, :] - centers[None, :, :]) ** 2).sum(2))
    order = distances.argsort(1, kind="stable")
    ranked = np.sort(distances, 1)
    assert [row["segment_id"] for row in found] == order[:, 0].tolist()
    assert [row["runner_up_segment_id"] for row in found] == order[:, 1].tolist()
    np.testing.assert_allclose([row["distance"] for row in found], ranked[:, 0], rtol=1e-12)
    np.testing.assert_allclose([row["margin"] for row in found], ranked[:, 1] - ranked[:, 0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        [row["silhouette"] for row in found], silhouette_samples(data, order[:, 0], metric="sqeuclidean"), rtol=1e-9, atol=1e-12
    )


def test_a_tie_has_margin_nought_and_the_smaller_runner_up(spark: SparkSession) -> None:
    centers = np.array([[0.0, 0.0], [2.0, 0.0], [-2.0, 0.0]])
    labelled = label(spark, centers, np.array([[1.0, 0.0], [0.0, 0.0]]))

    built = build_assignments(labelled, centers.tolist(), measure_members(labelled, 3), keys=KEYS, run_id="r")
    tie, middle = built.orderBy("customer_id").collect()

    assert (tie["segment_id"], tie["runner_up_segment_id"], tie["margin"]) == (0, 1, 0.0)
    assert (middle["runner_up_segment_id"], middle["margin"]) == (1, 2.0)
    assert (tie["silhouette"], middle["silhouette"]) == (None, None)  # one segment holds both
