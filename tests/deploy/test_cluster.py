"""A standalone cluster of processes on loopback: the packed job, the same labels as in local mode, and what dies under way."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TextIO

import deltalake
import psutil
import pyspark
import pytest
from conftest import ROOT, compiled, run_all
from pyspark.sql import SparkSession

from segmentation.synthetic import generate_archetypes

SPARK_HOME = Path(pyspark.__file__).parent
PATIENCE_SECONDS = 600
CONFIG = """\
as_of: 2026-01-01
warehouse: {{path: {warehouse}}}
sources:
  transactions:
    format: parquet
    path: {lines}
    columns: {{customer_id: customer_id, order_id: order_id, ordered_at: ordered_at, amount: amount}}
features:
  use: {{recency_days: {{log: true}}, frequency_orders: {{log: true}}, monetary_total: {{log: true}}, tenure_days: {{}}}}
clustering: {{k_max: 6, resamples: 5, driver_mb: {driver_mb}}}
"""


@dataclass(frozen=True)
class Cluster:
    """A master and two workers of a core each, none of which has this project or its packages."""

    url: str
    workers: tuple[subprocess.Popen[bytes], ...]
    package: Path  # what scripts/package.sh made
    jobs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def python(self) -> Path:
        """The driver's Python, of the packed environment unpacked."""
        return self.package / "driver/bin/python"

    def submit(self, job: str, *arguments: str, log: TextIO) -> subprocess.Popen[bytes]:
        """Start a job by spark-submit, with what scripts/package.sh made and nothing else."""
        options = {
            "spark.pyspark.python": "./environment/bin/python",
            "spark.pyspark.driver.python": str(self.python),
            "spark.executor.memory": "700m",
            "spark.sql.shuffle.partitions": "4",
            "spark.databricks.delta.snapshotPartitions": "2",
            "spark.ui.enabled": "false",
        }
        command = [str(SPARK_HOME / "bin/spark-submit"), "--master", self.url, "--driver-memory", "1g"]
        command += ["--jars", ",".join(map(str, (self.package / "jars").iterdir()))]
        command += ["--py-files", str(self.package / "segmentation.zip")]
        command += ["--archives", f"{self.package}/environment.tar.gz#environment"]
        command += [word for name, value in options.items() for word in ("--conf", f"{name}={value}")]
        command += [str(ROOT / "jobs" / job), *arguments]
        self.jobs.append(subprocess.Popen(command, env=bare_environment(), cwd=self.package, stdout=log, stderr=log))
        return self.jobs[-1]


def bare_environment() -> dict[str, str]:
    """Return an environment that leads to nothing of this project's."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "JAVA_HOME")}
    return kept | {"PATH": "/usr/bin:/bin", "SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": "127.0.0.1"}


def wait_for(log: Path, pattern: str, process: subprocess.Popen[bytes]) -> str:
    """Return the first match in a growing log."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found = re.search(pattern, log.read_text())
        if found:
            return found.group()
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"no {pattern} in:\n{log.read_text()[-3000:]}")


def start(folder: Path, name: str, *arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
    log = folder / f"{name}.log"
    with log.open("w") as stream:
        command = [str(SPARK_HOME / "bin/spark-class"), *arguments]
        return subprocess.Popen(command, env=bare_environment(), cwd=folder, stdout=stream, stderr=stream), log


@contextmanager
def run_cluster(folder: Path, package: Path) -> Iterator[Cluster]:
    deploy, host = "org.apache.spark.deploy", ("--host", "127.0.0.1", "--webui-port", "0")
    master, log = start(folder, "master", f"{deploy}.master.Master", "--port", "0", *host)
    started, jobs = [master], list[subprocess.Popen[bytes]]()
    try:
        url = wait_for(log, r"spark://127\.0\.0\.1:\d+", master)
        for number in range(2):
            size = ("--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work{number}"))
            worker, log = start(folder, f"worker{number}", f"{deploy}.worker.Worker", *size, *host, url)
            started.append(worker)
            wait_for(log, "Successfully registered with master", worker)
        yield Cluster(url, tuple(started[1:]), package, jobs)
    finally:
        for process in (*jobs, *reversed(started)):
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
            process.wait()


