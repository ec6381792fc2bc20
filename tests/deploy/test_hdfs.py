"""A warehouse in HDFS: one command at a time, also after one that was killed, and a run that is published there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from servers import end

from segmentation.config.schema import Warehouse
from segmentation.errors import PublishError
from segmentation.tables import CURRENT, PUBLISHED, RUNS, SEGMENTS
from segmentation.warehouse.lake import Lake, open_lake

Runner = Callable[..., subprocess.CompletedProcess[str]]
_UP_SECONDS, _SOFT_LIMIT_SECONDS = 180, 60
_HOLD = """
import sys, time
from segmentation.config.schema import Warehouse
from segmentation.warehouse.lake import open_lake
from segmentation.warehouse.session import open_session
session, _ = open_session(source_bytes=0)
with open_lake(Warehouse.model_validate({"path": sys.argv[1]}), session).locked("run of another"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of an HDFS."""
    folder = tmp_path_factory.mktemp("hdfs")
    program = [sys.executable, str(Path(__file__).with_name("hdfs_server.py")), str(folder / "data")]
    with (folder / "told").open("w") as told:
        server = subprocess.Popen(program, stdout=told, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        ends = time.monotonic() + _UP_SECONDS
        while not (folder / "told").read_text().startswith("hdfs://"):
            if server.poll() is not None or time.monotonic() > ends:
                pytest.skip("Hadoop's MiniDFSCluster cannot be fetched or started here")
            time.sleep(0.5)
        yield (folder / "told").read_text().split()[0]
    finally:
        end(server)


def lake_at(place: str, spark: SparkSession) -> Lake:
    return open_lake(Warehouse.model_validate({"path": place}), spark)


def refusal(lake: Lake) -> str:
    """Return what a command is told that may not begin."""
    with pytest.raises(PublishError) as raised, lake.locked("another"):
        pass
    return str(raised.value)


def test_one_command_at_a_time_holds_a_warehouse(hdfs: str, jvm: SparkSession) -> None:
    lake = lake_at(f"{hdfs}/shop", jvm)

    with lake.locked("run one"):
        assert "expected no other run in this warehouse, found one at work: run one on" in refusal(lake_at(f"{hdfs}/shop", jvm))
    with lake.locked("run three"):  # the first has let go
        assert "run three on" in refusal(lake)


def test_who_was_killed_lets_go_a_minute_later(hdfs: str, jvm: SparkSession, tmp_path: Path) -> None:
    place = f"{hdfs}/killed"
    with (tmp_path / "told").open("w") as told:
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, place], stdout=told, stderr=subprocess.DEVNULL, start_new_session=True
        )
    while "held" not in (tmp_path / "told").read_text():
        assert holder.poll() is None
        time.sleep(0.2)
    os.killpg(holder.pid, signal.SIGKILL)  # with its JVM
    holder.wait()

    told_early = refusal(lake_at(place, jvm))
    assert "run of another on" in told_early
    assert "a dead one is let go a minute after it" in told_early
    time.sleep(_SOFT_LIMIT_SECONDS + 2)
    with lake_at(place, jvm).locked("the next"):
        pass
    with lake_at(place, jvm).locked("and another"):
        pass


def test_a_run_is_published_there(hdfs: str, jvm: SparkSession, run_command: Runner, tmp_path: Path) -> None:
    lines = [f"{number},{10 + 80 * (number % 2) + number / 60:.2f},{5 + number % 2}" for number in range(60)]
    (tmp_path / "people.csv").write_text("id,spend,visits\n" + "\n".join(lines) + "\n")
    (tmp_path / "c.yaml").write_text(f"""
warehouse: {{path: {hdfs}/published}}
sources:
  customers:
    format: csv
    path: {tmp_path}/people.csv
    customer_id: id
    attributes: {{spend: {{from: spend, type: number}}, visits: {{from: visits, type: number}}}}
features: {{use: {{spend: {{}}, visits: {{}}}}}}
clustering: {{k_max: 3, seeds: [1], resamples: 2, null_tables: 2}}
""")
    run = ["segmentation", "run", "--config", str(tmp_path / "c.yaml"), "--run-id", "one"]
    lake = lake_at(f"{hdfs}/published", jvm)

    with lake.locked("run of another"):
        refused = run_command(*run, cwd=tmp_path)
    done = run_command(*run, cwd=tmp_path)

    assert (refused.returncode, refused.stderr.splitlines()[-1].partition(" on ")[0]) == (
        4,
        f"segmentation: {hdfs}/published: expected no other run in this warehouse, found one at work: run of another",
    )
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in lake.read_rows(RUNS)] == [PUBLISHED]
    assert sorted(row["customers"] for row in lake.read_rows(CURRENT[SEGMENTS.name])) == [30, 30]
