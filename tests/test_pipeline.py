"""The whole road on real customers, in one session; every figure that is pinned is pinned here."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import duckdb_extension_delta
import pandas as pd
import pytest
from conftest import ROOT, first_row, run_all, to_pandas
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.config.load import load_config
from segmentation.errors import PublishError, QualityError
from segmentation.pipeline import STAGES, Request, execute
from segmentation.progress import Progress
from segmentation.run import Run
from segmentation.tables import (
    ASSIGNMENTS,
    CHAMPIONS,
    CHECKS,
    CURRENT,
    CUSTOMERS,
    DECISION,
    EVERY,
    FAILED,
    FEATURES,
    GRID,
    KEPT,
    PUBLISHED,
    REPRESENTATION,
    ROW_COUNTS,
    RUN_METRICS,
    RUNS,
    SEGMENTS,
    STREAMED_ASSIGNMENTS,
    TRANSACTIONS,
)

_OTHERS = (TRANSACTIONS, CUSTOMERS, CHAMPIONS, REPRESENTATION, STREAMED_ASSIGNMENTS)
TABLES = [table.name for table in EVERY if table not in _OTHERS]
CLOCK = ["started_at", "published_at", "published_seq", "table_versions"]  # what a run says of when it ran
RFM = ("recency_days", "frequency_orders", "monetary_total")


@pytest.fixture(scope="module")
def retail(published: Callable[[str], Run]) -> Run:
    return published("online_retail")


@pytest.fixture(scope="module")
def telco(jvm: SparkSession, real_data: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    warehouse = str(tmp_path_factory.mktemp("telco"))
    inputs = {"customers": real_data("telco_churn.csv.gz")}
    return run_all(jvm, str(ROOT / "conf/telco_churn.yaml"), inputs=inputs, warehouse=warehouse)


@pytest.fixture(scope="module")
def small(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Run]]:
    """The configuration of a published run of 60 customers; the warehouse is that of every test that adds to it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SEGMENTATION_PSEUDONYM_KEY", "0123456789abcdef")  # or each run makes its own
        config = write_small(tmp_path_factory.mktemp("small"))
        yield config, run_all(jvm, config, "whole")


def test_online_retail_reproduces_the_published_figures(retail: Run) -> None:
    run = first_row(retail.read(RUNS))
    features = retail.read(FEATURES)
    means = first_row(features.agg(*(F.avg(F.col(name).cast("double")).alias(name) for name in RFM)))
    total = first_row(features.agg(F.sum("monetary_total"), F.sum("frequency_orders"), F.count("*")))

    assert (run["rows_read"], run["rows_kept"], run["rows_set_aside"], run["customers"]) == (541_909, 397_884, 144_025, 4_338)
    assert (str(total[0]), total[1], total[2]) == ("8911407.904000", 18_532, 4_338)
    assert means["frequency_orders"] == pytest.approx(4.272015, abs=1e-6)
    assert means["monetary_total"] == pytest.approx(2_054.266460, abs=1e-6)
    # Calendar days. Whole days back from 2011-12-10 12:50, another definition of recency, average 92.54.
    assert means["recency_days"] == pytest.approx(93.059474, abs=1e-6)
    last = retail.lake.read(RUNS).sparkSession.read.format("delta").load(f"{retail.lake.path}/transactions")
    instant = last.groupBy("customer_id").agg(F.max("ordered_at").alias("last"))
    hours = F.floor((F.lit("2011-12-10 12:50:00").cast("timestamp").cast("long") - F.col("last").cast("long")) / 86_400)
    assert first_row(instant.agg(F.avg(hours)))[0] == pytest.approx(92.536422, abs=1e-6)


def test_every_row_set_aside_has_its_reason(retail: Run) -> None:
    rows = retail.lake.spark.read.format("delta").load(f"{retail.lake.path}/row_counts").collect()

    # 8,905 cancelled lines have a customer; 40 of the lines without price do.
    assert {row["outcome"]: row["rows"] for row in rows} == {
        "kept": 397_884,
        "missing_customer_id": 135_080,
        "return": 8_905,
        "non_positive_price": 40,
    }


