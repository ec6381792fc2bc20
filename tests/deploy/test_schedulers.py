"""What a scheduler is given reads the exit code as docs/monthly.md says: cron and Airflow by bash, Databricks by the table."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT
from pyspark.sql import SparkSession
from ruamel.yaml import YAML
from test_install import Installed, Runner

DEPLOY = ROOT / "conf/deploy"
CODES = (0, 2, 10, 11, 12)
AIRFLOW = "apache-airflow>=3.1,<4"

# What Airflow itself makes of the DAG: its tasks, and what each task returns by the exit code of the program.
LOOK = """
import datetime, json, os, runpy, sys
from types import SimpleNamespace
from airflow.exceptions import AirflowException

found = runpy.run_path(sys.argv[1])
dag = found["dag"]
context = {"data_interval_end": datetime.datetime(2026, 3, 3, 4), "ti": SimpleNamespace(try_number=1)}
told = {"tasks": {name: sorted(task.downstream_task_ids) for name, task in dag.task_dict.items()}, "schedule": dag.schedule}
for code in sys.argv[2:]:
    os.environ["EXIT"] = code
    try:
        score = runpy.run_path(sys.argv[1])["score"]
        score.render_template_fields(context)
        said = score.execute(context)
        puller = SimpleNamespace(xcom_pull=lambda task_ids: said if task_ids == "score" else None)
        told[code] = [said, found["choose"](puller)]
        if told[code][1] == "challenger":
            challenger = runpy.run_path(sys.argv[1])["challenger"]
            challenger.render_template_fields({**context, "ti": puller})
            told[code].append(challenger.bash_command.strip())
    except AirflowException:
        told[code] = "failed"
print(json.dumps(told), file=sys.stderr)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder with a ``segmentation`` that ends with ``$EXIT`` and a ``mail``; both write down what they were told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, last in (("segmentation", 'echo "published"; exit $EXIT'), ("mail", "cat > /dev/null")):
        program = folder / name
        program.write_text(f'#!/bin/bash\necho "{name} $*" >> {tmp_path}/told\n{last}\n')
        program.chmod(0o755)
    return folder


def environment(programs: Path, code: int) -> dict[str, str]:
    return os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "EXIT": str(code)}


@pytest.mark.parametrize("code", CODES)
def test_cron_mails_where_a_person_has_to_look_and_after_errors(programs: Path, tmp_path: Path, code: int) -> None:
    (line,) = (line for line in (DEPLOY / "crontab").read_text().splitlines() if not line.startswith("#"))
    *times, command = line.split(maxsplit=5)
    assert re.search(r"(?<!\\)%", command) is None  # cron ends the command there
    command = command.replace("\\%", "%")

    done = subprocess.run(["bash", "-c", command], env=environment(programs, code) | {"HOME": str(tmp_path)}, check=False)

    told = (tmp_path / "told").read_text().splitlines()
    assert times == ["0", "4", "3", "*", "*"]
    assert re.fullmatch(r"segmentation score --config \S+ --as-of \d{4}-\d\d-01 --exit-on-drift", told[0])
    assert [one.split()[0] for one in told[1:]] == (["mail"] if code in (2, 11, 12) else [])
    assert done.returncode == 0
    assert (tmp_path / "score.log").read_text() == "published\n"


def test_airflow_trains_a_challenger_on_refit_and_fails_on_errors(run_command: Runner, programs: Path, tmp_path: Path) -> None:
    run_command("uv", "venv", "--quiet", "--python", sys.executable, "airflow", cwd=tmp_path)
    installed = Installed(tmp_path / "airflow", run_command)
    installed.install(AIRFLOW)
    words = ["-c", LOOK, str(DEPLOY / "airflow_dag.py"), *map(str, CODES)]
    home = {"AIRFLOW_HOME": str(tmp_path), "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": ""}

    done = run_command(str(tmp_path / "airflow/bin/python"), *words, cwd=tmp_path, **home)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stderr.splitlines()[-1])
    tasks = {"score": ["branch"], "branch": ["challenger", "done"], "challenger": [], "done": []}
    assert (told.pop("tasks"), told.pop("schedule")) == (tasks, "0 4 3 * *")
    challenger = "segmentation run --config /srv/shop.yaml --as-of 2026-03-01 --run-id challenger-2026-03-01"
    assert told == {
        "0": ["published", "done"],
        "2": "failed",
        "10": ["10", "done"],
        "11": ["11", "challenger", f"{challenger} --k champion"],
        "12": ["12", "challenger", challenger],
    }
    asked = (tmp_path / "told").read_text().splitlines()
    assert asked[0] == "segmentation score --config /srv/shop.yaml --as-of 2026-03-01 --run-id score-2026-03-01 --exit-on-drift"


def test_databricks_knows_every_word_of_the_monthly_job() -> None:
    jobs = pytest.importorskip("databricks.bundles.jobs")
    text = YAML(typ="safe", pure=True).load(DEPLOY / "databricks_monthly.yml")

    (job,) = (jobs.Job.from_dict(one) for one in text["resources"]["jobs"].values())

    tasks = {task.task_key: task for task in job.tasks}
    assert list(tasks) == ["score", "read_verdict", "asks_for_refit", "challenger"]
    files = [task.spark_python_task.python_file for task in job.tasks if task.spark_python_task]
    assert [(DEPLOY / one).resolve().relative_to(ROOT).as_posix() for one in files] == [
        "jobs/score.py",
        "conf/deploy/databricks_verdict.py",
        "jobs/run.py",
    ]
    assert all((DEPLOY / one).is_file() for one in files)
    assert tasks["challenger"].depends_on[0].outcome == "true"


def test_databricks_reads_the_newest_verdict(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, told = ModuleType("databricks.sdk.runtime"), {}

    class Dbutils:
        class jobs:  # noqa: N801
            class taskValues:  # noqa: N801
                @staticmethod
                def set(*, key: str, value: Any) -> None:
                    told[key] = value

    runtime.__dict__.update(spark=spark, dbutils=Dbutils)
    monkeypatch.setitem(sys.modules, "databricks.sdk.runtime", runtime)
    monkeypatch.setattr(sys, "argv", ["databricks_verdict.py", "runs_of_months"])
    found = []
    for verdict in (None, "keep: none", "refit: PSI", "new segmentation: WSSSE"):
        rows = [("PUBLISHED", 1, "refit: old"), ("PUBLISHED", 2, verdict), ("FAILED", None, "refit: late")]
        spark.createDataFrame(rows, "status string, published_seq long, drift_verdict string").createOrReplaceTempView(
            "runs_of_months"
        )
        runpy.run_path(str(DEPLOY / "databricks_verdict.py"))
        found.append(told["asks_for_refit"])

    assert found == ["false", "false", "true", "true"]
