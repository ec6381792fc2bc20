"""``run_metrics`` says of each stage what it took, whoever ran it, and keeps what other stages took."""

from pathlib import Path
from typing import Any

import pytest
from conftest import run_all
from pyspark.sql import SparkSession

from segmentation.pipeline import STAGES
from segmentation.run import Run
from segmentation.tables import RUN_METRICS

SPARK = ("spark_jobs", "spark_tasks", "executor_cpu_seconds", "bytes_read", "bytes_written", "bytes_shuffled", "bytes_spilled")


def write_config(folder: Path) -> str:
    (folder / "c.csv").write_text("id,spend\n" + "".join(f"c{n},{n % 3 * 100 + n % 7}\n" for n in range(90)) + "bad,much\n")
    (folder / "c.yaml").write_text(f"""
warehouse: {{path: {folder}/w}}
sources:
  customers: {{format: csv, path: {folder}/c.csv, customer_id: id, attributes: {{spend: {{from: spend, type: number}}}}}}
features: {{use: {{spend: {{}}}}}}
clustering: {{k_min: 2, k_max: 3, seeds: [1], resamples: 3, null_tables: 3}}
""")
    return str(folder / "c.yaml")


@pytest.fixture(scope="module")
def whole(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Run]:
    folder = tmp_path_factory.mktemp("metrics")
    config = write_config(folder)
    return config, run_all(jvm, config)


def rows_of(run: Run) -> dict[str, dict[str, Any]]:
    return {row["stage"]: row for row in run.lake.read_rows(RUN_METRICS, run_ids=[run.run_id])}


def test_each_stage_has_a_row(whole: tuple[str, Run]) -> None:
    rows = rows_of(whole[1])

    assert {stage: row["rows_in"] for stage, row in rows.items()} == {**dict.fromkeys(STAGES, 90), "ingest": 91}
    # customers kept, one row set aside, counts of both, and nothing odd
    assert rows["ingest"]["rows_out"] >= 90 + 1 + 2
    assert rows["features"]["rows_out"] >= 90
    assert all(row["seconds"] >= 0 and row["driver_cpu_seconds"] >= 0 for row in rows.values())
    assert all(rows["grid"][name] is not None for name in SPARK)
    assert rows["grid"]["bytes_written"] > 1000  # the model
    assert min(rows[stage]["spark_jobs"] for stage in ("ingest", "features", "grid", "assign", "segments")) > 0
    assert rows["publish"]["spark_jobs"] == 0


def test_a_stage_that_is_run_again_replaces_its_row_alone(jvm: SparkSession, whole: tuple[str, Run]) -> None:
    config, run = whole
    before = rows_of(run)

    run_all(jvm, config, stages=("advice",))

    after = rows_of(run)
    assert {stage for stage in STAGES if before[stage] != after[stage]} == {"advice"}
    assert after["advice"]["ended_at"] > before["advice"]["ended_at"]
