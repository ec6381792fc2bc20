"""What a run takes over from another: the tables of a whole run come of it, and never for sources that have changed."""

import os
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import run_all
from pyspark.sql import SparkSession

from segmentation.config.load import load_config
from segmentation.errors import PublishError
from segmentation.pipeline import STAGES, Request, execute
from segmentation.progress import Progress
from segmentation.reuse import find_former
from segmentation.run import Run, facts_of
from segmentation.segments.stage import KEY_VARIABLE
from segmentation.tables import CURRENT, EVERY, FEATURES, NEIGHBOURS, PUBLISHED, RUN_METRICS, RUNS, SEGMENTS
from segmentation.warehouse.lake import open_lake
from segmentation.warehouse.layout import arrow_schema

# What a run says of itself and of when it ran, not of the customers.
_OWN = {"run_id", "started_at", "published_at", "published_seq", "table_versions", "model_path", "taken_from"}


def write_shop(folder: Path) -> str:
    """Write a shop with two kinds of customers, a row that cannot be read, and customers' regions; return its configuration."""
    rng, lines = np.random.default_rng(3), ["order,customer,day,product,quantity,price\n"]
    for customer in range(90):
        for order in range(1 if customer < 50 else 6):
            day = date(2024, 1, 1) + timedelta(days=int(rng.integers(0, 200)))
            lines.append(
                f"o{customer}-{order},c{customer:02d},{day},p{order % 3},{rng.integers(1, 5)},{rng.uniform(1, 20):.2f}\n"
            )
    lines.append("o-bad,c01,yesterday,p1,1,2.00\n")
    (folder / "orders.csv").write_text("".join(lines))
    (folder / "people.csv").write_text("id,region\n" + "".join(f"c{number:02d},r{number % 3}\n" for number in range(90)))
    columns = (
        "order_id: order, customer_id: customer, ordered_at: day, product_id: product, quantity: quantity, unit_price: price"
    )
    config = folder / "shop.yaml"
    config.write_text(f"""
warehouse: {{path: {folder}/w}}
as_of: 2024-08-01
sources:
  transactions: {{format: csv, path: {folder}/orders.csv, columns: {{{columns}}}}}
  customers: {{format: csv, path: {folder}/people.csv, customer_id: id, attributes: {{region: {{from: region, type: category}}}}}}
cleaning: {{max_unreadable_share: 0.5}}
features: {{use: {{recency_days: {{}}, frequency_orders: {{log: true}}, monetary_total: {{log: true}}, region: {{}}}}}}
preparation: {{pca_components: 3}}
clustering: {{k_min: 2, k_max: 3, seeds: [1], resamples: 2, null_tables: 2}}
""")
    return str(config)


def ask(
    spark: SparkSession, config: str, run_id: str, former: str | None = None, model: str | None = None, **options: Any
) -> Run:
    stages = tuple(name for name in STAGES if model is None or name != "grid")
    request = Request(load_config(config, **options), run_id, stages, former=former, model=model)
    return execute(spark, request, Progress())


def jobs_of_rows(run: Run) -> int:
    """Return the Spark jobs of a run's first two stages."""
    jobs = {row["stage"]: row["spark_jobs"] for row in run.read_rows(RUN_METRICS)}
    return int(jobs["ingest"] + jobs["features"])


def tables_of(run: Run) -> dict[str, list[str]]:
    """Return every row of a run but what it says of itself, by table."""
    tables = [table for table in EVERY if table is not RUN_METRICS and run.lake.store.exists(table)]
    found = {table.name: run.lake.read_rows(table, run_ids=[run.run_id]) for table in tables}
    found |= {table.name: run.lake.read_rows(table) for table in CURRENT.values()}
    return {name: sorted(str({k: v for k, v in row.items() if k not in _OWN}) for row in rows) for name, rows in found.items()}


