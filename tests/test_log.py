"""A log in JSON: every line is an object, whatever happens; and a run's log and its Spark jobs say what it is at."""

import json
import logging
import re
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from segmentation import cli, redaction
from segmentation.cli import main
from segmentation.commands import STAGE_NAMES
from segmentation.errors import SourceError
from segmentation.log import JsonLog
from segmentation.redaction import remember

FIELDS = ["time", "level", "event", "run_id", "stage", "seconds"]


def events(text: str) -> list[dict[str, Any]]:
    """Return the lines of a log; a line that is not JSON fails."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_says_when_what_and_of_which_stage_and_then_what_the_event_tells(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonLog() as log:
        log.about(run_id="r1", stage="grid")
        log.note("stage_ended", seconds=1.23456, rows_in=3)
        log.about()
        log.tell("promoted", "r1 is the champion")

    told = capsys.readouterr()
    first, second = events(told.err)
    assert told.out == ""
    assert list(first) == [*FIELDS, "rows_in"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert list(first.values()) == ["info", "stage_ended", "r1", "grid", 1.235, 3]
    assert [second[name] for name in ("run_id", "stage", "seconds", "said")] == ["r1", None, None, "r1 is the champion"]


def test_what_libraries_warn_of_and_log_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonLog():
        warnings.warn("will go", UserWarning, stacklevel=1)
        logging.getLogger("py4j.clientserver").error("lost the gateway")
        logging.getLogger("some").info("not asked for")

    warned, logged = events(capsys.readouterr().err)
    assert (warned["event"], warned["level"], warned["logger"]) == ("log", "warning", "py.warnings")
    assert "will go" in warned["said"]
    assert (logged["level"], logged["logger"], logged["said"]) == ("error", "py4j.clientserver", "lost the gateway")
    assert logging.getLogger().handlers == [one for one in logging.getLogger().handlers if "JsonLog" not in repr(one)]


def test_secrets_are_hidden_in_every_value(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    remember('pass"word\\')  # which JSON would write otherwise

    with JsonLog() as log:
        log.note("x", place=["s3://me:pw@bucket", 'pass"word\\'], more={"said": "token=abc"})
        log.fail(
            SourceError('pass"word\\', expected="x", found="y"), SourceError('pass"word\\', expected="x", found="y"), verbose=True
        )

    text = capsys.readouterr().err
    assert [event["event"] for event in events(text)] == ["x", "error"]
    assert not any(secret in text for secret in ("pass", "pw@", "abc"))


@pytest.mark.parametrize("arguments", [["--log", "json", "--config", "nowhere.yaml"], ["--config", "nowhere.yaml", "--log=json"]])
@pytest.mark.parametrize("command", ["run", "score", "grid", "doctor", "forget", "promote", "show"])
def test_an_error_is_an_event_with_its_parts(command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    more = {"promote": ["--run-id", "r"]}.get(command, [])

    code = main([command, *arguments, *more])

    told = capsys.readouterr()
    started, error = events(told.err)
    assert (code, told.out) == (2, "")
    assert (started["event"], started["command"]) == ("command_started", command)
    parts = {name: error[name] for name in ("event", "level", "place", "expected", "found", "exit_code")}
    assert parts == {
        "event": "error",
        "level": "error",
        "place": "--config",
        "expected": "a readable YAML file",
        "found": parts["found"],
        "exit_code": 2,
    }
    assert parts["found"].startswith("nowhere.yaml")
    assert error["said"].startswith("--config: expected a readable YAML file, found nowhere.yaml")


def test_a_wrong_command_line_is_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--kk", "--log", "json"]) == 2

    (error,) = events(capsys.readouterr().err)
    assert (error["event"], error["place"], error["exit_code"]) == ("error", "command line", 2)


@pytest.mark.parametrize(("error", "event", "code"), [(KeyError("x"), "error", 1), (KeyboardInterrupt(), "stopped", 130)])
def test_a_fault_of_the_program_and_a_stop_are_events(
    error: BaseException, event: str, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise error

    monkeypatch.setattr(cli, "_run", fail)

    assert main(["show", "--config", "c.yaml", "--log", "json"]) == code
    last = events(capsys.readouterr().err)[-1]
    assert (last["event"], last["level"], last["exit_code"]) == (event, "error", code)
    assert ("KeyError" in last.get("traceback", "")) == (code == 1)


def test_every_event_is_told_of() -> None:
    code = "".join(path.read_text() for path in (ROOT / "segmentation").rglob("*.py"))
    known = set(re.findall(r"\.(?:note|tell)\(\s*\"(\w+)\"|event=\"(\w+)\"", code))

    page = (ROOT / "docs/deploy/observability.md").read_text()
    assert len(known) > 12
    assert [event for pair in known for event in pair if event and f"`{event}`" not in page] == []


def test_a_run_tells_its_stages_and_spark_knows_the_stage_of_every_job(
    run_command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "now.csv").write_text("id,spend\n" + "".join(f"c{n},{n % 3 * 100 + n % 7}\n" for n in range(90)) + "bad,much\n")
    (tmp_path / "c.yaml").write_text("""
warehouse: {path: w}
sources:
  customers: {format: csv, path: now.csv, customer_id: id, attributes: {spend: {from: spend, type: number}}}
features: {use: {spend: {}}}
clustering: {k_min: 2, k_max: 4, seeds: [1], resamples: 3, null_tables: 3}
""")
    (tmp_path / "spark-defaults.conf").write_text(
        f"spark.eventLog.enabled true\nspark.eventLog.dir {tmp_path.as_uri()}\nspark.eventLog.compress false\n"
    )
    arguments = ["--config", "c.yaml", "--run-id", "r1", "--log", "json"]

    done = run_command("segmentation", "run", *arguments, cwd=tmp_path, SPARK_MASTER="local[1]", SPARK_CONF_DIR=str(tmp_path))

    assert done.returncode == 0, done.stderr[-3000:]
    told = events(done.stderr)
    assert all(list(one)[:6] == FIELDS for one in told)
    assert {one["run_id"] for one in told[1:]} == {"r1"}
    assert [one["stage"] for one in told if one["event"] == "stage_ended"] == ["start Spark", *STAGE_NAMES, "report"]
    (ingested,) = (one for one in told if one["event"] == "stage_ended" and one["stage"] == "ingest")
    assert (ingested["said"], ingested["rows_in"], ingested["level"]) == ("90 of 91 rows kept, 1 set aside", 91, "info")
    assert [one["event"] for one in told[-2:]] == ["published", "command_ended"]
    assert "Segments of run r1" in done.stdout
    jobs = [json.loads(line) for file in tmp_path.glob("eventlog_v2_*/events_*") for line in file.read_text().splitlines()]
    said = [one["Properties"].get("spark.job.description") for one in jobs if one["Event"] == "SparkListenerJobStart"]
    stages = "|".join(STAGE_NAMES)
    assert len(said) > 20
    assert [one for one in said if not re.match(rf"({stages}): \w", str(one))] == []
    assert {"ingest: read customers", "grid: k-means K=2..4", "grid: save the model", "segments: profiles"} <= set(said)
    assert sum(one.get("spark_jobs", 0) for one in told) == len(said)
