"""A Hive metastore as the catalog, and a BI tool that asks Spark's Thrift server: real ones, of the JARs of pyspark."""

import csv
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark
import pytest
from servers import end, free_port

from segmentation.tables import CURRENT, EVERY, RUNS, SEGMENTS
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.session import DELTA_JARS

Runner = Callable[..., subprocess.CompletedProcess[str]]
JARS = Path(pyspark.__file__).parent / "jars"
NEEDED = ("hive-metastore", "derby-", "hive-beeline", "hive-jdbc", "spark-hive-thriftserver", "spark-hive_")
THIN = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=128m"
PATIENCE = 240  # seconds; an idle machine needs ten


@dataclass(frozen=True)
class Shop:
    """A catalog warehouse after its first run, and how to ask the server before it."""

    files: Lake  # the same tables as a path, where a commit takes no JVM
    ask: Callable[[str], list[dict[str, str]]]


def java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else str(shutil.which("java"))


@contextmanager
def serving(command: list[str], port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Start a server, wait until it answers at its port, and end it after the block."""
    log = folder / f"{port}.log"
    with open(log, "w") as told:
        server = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=told, stderr=told)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.3)
        yield
    finally:
        end(server)


@contextmanager
def metastore(folder: Path) -> Iterator[str]:
    """Start Hive's metastore with a Derby of its own, which lets in one process only, so that all may ask the metastore."""
    port = free_port()
    settings = {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/derby;create=true",
        "datanucleus.schema.autoCreateAll": "true",
        "hive.metastore.schema.verification": "false",
        "hive.metastore.warehouse.dir": f"{folder}/warehouse",
    }
    command = [java(), *THIN.split(), "-Xmx256m", "-Dhive.async.log.enabled=false", f"-Dderby.system.home={folder}"]
    command += ["-cp", f"{JARS}/*", "org.apache.hadoop.hive.metastore.HiveMetaStore", "-p", str(port)]
    for name, value in settings.items():
        command += ["--hiveconf", f"{name}={value}"]
    with serving(command, port, folder, {}):
        yield f"thrift://127.0.0.1:{port}"


@contextmanager
def thrift_server(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Start Spark's Thrift server; Delta must lie on its class path, for its threads do not see what ``--jars`` adds."""
    port = free_port()
    known = (Path.home() / ".ivy2.5.2" / "jars" / name for name in DELTA_JARS)
    settings = {
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
        "spark.hadoop.hive.server2.thrift.port": str(port),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.driver.extraClassPath": ":".join(str(jar) for jar in known if jar.is_file()),
        "spark.driver.extraJavaOptions": THIN,
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.ui.enabled": "false",
    }
    command = [str(Path(sys.executable).parent / "spark-submit"), "--master", "local[1]", "--driver-memory", "1g"]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    command += ["--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal"]
    with serving(command, port, folder, environment):
        yield f"jdbc:hive2://127.0.0.1:{port}/shop"


@pytest.fixture(scope="module")
def shop(run_command: Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    absent = [name for name in NEEDED if not list(JARS.glob(f"{name}*.jar"))]
    if absent:
        pytest.skip(f"this Spark comes without {', '.join(absent)} in {JARS}")
    folder = tmp_path_factory.mktemp("shop")
    (folder / "c.csv").write_text("id;spend\n" + "".join(f"{n};{n % 3 * 100 + n % 7}\n" for n in range(90)))
    (folder / "c.yaml").write_text(f"""
warehouse: {{schema: spark_catalog.shop, models: {folder}/models}}
sources:
  customers:
    {{format: csv, path: c.csv, delimiter: ";", customer_id: id, attributes: {{spend: {{from: spend, type: number}}}}}}
features: {{use: {{spend: {{}}}}}}
clustering: {{k_min: 2, k_max: 3, seeds: [1]}}
""")
    with metastore(folder) as uri:
        (folder / "spark-defaults.conf").write_text(
            f"spark.sql.catalogImplementation hive\nspark.hadoop.hive.metastore.uris {uri}\n"
            f"spark.sql.warehouse.dir {folder}/warehouse\n"
        )
        known = {"SPARK_CONF_DIR": str(folder)}
        done = run_command("segmentation", "run", "--config", "c.yaml", "--run-id", "a", cwd=folder, **known)
        assert done.returncode == 0, done.stdout + done.stderr
        with thrift_server(folder, known) as url:

            def ask(question: str) -> list[dict[str, str]]:
                """Ask as a BI tool does: over JDBC, here by beeline."""
                client = [java(), "-XX:TieredStopAtLevel=1", f"-Duser.home={folder}", "-cp", f"{JARS}/*"]
                client += ["org.apache.hive.beeline.BeeLine", "-u", url, "--outputformat=tsv2", "--silent=true", "-e", question]
                answer = run_command(*client, cwd=folder)
                assert answer.returncode == 0, answer.stderr[-3000:]
                head, *rows = answer.stdout.splitlines()  # the head comes after beeline's prompt
                return list(csv.DictReader([head.rpartition("> ")[2], *rows], delimiter="\t"))

            yield Shop(Lake(None, f"{folder}/warehouse/shop.db", None, f"{folder}/models"), ask)


def test_a_bi_tool_sees_the_published_run_of_a_hive_metastore(shop: Shop) -> None:
    found = shop.ask("SELECT segment_name, customers FROM current_segments ORDER BY segment_id")
    segments = sorted(shop.files.read_rows(SEGMENTS), key=lambda row: int(row["segment_id"]))

    assert [(row["segment_name"], int(row["customers"])) for row in found] == [
        (row["segment_name"], row["customers"]) for row in segments
    ]
    assert sum(int(row["customers"]) for row in found) == 90
    joined = "SELECT count(*) AS customers FROM current_assignments a JOIN current_segments s USING (run_id, segment_id)"
    assert shop.ask(joined) == [{"customers": "90"}]


def test_the_metastore_lists_tables_and_views_with_their_comments(shop: Shop) -> None:
    views = {row["viewName"] for row in shop.ask("SHOW VIEWS")}
    names = {row["tableName"] for row in shop.ask("SHOW TABLES")}
    comments = {row["col_name"]: row["comment"].strip() for row in shop.ask("DESCRIBE current_segments")}

    assert views == {view.name for view in CURRENT.values()}
    assert names - views <= {table.name for table in EVERY}
    assert comments == {one.name: one.comment for one in SEGMENTS.columns}


def test_one_commit_to_runs_is_what_the_bi_tool_sees_next(shop: Shop) -> None:
    (row,) = shop.files.read_rows(RUNS)
    renamed = [{**one, "run_id": "b", "segment_name": f"{one['segment_name']} again"} for one in shop.files.read_rows(SEGMENTS)]
    names = "SELECT DISTINCT run_id, segment_name LIKE '% again' AS is_new FROM current_segments"
    shop.files.write_rows(renamed, SEGMENTS, run_id="b")
    before = shop.ask(names)

    shop.files.write_rows([{**row, "run_id": "b", "published_seq": 2}], RUNS, run_id="b")

    assert before == [{"run_id": "a", "is_new": "false"}]
    assert shop.ask(names) == [{"run_id": "b", "is_new": "true"}]
