"""The preparation is genuine Spark ML, says what it leaves out, and carries centres back to units."""

import math
from typing import Any

import numpy as np
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.clustering.preparation import Ingredient, Prepared, fit_preparation, plan_preparation
from segmentation.clustering.scalers import SCALERS
from segmentation.errors import ModelError

SCHEMA = "customer_id string, spend double, visits double, constant double, void double, plan string, size string"
ROWS = [
    # id, spend, visits, constant, void, plan, size
    ("1", 0.0, 1.0, 7.0, None, "basic", "S"),
    ("2", 10.0, None, 7.0, None, "gold", "M"),
    ("3", -20.0, 3.0, 7.0, None, None, "L"),
    ("4", 1000.0, 8.0, 7.0, None, "basic", "L"),
]
SPEND, VISITS = Ingredient("spend", "number", log=True), Ingredient("visits", "number", weight=2.0)
PLAN, SIZE = Ingredient("plan", "category", weight=0.5), Ingredient("size", "ordinal", order=("S", "M", "L"))


def features(spark: SparkSession, rows: list[Any] = ROWS) -> DataFrame:
    return spark.createDataFrame(rows, SCHEMA).coalesce(1)


def fit(frame: DataFrame, *ingredients: Ingredient, scaler: Any = "standard", pca: int | None = None) -> Prepared:
    return fit_preparation(frame, plan_preparation(frame, ingredients, scaler=scaler, pca_components=pca))


def vectors(prepared: Prepared, frame: DataFrame) -> np.ndarray:
    rows = prepared.model.transform(frame).orderBy("customer_id").select(vector_to_array(F.col("features")).alias("x"))
    return np.array([row["x"] for row in rows.collect()])


def test_numbers_are_imputed_logged_scaled_and_weighted(spark: SparkSession) -> None:
    prepared = fit(features(spark), SPEND, VISITS)

    logged = np.array([0, math.log(11), -math.log(21), math.log(1001)])
    visits = np.array([1.0, 3.0, 3.0, 8.0])  # the median of 1, 3, 8 stands in
    expected = np.column_stack(
        [
            (logged - logged.mean()) / logged.std(ddof=1),
            2 * (visits - visits.mean()) / visits.std(ddof=1),
            2 * np.array([0, 1, 0, 0]),  # the missing-flag
        ]
    )
    np.testing.assert_allclose(vectors(prepared, features(spark)), expected, atol=1e-12)
    assert [one.feature for one in prepared.coordinates] == ["spend", "visits", "visits=(missing)"]


@pytest.mark.parametrize("scaler", list(SCALERS))
def test_coordinates_come_back_in_original_units(spark: SparkSession, scaler: str) -> None:
    prepared = fit(features(spark), SPEND, VISITS, SIZE, scaler=scaler)

    points = vectors(prepared, features(spark))

    back = [[c.to_original(v) for c, v in zip(prepared.coordinates, p, strict=True)] for p in points.tolist()]
    np.testing.assert_allclose(back, [[0, 1, 0, 0], [10, 3, 1, 1], [-20, 3, 2, 0], [1000, 8, 2, 0]], rtol=1e-9, atol=1e-9)


def test_a_missing_category_is_a_level_and_an_unseen_one_is_none(spark: SparkSession) -> None:
    prepared = fit(features(spark), PLAN)
    unseen = features(spark, [("9", 0.0, 0.0, 7.0, None, "platinum", "S")])

    assert [one.feature for one in prepared.coordinates] == ["plan=(missing)", "plan=basic", "plan=gold"]
    assert vectors(prepared, features(spark)).tolist() == [[0, 0.5, 0], [0, 0, 0.5], [0.5, 0, 0], [0, 0.5, 0]]
    assert vectors(prepared, unseen).tolist() == [[0, 0, 0]]


def test_constant_and_empty_columns_are_named_and_left_out(spark: SparkSession) -> None:
    frame = features(spark)
    plan = plan_preparation(
        frame, [SPEND, Ingredient("constant", "number"), Ingredient("void", "number")], scaler="standard", pca_components=None
    )

    assert plan.dropped == {"constant": "the same value 7.0 everywhere", "void": "no value at all"}
    assert vectors(fit_preparation(frame, plan), frame).shape == (4, 1)


def test_nothing_left_to_cluster_on_is_one_line(spark: SparkSession) -> None:
    with pytest.raises(ModelError, match=r"a feature that differs between customers, found constant: the same value 7\.0"):
        fit(features(spark), Ingredient("constant", "number"))


def test_caps_pull_in_and_drop_nobody(spark: SparkSession) -> None:
    rows = [(str(n), float(n), 1.0, 0.0, None, "a", "S") for n in range(100)] + [("x", 1e9, 1.0, 0.0, None, "a", "S")]

    prepared = fit(features(spark, rows), Ingredient("spend", "number", cap=0.95), scaler="minmax")

    points = vectors(prepared, features(spark, rows))[:, 0]
    assert len(points) == 101
    assert np.isclose(sorted(points), 1.0).sum() == 6  # the upper cap is 95, so 95 to 99 and the giant share it


def test_pca_clusters_on_components(spark: SparkSession) -> None:
    prepared = fit(features(spark), SPEND, VISITS, SIZE, pca=2)

    assert vectors(prepared, features(spark)).shape == (4, 2)
    with pytest.raises(ModelError, match="pca_components: expected at most 1, found 2"):
        fit(features(spark), SPEND, pca=2)