@pytest.fixture(scope="module")
def package(run_command: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What scripts/package.sh makes; its environment unpacked once more for the driver."""
    folder = tmp_path_factory.mktemp("package")
    done = run_command(str(ROOT / "scripts/package.sh"), str(folder), cwd=folder, COMPRESS_LEVEL="1", PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    (folder / "driver").mkdir()
    subprocess.run(["tar", "-xzf", "environment.tar.gz", "-C", "driver"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def cluster(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with run_cluster(tmp_path_factory.mktemp("cluster"), package) as running:
        yield running


@pytest.fixture(scope="module")
def local(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the purchase lines, and of a warehouse that this process filled, the driver working on all points."""
    folder = tmp_path_factory.mktemp("local")
    with compiled(jvm):
        lines = generate_archetypes(jvm, customers=4_000, as_of=date(2026, 1, 1), seed=5)
        lines.drop("true_archetype").repartition(4).write.parquet(f"{folder}/lines")
        run_all(jvm, write_config(folder, folder / "w", driver_mb=256), run_id="local")
    return folder


def kill_executors(worker: subprocess.Popen[bytes]) -> int:
    """Kill a worker's executors; return how many. One of the job before may still be there, or be ending."""
    killed = 0
    for child in psutil.Process(worker.pid).children():
        with suppress(psutil.Error):
            if any("ExecutorBackend" in word for word in child.cmdline()):
                child.kill()
                killed += 1
    return killed


def write_config(folder: Path, warehouse: Path, *, driver_mb: int) -> str:
    path = folder / f"{warehouse.name}.yaml"
    path.write_text(CONFIG.format(warehouse=warehouse, lines=folder / "lines", driver_mb=driver_mb))
    return str(path)


def assignments(warehouse: Path) -> Any:
    columns = ["customer_id", "segment_id", "segment_key", "runner_up_segment_id"]
    rows = deltalake.DeltaTable(str(warehouse / "assignments")).to_pandas(columns=columns)
    return rows.sort_values("customer_id", ignore_index=True)


def test_the_doctor_finds_the_packed_python_on_the_executors(cluster: Cluster, local: Path, tmp_path: Path) -> None:
    config = write_config(local, tmp_path / "w", driver_mb=0)
    with (tmp_path / "log").open("w") as log:
        code = cluster.submit("doctor.py", "--config", config, log=log).wait(PATIENCE_SECONDS)

    told = (tmp_path / "log").read_text()
    assert code == 0, told[-3000:]
    assert f"4.2.0 at {cluster.url}" in told
    assert "workers        2 with Python" in told
    assert "delta-spark missing" in told  # the JARs do all, and nobody missed it


def test_labels_are_those_of_local_mode_though_an_executor_and_a_worker_die(
    cluster: Cluster, local: Path, tmp_path: Path
) -> None:
    config, log = write_config(local, tmp_path / "w", driver_mb=0), tmp_path / "log"
    with log.open("w") as stream:
        job = cluster.submit("run.py", "--config", config, "--run-id", "cluster", log=stream)
    wait_for(log, "grid: started", job)
    time.sleep(2)
    assert kill_executors(cluster.workers[0]) > 0
    wait_for(log, "Lost executor", job)
    assert "grid: done" not in log.read_text()
    wait_for(log, "grid: done", job)
    cluster.workers[1].kill()

    code = job.wait(PATIENCE_SECONDS)

    told = log.read_text()
    assert code == 0, told[-3000:]
    assert "published" in told
    assert assignments(tmp_path / "w").equals(assignments(local / "w"))