@pytest.fixture(scope="module")
def shop(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, Run]]:
    """The folder of a shop, its configuration, and a run of it."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(KEY_VARIABLE, "a key of sixteen letters")
        config = write_shop(folder)
        yield folder, config, run_all(jvm, config, "first")


def test_what_is_taken_over_makes_the_tables_of_a_whole_run(
    spark: SparkSession, shop: tuple[Path, str, Run], tmp_path: Path
) -> None:
    folder, config, first = shop
    other = 3 if first.read_rows(RUNS)[0]["k"] == 2 else 2
    rows, whole = ({"warehouse": str(tmp_path / name)} for name in ("rows", "whole"))
    shutil.copytree(folder / "w", tmp_path / "whole")
    runs: list[Run] = []
    tables = []

    def note_tables(run: Run) -> None:
        runs.append(run)
        tables.append(tables_of(run))

    note_tables(ask(spark, config, "score", model="first"))  # rows and features taken over
    shutil.copytree(folder / "w", tmp_path / "rows")
    note_tables(ask(spark, config, "again", "score", k=other, **rows))  # of a score there is no grid to take
    note_tables(ask(spark, config, "again", k=other))  # the newest run that has one
    note_tables(ask(spark, config, "score", "none", model="first", **whole))
    note_tables(ask(spark, config, "again", "none", k=other, **whole))

    assert [run.read_rows(RUNS)[0]["taken_from"] for run in runs] == ["first", "score", "first", None, None]
    assert [jobs_of_rows(run) for run in runs[:3]] == [0, 0, 0]
    for found, expected in ((0, 3), (1, 4), (2, 4)):
        assert {name for name, rows in tables[expected].items() if tables[found][name] != rows} == set()
    # What the first run said that the segments of this K would be called.
    foretold = {row["segment_id"]: row["segment_name"] for row in first.read_rows(NEIGHBOURS) if row["k"] == other}
    assert foretold == {row["segment_id"]: row["rule_name"] for row in runs[4].read_rows(SEGMENTS)}
    assert (len(tables[2]["assignments"]), len(tables[2]["quarantine"])) == (90, 1)


def test_a_model_has_shares_of_its_own_categories(jvm: SparkSession, shop: tuple[Path, str, Run], tmp_path: Path) -> None:
    _, config, first = shop
    products = "  products: {format: csv, path: products.csv, columns: {product_id: id, category: kind}}\n"
    text = Path(config).read_text().replace("cleaning:", products + "cleaning:")
    (tmp_path / "shares.yaml").write_text(text.replace("features: {", "features: {category_shares: {top: 2}, "))
    asked = load_config(str(tmp_path / "shares.yaml"), k=3, warehouse=str(tmp_path / "w"))
    lake = open_lake(asked.warehouse, jvm)
    rows = [{"run_id": "one"}, {"run_id": "score", "scored_with": "one"}, {"run_id": "two"}]
    known = facts_of(first) | {"status": PUBLISHED, "published_seq": 1, "config_hash": asked.fingerprint()}
    lake.replace(pa.Table.from_pylist([known | row for row in rows], arrow_schema(RUNS)), RUNS, run_id="one")

    def objection(former: str, model: str | None) -> str:
        with pytest.raises(PublishError) as raised:
            find_former(lake, asked, run_id="new", asked=former, model=model)
        return str(raised.value)

    assert "expected a run that chose its own categories, found a score with those of one" in objection("score", None)
    assert "expected a run with the categories of two, found one with those of one" in objection("one", "two")
    fitting = ("one", None), ("one", "one"), ("score", "one")
    assert {"categories" in objection(*pair) for pair in fitting} == {False}


def test_a_run_is_not_taken_over_where_anything_that_shapes_it_differs(
    spark: SparkSession, shop: tuple[Path, str, Run], tmp_path: Path
) -> None:
    folder, config, first = shop
    lake = first.lake

    def objection(config: str, asked: str | None = "first", run_id: str = "new", **options: Any) -> str:
        with pytest.raises(PublishError) as raised:
            ask(spark, config, run_id, asked, **options)
        return str(raised.value)

    assert "expected a published run of this warehouse, found none" in objection(config, "unknown", k=3)
    assert "expected a new --run-id, found first" in objection(config, run_id="first", k=3)
    other = tmp_path / "other.yaml"
    other.write_text(Path(config).read_text().replace("seeds: [1]", "seeds: [2]"))
    assert "expected a run of this configuration" in objection(str(other), k=3)
    private = tmp_path / "private.yaml"
    private.write_text(Path(config).read_text() + "privacy: {raw_records: 'off'}\n")
    assert "expected 0 records as they were read, as privacy.raw_records asks, found 1" in objection(str(private), k=3)
    orders = folder / "orders.csv"
    stat = orders.stat()
    os.utime(orders, (stat.st_atime, stat.st_mtime + 5))
    assert "expected the source files that it read, found other files, sizes or times of change" in objection(config, k=3)
    os.utime(orders, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    rows = lake.read_rows(FEATURES, run_ids=["first"])
    lake.write_rows(rows[1:], FEATURES, run_id="first")
    assert "expected its 90 rows of features, found 89" in objection(config, k=3)
