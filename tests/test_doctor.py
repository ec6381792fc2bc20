"""The doctor says before any work what a run would stumble over."""

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from segmentation.cli import main
from segmentation.tables import RUNNING, RUNS
from segmentation.warehouse.lake import Lake


def write_config(folder: Path, source: str) -> str:
    path = folder / "c.yaml"
    path.write_text(f"""
warehouse: {{path: {folder}/w}}
sources:
  customers: {{format: csv, path: {folder}/{source}, customer_id: id, attributes: {{age: {{from: age, type: number}}}}}}
features: {{use: {{age: {{}}}}}}
""")
    (folder / "good.csv").write_text("id,age\n1,30\n2,old\n3,40\n")
    return str(path)


def test_a_sound_place_passes_and_the_source_is_read_on_trial(
    jvm: SparkSession, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = main(["doctor", "--config", write_config(tmp_path, "good.csv"), "--dry-run"])

    told = capsys.readouterr().out
    assert code == 0, told
    for check in ("configuration", "Python", "Java", "disk", "Spark", "workers", "warehouse", "protocol", "source customers"):
        assert any(line.split(maxsplit=1)[1].startswith(check) for line in told.splitlines()), check
    assert "2 rows can be read; not as declared: unreadable_age 1" in told
    assert "small tables are written by delta-rs, large ones by Spark" in told
    assert [path.name for path in (tmp_path / "w").iterdir()] == [".lock"]  # the trial left nothing


def test_findings_are_events_of_a_log_in_json(jvm: SparkSession, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = main(["doctor", "--config", write_config(tmp_path, "none.csv"), "--log", "json"])

    told = capsys.readouterr()
    found = {one["check"]: one for one in map(json.loads, told.err.splitlines()) if one["event"] == "finding"}
    assert told.out == ""
    assert (found["Spark"]["level"], found["Spark"]["status"]) == ("info", "ok")
    assert (found["source customers"]["level"], found["source customers"]["exit_code"]) == ("error", code)


def test_a_missing_source_fails_with_the_code_of_a_run(
    jvm: SparkSession, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = main(["doctor", "--config", write_config(tmp_path, "none.csv")])

    assert code == 5
    assert "failed   source customers" in capsys.readouterr().out


def test_leftovers_are_listed_and_put_right_when_asked(
    jvm: SparkSession, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = write_config(tmp_path, "good.csv")
    lake = Lake(jvm, f"{tmp_path}/w", None, f"{tmp_path}/w/models")
    row = dict.fromkeys((one.name for one in RUNS.columns), None) | {"run_id": "dead", "status": RUNNING, "config_hash": "x"}
    facts = {"spark_version": "4", "delta_version": "4", "package_version": "0", "started_at": 0}
    lake.write_rows([row | facts], RUNS, run_id="dead")
    (tmp_path / "w/models/x~unfinished").mkdir(parents=True)

    codes = [main(["doctor", "--config", config, *options]) for options in ((), ("--repair",), ())]

    told = capsys.readouterr().out
    assert codes == [0, 0, 0]
    assert told.count("--repair puts it right") == 2
    assert told.count("; put right") == 2
    assert told.count("none of killed runs") == 1
    assert lake.read_rows(RUNS)[0]["status"] == "FAILED"
