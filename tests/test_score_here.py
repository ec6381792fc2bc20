"""A score in this process makes the tables that Spark makes of the same customers, and takes no Spark job for it."""

import math
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_all
from pyspark.sql import SparkSession

from segmentation.config.load import load_config
from segmentation.config.schema import Clustering
from segmentation.pipeline import STAGES, Request, execute
from segmentation.progress import Progress
from segmentation.run import Run
from segmentation.segments.stage import KEY_VARIABLE
from segmentation.tables import EVERY, RUN_METRICS, RUNS, TRANSITIONS

SCORED = tuple(name for name in STAGES if name != "grid")
PEOPLE = """
      region: {from: region, type: category}
      size: {from: size, type: ordinal, order: [S, M, L]}
      age: {from: age, type: number}
      sex: {from: sex, type: category}
""".strip("\n")
OWN = {"run_id", "started_at", "published_at", "published_seq", "table_versions", "model_path", "taken_from"}


def write_month(folder: Path, name: str, *, seed: int, customers: int = 260) -> None:
    """Write orders of two kinds of customers, and people of whom some have no age, no region, a new region or no order."""
    rng, lines = np.random.default_rng(seed), ["order,customer,day,department,quantity,price\n"]
    people = ["id,region,size,age,sex\n"]
    for customer in range(seed, seed + customers):
        often = customer % 3 == 0
        region, size = ["north", "it's", "", "new"][customer % (4 if seed else 3)], ["S", "M", "L", ""][customer % 4]
        people.append(f"c{customer:03d},{region},{size},{'' if customer % 7 == 0 else 20 + customer % 50},{'mf'[customer % 2]}\n")
        for order in range(0 if customer % 11 == 0 else 7 if often else 2):
            day = date(2024, 1, 1) + timedelta(days=int(rng.integers(0, 200)))
            department = f"d{rng.integers(0, 3)}"
            for _ in range(rng.integers(1, 4)):
                price, quantity = rng.uniform(1, 90 if often else 20), rng.integers(1, 5)
                lines.append(f"o{customer}-{order},c{customer:03d},{day},{department},{quantity},{price:.2f}\n")
    (folder / f"{name}_orders.csv").write_text("".join(lines))
    (folder / f"{name}_people.csv").write_text("".join(people))


def write_config(folder: Path) -> str:
    columns = (
        "order_id: order, customer_id: customer, ordered_at: day, category: department, quantity: quantity, unit_price: price"
    )
    (folder / "shop.yaml").write_text(f"""
warehouse: {{path: {folder}/w}}
as_of: 2024-08-01
sources:
  transactions:
    format: csv
    path: {folder}/a_orders.csv
    columns: {{{columns}}}
  customers:
    format: csv
    path: {folder}/a_people.csv
    customer_id: id
    attributes:
{PEOPLE}
features:
  customers_without_orders: include
  use:
    recency_days: {{cap: 0.99}}
    frequency_orders: {{log: true}}
    monetary_total: {{log: true}}
    average_order_value: {{}}
    region: {{weight: 0.3}}
    size: {{weight: 0.3}}
    age: {{}}
    sex: {{role: audit}}
  category_shares: {{top: 3}}
clustering: {{k_min: 2, k_max: 4, seeds: [1], resamples: 2, null_tables: 2}}
privacy: {{min_cell: 3}}
""")
    return str(folder / "shop.yaml")


def write_people(folder: Path, name: str, *, seed: int, faults: str = "") -> None:
    """Write people without orders, of two kinds, and lines with faults after them."""
    rng, lines = np.random.default_rng(seed), ["id,region,size,age,spend,sex\n"]
    for person in range(seed, seed + 240):
        spend, age = rng.normal(*((900, 60), (100, 20))[person % 3 > 0]), 20 + person % 50
        lines.append(
            f"p{person:03d},{['north', 'south', ''][person % 4 % 3]},{'SML'[person % 3]},{age},{spend:.2f},{'mf'[person % 2]}\n"
        )
    (folder / f"{name}_people.csv").write_text("".join(lines) + faults)


def write_people_config(folder: Path) -> str:
    (folder / "o.csv").write_text("id\np100\nP101\n")
    (folder / "people.yaml").write_text(f"""
warehouse: {{path: {folder}/w}}
sources:
  customers:
    format: csv
    path: {folder}/a_people.csv
    customer_id: id
    attributes:
{PEOPLE}
      spend: {{from: spend, type: number}}
  objections: {{format: csv, path: {folder}/o.csv, customer_id: id}}
rules:
  - {{name: adult, source: customers, expression: age >= 25, action: warn, max_share: 0.5}}
  - {{name: paid, source: customers, expression: spend > -1000, action: quarantine, max_share: 0.5}}
features:
  use: {{region: {{weight: 0.3}}, size: {{}}, age: {{}}, spend: {{log: true}}, sex: {{role: audit}}}}
  revenue: spend
clustering: {{k_min: 2, k_max: 3, seeds: [1], resamples: 2, null_tables: 2}}
privacy: {{min_cell: 3}}
""")
    return str(folder / "people.yaml")


def score(spark: SparkSession, config: str, run_id: str, *, model: str, month: str, warehouse: Path | None = None) -> Run:
    files = {"transactions": "orders", "customers": "people"}
    if Path(config).stem == "people":
        del files["transactions"]
    inputs = {source: f"{Path(config).parent}/{month}_{file}.csv" for source, file in files.items()}
    loaded = load_config(config, inputs=inputs, warehouse=str(warehouse) if warehouse else None)
    return execute(spark, Request(loaded, run_id, SCORED, model=model), Progress())


