"""A job whose sources and warehouse lie in S3, as moto plays it: two runs at once, what is published, who may write."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import deltalake
import obstore
import pytest
from obstore.store import from_url
from servers import free_port

from segmentation.config.schema import Warehouse
from segmentation.errors import PublishError
from segmentation.forget import forget
from segmentation.tables import ASSIGNMENTS, PUBLISHED, QUARANTINE, Table
from segmentation.warehouse.forgetting import find_files, find_left
from segmentation.warehouse.lake import open_lake

Runner = Callable[..., subprocess.CompletedProcess[str]]
BUCKET = "s3a://tables"
CUSTOMERS = 60


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """The environment that reaches a server with an empty bucket."""
    for package in ("moto", "flask", "flask_cors"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install '.[cluster]'")
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("object_server.py")), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    environment = {**names, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"}
    before = {name: os.environ.get(name) for name in environment}
    try:
        _make_bucket(url)
        os.environ.update(environment)  # for delta-rs and obstore within this process
        yield environment
    finally:
        server.kill()
        server.wait()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _make_bucket(url: str) -> None:
    for _ in range(100):
        try:
            urlopen(Request(f"{url}/{BUCKET.partition('://')[2]}", method="PUT")).read()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail("moto does not answer")


@pytest.fixture(scope="module")
def config(s3: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A configuration of customers in two heaps, in the bucket."""
    lines = [f"c{n},{n % 7 + 40 * (n % 2)},{n % 5 + 30 * (n % 2)}" for n in range(CUSTOMERS)]
    obstore.put(from_url(BUCKET), "in/members.csv", "\n".join(["id,visits,age", *lines]).encode())
    path = tmp_path_factory.mktemp("s3") / "c.yaml"
    path.write_text(f"""
warehouse: {{path: {BUCKET}/w}}
sources:
  customers:
    format: csv
    path: {BUCKET}/in/members.csv
    customer_id: id
    attributes: {{visits: {{from: visits, type: number}}, age: {{from: age, type: number}}}}
features: {{use: {{visits: {{}}, age: {{}}}}}}
clustering: {{k_max: 3, seeds: [1]}}
""")
    return str(path)


def test_of_two_runs_at_once_one_is_published_whole_and_one_refused_by_name(
    config: str, s3: dict[str, str], run_command: Runner, tmp_path: Path
) -> None:
    command = ["segmentation", "run", "--config", config]
    settings = {"SPARK_MASTER": "local[1]", "SPARK_DRIVER_MEMORY": "1g", **s3}
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **settings}
    started = [
        subprocess.Popen([*command, "--run-id", name], cwd=tmp_path, env=environment, stdout=-1, stderr=-1, text=True)
        for name in ("a", "b")
    ]
    told = {name: (*one.communicate(timeout=300), one.returncode) for name, one in zip("ab", started, strict=True)}

    if any("no way to get it" in error for _, error, _ in told.values()):
        pytest.skip("the JARs are not there and cannot be fetched")
    assert sorted(code for *_, code in told.values()) == [0, 4], told
    (winner,) = (name for name, (*_, code) in told.items() if code == 0)
    ((_, refused, _),) = (one for name, one in told.items() if name != winner)
    assert f"{BUCKET}/w: expected no other run in this warehouse, found one at work: run {winner} on" in refused
    assert f"or at once where {BUCKET}/w/.lock is removed" in refused
    (run,) = read("runs")
    assert (run["run_id"], run["status"], run["customers"]) == (winner, PUBLISHED, CUSTOMERS)
    for table in ("features", "assignments", "current_assignments", "current_segments", "profiles"):
        assert {row["run_id"] for row in read(table)} == {winner}, table
    for table in ("features", "assignments", "current_assignments"):
        assert sorted(row["customer_id"] for row in read(table)) == sorted(f"c{n}" for n in range(CUSTOMERS)), table
    left = {one["path"].partition("w/")[2] for batch in obstore.list(from_url(BUCKET), "w") for one in batch}
    assert ".lock" not in left
    assert {f"reports/{winner}/report.html", f"models/{winner}/manifest.json"} <= left

    shown = run_command("segmentation", "show", "--config", config, cwd=tmp_path, JAVA_HOME=str(tmp_path), **s3)

    assert shown.returncode == 0, shown.stderr
    assert all(row["segment_name"] in shown.stdout for row in read("current_segments"))


def test_a_person_is_forgotten_to_the_last_byte_in_a_store_too(s3: dict[str, str]) -> None:
    lake = open_lake(Warehouse.model_validate({"path": f"{BUCKET}/f"}), None)
    files, gone, other = find_files(lake), "person-4711", "person-0815"
    placed = [{"customer_id": one, "segment_id": 0, "distance": 1.0, "segment_key": "S0001"} for one in (gone, other)]
    aside = {"source": "customers", "reason": "x", "all_reasons": "x", "row_key": "", "raw_record": f'{{"id": "{gone}"}}'}
    for run_id in ("one", "two"):
        for table, rows in ((ASSIGNMENTS, placed), (QUARANTINE, [aside | {"customer_id": None}])):
            lake.write_rows(fill(rows, table, run_id), table, run_id=run_id)
    before = list(find_left(files, [gone]))

    counted = forget(lake, [gone], is_dry_run=True)
    told = forget(lake, [gone], is_dry_run=False)

    assert len(before) > 4  # of both tables and both runs data files and logs
    assert counted == ["assignments: 2 rows would go", "quarantine: 2 rows would go"]
    assert told[-1].endswith(f"files of {BUCKET}/f names one of the 1 ids")
    assert list(find_left(files, [gone])) == []
    assert [row["customer_id"] for row in lake.read_rows(ASSIGNMENTS)] == [other, other]
    assert not lake.read_rows(QUARANTINE)
    lake.write_rows(fill(placed[1:], ASSIGNMENTS, "three"), ASSIGNMENTS, run_id="three")
    assert len(lake.read_rows(ASSIGNMENTS)) == 3
    lake.write_file(f"{BUCKET}/f/note.txt", gone.encode())
    with pytest.raises(PublishError, match=f"no file that names one of them, found {BUCKET}/f/note.txt"):
        forget(lake, [gone], is_dry_run=False)


def fill(rows: list[dict[str, Any]], table: Table, run_id: str) -> list[dict[str, Any]]:
    """Return rows with every column of a table."""
    return [{column.name: None for column in table.columns} | row | {"run_id": run_id} for row in rows]


def read(table: str) -> list[dict[str, Any]]:
    """Return the rows of a table in the bucket."""
    rows: list[dict[str, Any]] = deltalake.DeltaTable(f"{BUCKET}/w/{table}").to_pyarrow_table().to_pylist()
    return rows
