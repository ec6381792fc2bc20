"""A whole run into a schema of Spark's own catalog: its jobs say their stage, its stages what they took, and views show it."""

import re
from pathlib import Path
from typing import Any

from conftest import first_row, run_all
from pyspark.sql import SparkSession

from segmentation.pipeline import STAGES
from segmentation.tables import CURRENT, RUN_METRICS, RUNS


def test_a_catalog_schema_is_a_warehouse_too(jvm: SparkSession, tmp_path: Path) -> None:
    source = tmp_path / "c.csv"
    source.write_text("id;spend\n" + "".join(f"{n};{n % 3 * 100 + n % 7}\n" for n in range(90)))
    config = tmp_path / "c.yaml"
    config.write_text(f"""
warehouse: {{schema: spark_catalog.segments_test, models: {tmp_path}/models}}
sources:
  customers:
    {{format: csv, path: {source}, delimiter: ";", customer_id: id, attributes: {{spend: {{from: spend, type: number}}}}}}
features: {{use: {{spend: {{}}}}}}
clustering: {{k_min: 2, k_max: 4, seeds: [1]}}
""")

    last = max(jobs_of(jvm), default=-1)
    run = run_all(jvm, str(config))

    said = [description for number, description in jobs_of(jvm).items() if number > last]
    assert len(said) > 50
    # Delta puts its own name before, and what it does after.
    assert [one for one in said if not re.match(rf"(Delta: )*({'|'.join(STAGES)}|start|end)\b", one)] == []
    taken = {row["stage"]: row for row in run.lake.read_rows(RUN_METRICS)}
    assert set(taken) == set(STAGES)
    assert taken["assign"]["rows_out"] >= 90
    assert jvm.table("spark_catalog.segments_test.current_segments").count() == first_row(run.read(RUNS))["k"] == 3
    assert jvm.table("spark_catalog.segments_test.current_assignments").count() == 90
    shown = [jvm.catalog.getTable(run.lake.place(table)) for table in CURRENT.values()]
    assert [(one.tableType, one.description) for one in shown] == [("VIEW", table.comment) for table in CURRENT.values()]


def jobs_of(spark: SparkSession) -> dict[int, str]:
    """Return what each job of the session says of itself, by its number."""
    context: Any = spark.sparkContext._jsc.sc()
    context.listenerBus().waitUntilEmpty()
    jobs = context.statusStore().jobsList(None)
    found = [jobs.apply(place) for place in range(jobs.size())]
    return {one.jobId(): "" if one.description().isEmpty() else str(one.description().get()) for one in found}