def tables_of(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Return every row of a run but what it says of itself, by table."""
    found = {}
    for table in EVERY:
        if table is not RUN_METRICS and run.lake.store.exists(table):
            rows = run.lake.read_rows(table, run_ids=[run.run_id])
            kept = [{name: value for name, value in row.items() if name not in OWN} for row in rows]
            texts = [name for name, value in kept[0].items() if not isinstance(value, float)] if kept else []
            found[table.name] = sorted(kept, key=lambda row, texts=texts: [str(row[name]) for name in texts])  # type: ignore[misc]
    return found


def is_alike(name: str, one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        # Spark's percentile is a customer's own, numpy's lies between two.
        return math.isclose(one, other, rel_tol=0.1 if name == "distance_p99" else 1e-9, abs_tol=1e-9)
    return bool(one == other)


def assert_alike(found: dict[str, list[dict[str, Any]]], expected: dict[str, list[dict[str, Any]]]) -> None:
    assert {name: len(rows) for name, rows in found.items()} == {name: len(rows) for name, rows in expected.items()}
    for name, rows in expected.items():
        for one, other in zip(found[name], rows, strict=True):
            assert {key: (one[key], value) for key, value in other.items() if not is_alike(key, one[key], value)} == {}, name


@pytest.fixture(scope="module")
def shop(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A configuration of which two models were trained, each on a month of its own."""
    folder = tmp_path_factory.mktemp("shop")
    for name, seed in (("a", 0), ("b", 40), ("c", 90)):
        write_month(folder, name, seed=seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(KEY_VARIABLE, "a key of sixteen letters")
        config = write_config(folder)
        for name in ("a", "b"):
            inputs = {"transactions": f"{folder}/{name}_orders.csv", "customers": f"{folder}/{name}_people.csv"}
            run_all(jvm, config, name, inputs=inputs)
        yield config


@pytest.fixture(scope="module")
def people(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A configuration without orders of which a model was trained."""
    folder = tmp_path_factory.mktemp("people")
    write_people(folder, "a", seed=0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(KEY_VARIABLE, "a key of sixteen letters")
        run_all(jvm, write_people_config(folder), "a")
    return str(folder / "people.yaml")


@pytest.mark.parametrize(("model", "without_orders"), [("a", "include"), ("b", "exclude")])
def test_a_score_here_is_that_of_spark(
    spark: SparkSession, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, without_orders: str
) -> None:
    # Shown before is b: its customers move between two models where a scores.
    config = Path(shop)
    config.write_text(config.read_text().replace("orders: include", f"orders: {without_orders}"))
    shutil.copytree(Path(shop).parent / "w", tmp_path / "w")
    here = score(spark, shop, f"c_{model}", model=model, month="c")
    found, jobs = tables_of(here), {row["stage"]: row["spark_jobs"] for row in here.read_rows(RUN_METRICS)}
    monkeypatch.setattr(Clustering, "driver_bytes", 0)
    by_spark = score(spark, shop, f"c_{model}", model=model, month="c", warehouse=tmp_path / "w")
    expected = tables_of(by_spark)

    assert {stage for stage, number in jobs.items() if number == 0} >= {"assign", "segments", "advice", "publish"}
    others = {row["stage"] for row in by_spark.read_rows(RUN_METRICS) if row["spark_jobs"] != 0}  # None where Spark forgot
    assert others > {"assign", "segments", "advice"}
    assert_alike(found, expected)
    for name in ("actions", "drift", "representation", "profiles", "segment_map", "transitions"):
        assert found[name], f"nothing to compare in {name}"
    assert found["runs"][0]["drift_verdict"] == here.read_rows(RUNS)[0]["drift_verdict"]
    assert {row["why"] for row in here.read_rows(TRANSITIONS)} > {"stayed"}


# Rows twice and in two ways, of nobody, who objects, with no number, with a level and a spend that no rule lets pass.
FAULTS = (
    "p150,north,S,30,120,m\n" * 2 + "p151,north,S,31,5,m\np151,south,M,,5,f\n,north,S,30,90,m\np100,north,S,30,100,m\n"
    "p801,north,S,old,100,m\np802,north,XL,30,100,m\np803,north,S,30,-5000,m\np152,north,S,old,80,f\np803,north,S,30,-5001,m\n"
    "É9,east,S,30,100,m\nNull,east,,22,100,\n"
)


@pytest.mark.parametrize(("faults", "aside"), [(FAULTS, 12), ("p801,north,S,old,100,m\n", 2)], ids=["faults", "no key twice"])
def test_customers_without_orders_are_read_here_as_by_spark(
    spark: SparkSession, people: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: str, aside: int
) -> None:
    write_people(Path(people).parent, "b", seed=70, faults=faults)
    shutil.copytree(Path(people).parent / "w", tmp_path / "w")
    here = score(spark, people, "b", model="a", month="b", warehouse=tmp_path / "w")
    found, jobs = tables_of(here), {row["stage"]: row["spark_jobs"] for row in here.read_rows(RUN_METRICS)}
    monkeypatch.setattr(Clustering, "driver_bytes", 0)
    shutil.rmtree(tmp_path / "w")
    shutil.copytree(Path(people).parent / "w", tmp_path / "w")

    by_spark = score(spark, people, "b", model="a", month="b", warehouse=tmp_path / "w")
    expected = tables_of(by_spark)

    assert jobs["features"] == 0
    assert {row["spark_jobs"] for row in by_spark.read_rows(RUN_METRICS) if row["stage"] == "features"} != {0}
    assert_alike(found, expected)
    assert len(found["quarantine"]) == aside