def test_grid_agrees_with_the_independent_figures(retail: Run) -> None:
    grid = {row["k"]: row for row in retail.read(GRID).collect()}

    # Silhouettes of the best of many starts, squared Euclidean.
    for k, silhouette in {2: 0.6234, 3: 0.5000, 5: 0.476, 6: 0.469}.items():
        assert grid[k]["silhouette"] == pytest.approx(silhouette, abs=0.01)
    for k, wssse in {2: 6481.23, 3: 4867.77, 4: 3938.03, 5: 3295.90, 6: 2855.01}.items():
        assert grid[k]["wssse"] == pytest.approx(wssse, rel=0.02)
    assert [k for k, row in grid.items() if row["is_chosen"]] == [3]
    assert 0.8 < grid[5]["weakest_stability"] <= 1
    assert grid[2]["null_silhouette"] == pytest.approx(0.36, abs=0.03)


def test_the_decision_of_online_retail_is_recorded_in_full(retail: Run) -> None:
    run = first_row(retail.read(RUNS))
    gates = {(row["k"], row["gate"]): row for row in retail.read(DECISION).collect()}

    assert (run["k"], run["rule_k"], run["structure"]) == (3, 3, "continuum")
    assert run["decision"].startswith("K = 3. 6 of the 7 K tried pass every gate: 3, 4, 5, 6, 7, 8.")
    assert "Ruled out: K = 2 (largest segment holds 61" in run["decision"]
    assert len(gates) == 7 * 7 + 1
    assert gates[2, "largest_share"]["is_passed"] is False
    assert gates[2, "largest_share"]["value"] == pytest.approx(0.615, abs=0.01)
    assert [k for k in range(2, 9) if gates[k, "rule"]["verdict"] == "first"] == [3]
    assert retail.lake.spark.read.format("delta").load(f"{retail.lake.path}/stability").count() == sum(range(2, 9))


def test_segments_cover_everybody_and_all_revenue(retail: Run) -> None:
    segments = retail.read(SEGMENTS).orderBy("segment_id").collect()

    assert sum(row["customers"] for row in segments) == 4_338
    assert float(sum(row["revenue"] for row in segments)) == pytest.approx(8_911_407.904)
    assert sum(row["revenue_share"] for row in segments) == pytest.approx(1)
    assert len({row["segment_name"] for row in segments}) == len(segments)


@pytest.mark.parametrize("name", [*TABLES, "transactions", *(table.name for table in CURRENT.values())])
def test_three_readers_see_equal_rows(retail: Run, name: str) -> None:
    path = f"{retail.lake.path}/{name}"
    table = deltalake.DeltaTable(path)
    connection = duckdb.connect()
    extension = next(Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
    connection.execute(f"LOAD '{extension}'")
    connection.execute("SET TimeZone = 'UTC'")

    spark_rows = to_pandas(retail.lake.spark.read.format("delta").load(path))
    arrow_rows = table.to_pandas()
    duck_rows = connection.execute("SELECT * FROM delta_scan(?)", [path]).df()

    expected = digest(spark_rows)
    assert digest(arrow_rows[list(spark_rows.columns)]) == expected
    assert digest(duck_rows[list(spark_rows.columns)]) == expected
    assert (table.protocol().min_reader_version, table.protocol().min_writer_version) in {(1, 2), (1, 3)}
    comments = [json.loads(field.to_json())["metadata"].get("comment") for field in table.schema().fields]
    assert all(comments)


def digest(frame: Any) -> tuple[int, str]:
    def text(value: Any) -> str:
        if pd.isna(value):
            return ""
        if hasattr(value, "isoformat"):
            instant = pd.Timestamp(value)
            return str((instant if instant.tzinfo else instant.tz_localize("UTC")).timestamp())
        return f"{float(value):.9g}" if not isinstance(value, str | bool) and hasattr(value, "__float__") else str(value)

    lines = sorted("|".join(map(text, row)) for row in frame.head(200_000).itertuples(index=False)) if len(frame) < 50_000 else []
    if not lines:  # large: order-free sums of the columns that tell most
        lines = [f"{column} {frame[column].count()} {frame[column].nunique()}" for column in frame.columns]
    return len(frame), hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_the_same_run_twice_is_the_same_rows_and_one_more_version(jvm: SparkSession, small: tuple[str, Run]) -> None:
    config, run = small
    names = ["transactions", *TABLES, *(table.name for table in CURRENT.values())]
    names.remove(RUN_METRICS.name)  # which says how long each took

    def state() -> dict[str, tuple[int, Any]]:
        tables = {name: deltalake.DeltaTable(f"{run.lake.path}/{name}") for name in names}
        return {
            name: (table.version(), digest(table.to_pandas().drop(columns=CLOCK, errors="ignore")))
            for name, table in tables.items()
        }

    before = state()
    run_all(jvm, config, "whole")
    after = state()

    commits = {"checks": 2}  # ingest looks, and so does features
    assert after == {name: (version + commits.get(name, 1), rows) for name, (version, rows) in before.items()}


def test_a_published_run_is_not_replaced_by_other_input(retail: Run, tmp_path: Path) -> None:
    other = tmp_path / "t.csv"
    other.write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "1,A,a,1,2011-01-01 00:00:00,1.00,1.0,UK\n"
    )

    with pytest.raises(PublishError, match="expected the input fingerprint it was published with"):
        run_all(
            retail.lake.spark,
            str(ROOT / "conf/online_retail.yaml"),
            as_of="2011-12-10",
            inputs={"transactions": str(other)},
            warehouse=retail.lake.path,
        )


