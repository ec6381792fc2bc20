"""The query gives what the model gives, row by row, in DuckDB and in Spark SQL; so does numpy, to the last bit."""

import math
import random
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import SparkSession

from segmentation.assign.assignments import Keys, measure_assignments, select_points
from segmentation.clustering.constants import component_rows, preparation_rows
from segmentation.clustering.models import build_model
from segmentation.clustering.placing import Constants
from segmentation.clustering.preparation import Ingredient, fit_preparation, plan_preparation
from segmentation.clustering.scalers import SCALERS
from segmentation.config.sources import NAME_PATTERN
from segmentation.errors import ModelError
from segmentation.score_sql import check_sql, write_sql

SCHEMA = "customer_id string, spend double, visits decimal(18,6), orders bigint, plan string, size string"
MIXED = [
    Ingredient("spend", "number", log=True, cap=0.95),
    Ingredient("visits", "number", weight=2.0),
    Ingredient("orders", "number", log=True),
    Ingredient("plan", "category", weight=0.5),
    Ingredient("size", "ordinal", order=("S", "it's M", "L")),
]
PLANS = ["gold", "it's", "back\\slash", "${spark.app.name}", "zw\u00f6lf \u8d85", None]
KEYS = Keys(tuple(f"S{number + 1:04d}" for number in range(20)))


def make_rows(customers: int, *, seed: int) -> list[tuple[Any, ...]]:
    rng = random.Random(seed)
    return [
        (
            f"c{number:05d}",
            rng.choice([None, math.nan]) if number % 17 == 0 else rng.lognormvariate(3, 2) * rng.choice([1, 1, 1, -1]),
            None if number % 13 == 0 else Decimal(rng.randrange(50_000_000)).scaleb(-6),
            rng.randrange(1, 40),
            rng.choice(PLANS),
            rng.choice(["S", "it's M", "L", None]),
        )
        for number in range(customers)
    ]


def answers(spark: SparkSession, rows: list[Any], schema: str, text: str, tmp_path: Path) -> list[list[tuple[Any, ...]]]:
    """Return the query's rows by each engine, both reading one file."""
    frame = spark.createDataFrame(rows, schema).coalesce(1)
    frame.write.mode("overwrite").parquet(f"{tmp_path}/features")
    spark.read.parquet(f"{tmp_path}/features").createOrReplaceTempView("features")
    with duckdb.connect() as engine:
        engine.execute(f"CREATE VIEW features AS SELECT * FROM read_parquet('{tmp_path}/features/*.parquet')")
        one = engine.execute(text).fetchall()
    return [sorted(one), sorted(tuple(row) for row in spark.sql(text).collect())]


