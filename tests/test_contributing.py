"""The recipes of CONTRIBUTING.md can be cooked: what their code makes is put where they say, and the program uses it."""

import re
import runpy
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from pyspark.ml.linalg import Vectors
from pyspark.sql import SparkSession

from segmentation import catalogue
from segmentation.catalogue import FEATURES
from segmentation.clustering.alternates import ALGORITHMS, fit_alternates
from segmentation.clustering.preparation import Ingredient, fit_preparation, plan_preparation
from segmentation.clustering.scalers import SCALERS
from segmentation.config.schema import Warehouse
from segmentation.config.sources import SourceSpec
from segmentation.features.orders import build_order_features
from segmentation.frames import spark_schema
from segmentation.ingest.columns import SourceColumn
from segmentation.ingest.files import read_source
from segmentation.ingest.formats import FORMATS
from segmentation.segments.naming_rules import RULES, Rule, find_archetype, list_levels
from segmentation.tables import TRANSACTIONS
from segmentation.warehouse.lake import open_lake

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = {
    title: (re.findall(r"`([^`]+)`", files), code)
    for title, files, code in re.findall(r"### (.+?)\n\nFiles: (.+?)\n.*?```python\n(.*?)```", TEXT, flags=re.S)
}
TITLES = ["A feature", "A scaler", "An algorithm", "A source format", "A naming rule", "A table"]


def cook(title: str) -> dict[str, Any]:
    """Run a recipe's code in the module that it belongs to; return what it makes."""
    files, code = RECIPES[title]
    kitchen = dict(vars(import_module(files[0].removesuffix(".py").replace("/", "."))))
    exec(code, kitchen)
    return kitchen


def test_there_is_a_recipe_for_each_kind_of_addition() -> None:
    assert list(RECIPES) == TITLES
    assert len(RECIPES["A feature"][0]) <= 2


@pytest.mark.parametrize("title", TITLES)
def test_a_recipe_names_files_that_are_there(title: str) -> None:
    whole = TEXT[TEXT.index(f"### {title}\n") :].split("\n### ", 1)[0]
    named = set(re.findall(r"`((?:segmentation|tests|scripts)/[\w/]+\.py)", whole))

    assert named >= set(RECIPES[title][0])
    assert [one for one in named if not (ROOT / one).is_file()] == []


def test_a_feature_of_the_recipe_is_built(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "FEATURES", (*FEATURES, cook("A feature")["new"]))
    day, one = datetime(2024, 1, 5, tzinfo=UTC), Decimal(1)
    rows = [("r", "a", order, day, None, None, one, one, one, Decimal(0), False) for order in ("o1", "o1", "o2")]

    built = build_order_features(
        spark.createDataFrame(rows, spark_schema(TRANSACTIONS)), as_of=date(2024, 2, 1), max_quantity=None, categories={}
    )

    assert [row["lines_per_order"] for row in built.collect()] == [1.5]


def test_a_scaler_of_the_recipe_scales_and_carries_back(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCALERS, "new", cook("A scaler")["new"])
    frame = spark.createDataFrame([("a", 2.0), ("b", 4.0), ("c", 9.0)], "customer_id string, spend double")
    plan = plan_preparation(frame, [Ingredient("spend", "number")], scaler="new", pca_components=None)

    prepared = fit_preparation(frame, plan)

    scaled = [row["features"][0] for row in prepared.model.transform(frame).collect()]
    assert scaled == pytest.approx(np.array([2, 4, 9]) / np.std([2, 4, 9], ddof=1))
    assert [prepared.coordinates[0].to_original(one) for one in scaled] == pytest.approx([2, 4, 9])


def test_an_algorithm_of_the_recipe_fits_and_labels(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALGORITHMS, "new", cook("An algorithm")["new"])
    points = [(str(n), Vectors.dense(10.0 * (n % 2) + 0.1 * n, 1.0)) for n in range(8)]
    prepared = spark.createDataFrame(points, ["customer_id", "features"]).coalesce(1).cache()

    (fit,) = fit_alternates(prepared, algorithm="new", k_values=[2], seeds=[1], max_iterations=5, tolerance=1e-4)

    assert {row["prediction"] for row in fit.label(prepared).collect()} == {0, 1}


def test_a_source_of_the_recipes_format_is_read(spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(FORMATS, "new", cook("A source format")["new"])
    places = [str(tmp_path / name) for name in ("one", "two")]
    for place, row in zip(places, [("a", 1.5), ("b", None)], strict=True):
        spark.createDataFrame([row], "id string, spend double").coalesce(1).write.orc(place)
    spec = SourceSpec.model_validate({"format": "parquet", "path": places}).model_copy(update={"format": "new"})
    columns = [SourceColumn("customer_id", ("id",), "text"), SourceColumn("spend", ("spend",), "number")]

    read = read_source(spark, "customers", spec, columns)

    assert sorted((row["customer_id"], row["spend"], row["_reasons"]) for row in read.collect()) == [
        ("a", 1.5, ""),
        ("b", None, ""),
    ]


def test_a_naming_rule_of_the_recipe_tiles_what_it_takes() -> None:
    made = cook("A naming rule")
    new, left = made["new"], made["left"]
    cells = list(list_levels())

    def covered(*rules: Rule) -> list[int]:
        return [place for place, cell in enumerate(cells) if any(rule.holds(cell) for rule in rules)]

    (divided,) = (rule for rule in RULES if covered(rule) == covered(new, left))
    rules = [*(rule for rule in RULES if rule is not divided), left, new]
    changed = [place for place, cell in enumerate(cells) if find_archetype(cell, rules) != find_archetype(cell)]

    assert left.archetype == divided.archetype
    assert changed == covered(new)


def test_a_table_of_the_recipe_is_written_read_and_described(jvm: SparkSession, tmp_path: Path) -> None:
    table = cook("A table")["new"]
    lake = open_lake(Warehouse(path=str(tmp_path)), jvm)  # type: ignore[call-arg]
    row = {"run_id": "r", "segment_id": 0, "product_id": "tea"}

    lake.write_rows([row], table, run_id="r")

    assert lake.read_rows(table, run_ids=["r"]) == [row]
    assert [one.asDict() for one in lake.read(table, run_id="r").collect()] == [row]
    page = runpy.run_path(str(ROOT / "scripts" / "write_reference.py"))["describe"](table)
    assert "## favourites" in page
    assert "| `product_id` | string | product |" in page