def test_telco_customers_without_purchases_are_segmented(telco: Run) -> None:
    run = first_row(telco.read(RUNS))
    features = telco.read(FEATURES)

    assert (run["rows_read"], run["rows_set_aside"], run["customers"], run["as_of"]) == (7_043, 0, 7_043, None)
    assert features.where("total_charges IS NULL").count() == 11
    assert first_row(features.agg(F.sum("total_charges")))[0] == pytest.approx(16_056_168.70)
    profiles = telco.lake.spark.read.format("delta").load(f"{telco.lake.path}/profiles")
    two_year = first_row(profiles.where("feature = 'contract=Two year' AND statistic = 'population_share'"))
    assert two_year["value"] == pytest.approx(1_695 / 7_043)


def test_the_complete_journey_is_pinned(published: Callable[[str], Run]) -> None:
    run = published("complete_journey")
    features = run.read(FEATURES)
    row = first_row(
        features.agg(
            F.count("*").alias("households"),
            F.sum("frequency_orders").alias("baskets"),
            F.sum("monetary_total").alias("sales"),
            F.avg("frequency_orders").alias("orders"),
            F.avg("recency_days").alias("recency_days"),
            F.median("recency_days").alias("median_recency_days"),
            F.max("items_per_order").alias("most_items"),
        )
    )

    assert (row["households"], row["baskets"], str(row["sales"])) == (2_469, 155_848, "4596039.580000")
    assert (round(row["orders"], 2), round(row["recency_days"], 2), row["median_recency_days"]) == (63.12, 22.83, 7)
    assert row["most_items"] < 200  # with fuel counted in thousandths of a gallon it would be thousands
    assert sum(row["rows"] for row in run.read_rows(ROW_COUNTS)) == 1_469_307 + 92_331 + 801


def test_stages_one_by_one_equal_one_run(jvm: SparkSession, small: tuple[str, Run]) -> None:
    config, run = small
    for stage in STAGES:
        run_all(jvm, config, "parts", (stage,))

    both = jvm.read.format("delta").load(f"{run.lake.path}/assignments")
    of_run = ("run_id", "previous_key", "changed_at", "since_runs")  # the second run has one before it
    whole, parts = (both.where(F.col("run_id") == name).drop(*of_run) for name in ("whole", "parts"))
    assert whole.exceptAll(parts).isEmpty()
    assert whole.count() == parts.count() == 60
    published = {row["run_id"]: row["published_seq"] for row in run.lake.read_rows(RUNS)}
    assert published["parts"] > published["whole"]