def assert_scored_alike(
    spark: SparkSession,
    tmp_path: Path,
    ingredients: list[Ingredient],
    *,
    scaler: str,
    pca: int | None = None,
    k: int = 6,
    schema: str = SCHEMA,
) -> None:
    """Hold the query against the assignments on customers of the training and on others."""
    seen = spark.createDataFrame(make_rows(600, seed=1), schema).coalesce(1)
    plan = plan_preparation(seen, ingredients, scaler=scaler, pca_components=pca)
    prepared = fit_preparation(seen, plan)
    points = np.array([row["features"].toArray() for row in prepared.model.transform(seen).select("features").collect()])
    centers = points[:: len(points) // k][:k] + 0.25
    model = PipelineModel([*prepared.model.stages, build_model(spark, centers, max_iterations=1, seed=1)])
    others = [
        *make_rows(700, seed=2),
        ("new", -0.0, Decimal("1e9"), 0, "platinum", "XXL"),
        ("none", None, None, None, None, None),
    ]
    labelled = model.transform(spark.createDataFrame(others, schema).coalesce(1))
    assigned = measure_assignments(
        select_points(labelled).toArrow(), centers.tolist(), [None] * k, keys=KEYS, run_id="r"
    ).to_pylist()

    text = write_sql(preparation_rows(plan, prepared), component_rows(prepared), centers.tolist(), run_id="r")

    expected = sorted((row["customer_id"], row["segment_id"], row["runner_up_segment_id"], row["distance"]) for row in assigned)
    for found in answers(spark, others, schema, text, tmp_path):
        assert [(row[0], row[1], row[3]) for row in found] == [row[:3] for row in expected]
        np.testing.assert_allclose([row[2] for row in found], [row[3] for row in expected], rtol=1e-9, atol=1e-9)
    constants = Constants(preparation_rows(plan, prepared), component_rows(prepared), centers.tolist(), is_nearest=True)
    here = labelled.toArrow()
    points = constants.points(here)
    segments, squares = constants.place(points)
    assert segments.tolist() == here["prediction"].to_pylist()
    by_model = np.array([row["features"].toArray() for row in labelled.select("features").collect()])
    if pca is None:
        np.testing.assert_array_equal(points, by_model)
    np.testing.assert_allclose(points, by_model, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(sorted(np.sqrt(squares)), sorted(row[3] for row in expected), rtol=1e-12, atol=1e-12)
    assert len({row[1] for row in expected}) > min(k, 3) - 1


def test_features_called_like_the_columns_of_a_query(spark: SparkSession, tmp_path: Path) -> None:
    names = {"spend": "order", "visits": "limit", "orders": "n_1", "plan": "group", "size": "f"}
    ingredients = [replace(one, name=names[one.name]) for one in MIXED]
    schema = ", ".join(f"{names.get(name, name)} {kind}" for name, kind in re.findall(r"(\w+) ([\w()]+(?:,\d+\))?)", SCHEMA))

    assert_scored_alike(spark, tmp_path, ingredients, scaler="standard", schema=schema)


def test_a_feature_may_be_called_by_any_word_of_sql() -> None:
    words = [row[0] for row in duckdb.sql("SELECT keyword_name FROM duckdb_keywords()").fetchall()]
    names = sorted(word for word in words if NAME_PATTERN.fullmatch(word))
    assert {"limit", "group", "order", "default"} <= set(names)
    kinds: list[dict[str, Any]] = [{"kind": "missing"}, {"kind": "level", "level": "a"}]

    with duckdb.connect() as engine:
        for name in names:
            rows = [{**kind, "position": place, "source_column": name, "weight": 1.0} for place, kind in enumerate(kinds)]
            source = f"(SELECT 'c' AS customer_id, 'a' AS \"{name}\")"

            text = write_sql(rows, [], [[0.0, 0.0], [0.0, 1.0]], run_id="r", source=source)

            assert engine.execute(text).fetchall() == [("c", 1, 0.0, 0)]


@pytest.mark.parametrize("scaler", list(SCALERS))
def test_every_scaler_in_both_engines(spark: SparkSession, tmp_path: Path, scaler: str) -> None:
    assert_scored_alike(spark, tmp_path, MIXED, scaler=scaler)


@pytest.mark.parametrize(("pca", "k"), [(3, 6), (None, 1), (None, 2)])
def test_components_and_few_segments(spark: SparkSession, tmp_path: Path, pca: int | None, k: int) -> None:
    assert_scored_alike(spark, tmp_path, MIXED, scaler="standard", pca=pca, k=k)


def test_categories_alone(spark: SparkSession, tmp_path: Path) -> None:
    assert_scored_alike(spark, tmp_path, MIXED[3:4], scaler="standard", k=3)


def test_of_centres_equally_near_the_smallest_number_wins(spark: SparkSession, tmp_path: Path) -> None:
    schema = "customer_id string, a double, b double"
    rows = [(f"{a}/{b}", float(a), float(b)) for a in range(-4, 5) for b in range(-4, 5)]
    frame = spark.createDataFrame(rows, schema).coalesce(1)
    plan = plan_preparation(frame, [Ingredient("a", "number"), Ingredient("b", "number")], scaler="none", pca_components=None)
    prepared = fit_preparation(frame, plan)
    centers = np.array([[2.0, 2.0], [-2.0, 2.0], [2.0, -2.0], [-2.0, -2.0], [2.0, 2.0]])
    model = PipelineModel([*prepared.model.stages, build_model(spark, centers, max_iterations=1, seed=1)])
    assigned = measure_assignments(
        select_points(model.transform(frame)).toArrow(), centers.tolist(), [None] * 5, keys=KEYS, run_id="r"
    ).to_pylist()

    text = write_sql(preparation_rows(plan, prepared), [], centers.tolist(), run_id="r")

    ties = [row for row in assigned if row["margin"] == 0]
    assert len(ties) >= 17 + 16  # on the axes, and wherever the doubled centre is nearest
    expected = sorted((row["customer_id"], row["segment_id"], row["distance"], row["runner_up_segment_id"]) for row in assigned)
    one, other = answers(spark, rows, schema, text, tmp_path)
    assert one == other == expected


@pytest.mark.parametrize("chosen", [{"algorithm": "gaussian_mixture"}, {"algorithm": "bisecting_kmeans"}, None])
def test_another_algorithm_is_refused_in_a_line(chosen: dict[str, str] | None) -> None:
    with pytest.raises(ModelError, match=r"run r: expected a model of kmeans, which SQL can tell, found (gaussian|bisec|none)"):
        check_sql(chosen, "r")
