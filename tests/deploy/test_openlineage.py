"""OpenLineage's own listener, as docs/deploy/observability.md sets it, names the source and the table that Spark writes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from segmentation.warehouse.session import DELTA_PACKAGE

LISTENER = "io.openlineage:openlineage-spark_2.13:1.53.0"
CUSTOMERS = 60_000  # frames of more than 50,000 rows are written by Spark


def test_the_source_and_the_table_that_spark_writes_are_told(
    run_command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    rows = "\n".join(f"customer-{number:06d},{number % 997}.5" for number in range(CUSTOMERS))
    (tmp_path / "c.csv").write_text(f"id,spend\n{rows}\n")
    (tmp_path / "c.yaml").write_text(
        f"warehouse: {{path: {tmp_path}/w}}\nfeatures: {{use: {{spend: {{}}}}}}\n"
        f"sources: {{customers: {{format: csv, path: {tmp_path}/c.csv, customer_id: id, "
        "attributes: {spend: {from: spend, type: number}}}}\n"
    )
    settings = {
        "spark.extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
        "spark.openlineage.namespace": "customer_segmentation",
        "spark.openlineage.transport.type": "file",
        "spark.openlineage.transport.location": f"{tmp_path}/lineage.ndjson",
        "spark.ui.enabled": "false",
    }
    options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    submit = ["spark-submit", "--master", "local[2]", "--packages", f"{DELTA_PACKAGE},{LISTENER}", *options]
    job = [str(ROOT / "jobs/ingest.py"), "--config", str(tmp_path / "c.yaml"), "--run-id", "a"]

    done = run_command(*submit, *job, cwd=tmp_path, PYSPARK_PYTHON=sys.executable)

    if "UNRESOLVED DEPENDENCIES" in done.stdout + done.stderr or "unresolved dependency" in done.stderr:
        pytest.skip("needs Maven Central, or OpenLineage's listener in ~/.ivy2.5.2")
    assert done.returncode == 0, done.stderr[-3000:]
    events = [json.loads(line) for line in (tmp_path / "lineage.ndjson").read_text().splitlines()]
    named = {side: {one["name"] for event in events for one in event.get(side, [])} for side in ("inputs", "outputs")}
    assert str(tmp_path / "c.csv") in named["inputs"]
    assert str(tmp_path / "w/customers") in named["outputs"]
    assert {event["job"]["namespace"] for event in events} == {"customer_segmentation"}