def test_a_run_that_fails_leaves_the_published_one_current(jvm: SparkSession, small: tuple[str, Run], tmp_path: Path) -> None:
    config, run = small
    shown = {row["run_id"] for row in run.lake.read_rows(CURRENT["segments"])}
    (tmp_path / "t.csv").write_text("who;when;paid\n")

    with pytest.raises(QualityError, match="expected at least one row, found 0 rows"):
        run_all(jvm, config, "bad", inputs={"transactions": str(tmp_path / "t.csv")})

    current = jvm.read.format("delta").load(f"{run.lake.path}/current_segments")
    assert {row["run_id"] for row in current.collect()} == shown
    assert len(shown) == 1
    failed = {row["run_id"]: (row["status"], row["failure"]) for row in run.lake.read_rows(RUNS)}
    assert failed["bad"] == (FAILED, "ingest: sources.transactions: expected at least one row, found 0 rows")


def test_a_run_that_failed_is_resumed_after_its_last_whole_stage(
    jvm: SparkSession, small: tuple[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, whole = small

    def fail(run: Run) -> str:
        raise PublishError("disk", expected="room", found="none")

    with monkeypatch.context() as patched:
        patched.setitem(STAGES, "assign", fail)
        with pytest.raises(PublishError, match="expected room"):
            run_all(jvm, config, "broken")
    done = ("transactions", "features", "grid")
    before = {name: deltalake.DeltaTable(f"{whole.lake.path}/{name}").version() for name in done}

    resumed = execute(jvm, Request(load_config(config), "", tuple(STAGES), resumes=True), Progress())

    assert resumed.run_id == "broken"
    (row,) = whole.lake.read_rows(RUNS, run_ids=["broken"])
    assert (row["status"], row["finished_stage"], row["failure"]) == (PUBLISHED, "publish", None)
    assert {name: deltalake.DeltaTable(f"{whole.lake.path}/{name}").version() for name in done} == before
    taken = whole.lake.read_rows(RUN_METRICS, run_ids=["broken"])
    assert sorted(row["stage"] for row in taken) == sorted(STAGES)  # those before it failed, and those after
    labels = [
        sorted((row["customer_id"], row["segment_id"]) for row in whole.lake.read_rows(ASSIGNMENTS, run_ids=[run_id]))
        for run_id in ("broken", "whole")
    ]
    assert labels[0] == labels[1]


def test_customers_without_orders_are_set_aside_or_kept(jvm: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,age\n1,30\n2,40\nx,50\nX,60\n")
    customers = "  customers: {format: csv, path: %s/c.csv, customer_id: id, attributes: {age: {from: age, type: number}}}\n"
    text = Path(write_small(tmp_path)).read_text().replace("features:", customers % tmp_path + "features:")
    counts, alike = {}, {}
    for policy in ("exclude", "include"):
        (tmp_path / f"{policy}.yaml").write_text(text.replace("features:", f"features:\n  customers_without_orders: {policy}"))
        run = run_all(jvm, str(tmp_path / f"{policy}.yaml"), policy, ("ingest", "features"))
        aside = sum(row["rows"] for row in run.read_rows(ROW_COUNTS) if row["outcome"] != KEPT)
        counts[policy] = (first_row(run.read(RUNS))["customers"], aside)
        alike[policy] = [row["said"] for row in run.read_rows(CHECKS) if row["check"] == "ids_differ_by_case"]

    assert counts == {"exclude": (60, 2), "include": (62, 0)}
    assert alike == {"exclude": [], "include": ["fewer than 10 ids equal another but for capital letters"]}


def write_small(tmp_path: Path) -> str:
    """Transactions with amounts alone, `;` between fields, decimal commas, German dates."""
    lines = [f"{c};{d:02d}.{1 + c % 6:02d}.2024;{1 + 40 * (c % 3)},{d:02d}" for c in range(60) for d in range(1, 3 + c % 4)]
    (tmp_path / "t.csv").write_text("who;when;paid\n" + "\n".join(lines) + "\n")
    config = tmp_path / "small.yaml"
    config.write_text(f"""
as_of: {datetime(2024, 7, 1):%Y-%m-%d}
warehouse: {{path: {tmp_path}/w}}
sources:
  transactions:
    format: csv
    path: {tmp_path}/t.csv
    delimiter: ";"
    decimal_comma: true
    columns: {{customer_id: who, ordered_at: {{from: when, format: dd.MM.yyyy}}, amount: paid}}
features:
  use: {{recency_days: {{}}, monetary_total: {{log: true}}}}
clustering: {{k_min: 2, k_max: 4, seeds: [1], resamples: 3, null_tables: 3}}
""")
    return str(config)
