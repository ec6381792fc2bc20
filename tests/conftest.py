"""One SparkSession for the whole test run, made as the jobs make it; and where the real data lie."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from filelock import FileLock

os.environ.setdefault("SPARK_MASTER", "local[2]")
os.environ.setdefault("SPARK_DRIVER_MEMORY", "3g")

from pyspark.sql import DataFrame, Row, SparkSession

from segmentation.config.load import load_config
from segmentation.pipeline import STAGES, Request, execute
from segmentation.progress import Progress
from segmentation.run import Run
from segmentation.warehouse.lake import open_lake
from segmentation.warehouse.session import TINY_BYTES, open_session

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SEGMENTATION_TEST_DATA", ROOT.parent / "shared" / "data"))


# Most tests have a few rows, which are gone before a query is compiled, and the session is that of tiny tables.
_COMPILED = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.shuffle.partitions": "4",
}


# The dearest first: what is left for the end is shared best between processes when it is short.
_ORDER = ("process", "browser", "spark", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the dearest thing it needs, which its fixtures say; files with dear tests come first."""
    dearest: dict[Path, int] = {}
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        if "browser" in needed:
            item.add_marker("browser")
        elif "run_command" in needed:
            item.add_marker("process")
        else:
            item.add_marker("spark" if "jvm" in needed else "unit")
        places = [place for place, name in enumerate(_ORDER) if item.get_closest_marker(name)]
        dearest[item.path] = min(places[0], dearest.get(item.path, len(_ORDER)))
    # And of these the tests of the whole house, which lie above those of its rooms.
    items.sort(key=lambda item: (dearest[item.path], len(item.path.parts)))


def first_row(frame: DataFrame) -> Row:
    """Return the first row of a frame that has one."""
    return frame.collect()[0]


def to_pandas(frame: DataFrame) -> Any:
    """Return a frame as one of pandas; PySpark's own annotation knows too little of that."""
    return frame.toPandas()


@contextmanager
def compiled(spark: SparkSession) -> Iterator[None]:
    """Compile queries in the block, for tables of many rows."""
    former = {name: str(spark.conf.get(name)) for name in _COMPILED}
    for name, value in _COMPILED.items():
        spark.conf.set(name, value)
    yield
    for name, value in former.items():
        spark.conf.set(name, value)


def run_all(spark: SparkSession, config: str, run_id: str = "r1", stages: tuple[str, ...] = tuple(STAGES), **options: Any) -> Run:
    """Run the stages of a configuration file in this session, quietly."""
    return execute(spark, Request(load_config(config, **options), run_id, stages), Progress())


@pytest.fixture(scope="session")
def jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    settings = {"spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("catalog"))}
    # One at a time: the first start ever fetches the JARs, and two would fetch into one folder.
    with FileLock(Path(gettempdir(), "customer-segmentation-tests.lock")):
        session, _ = open_session(settings=settings, source_bytes=TINY_BYTES)
    yield session
    session.stop()


@pytest.fixture
def spark(jvm: SparkSession) -> Iterator[SparkSession]:
    yield jvm
    jvm.catalog.clearCache()


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], str]:
    def find(name: str) -> str:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"{name} is not in {DATA}; set SEGMENTATION_TEST_DATA to the folder that holds it")
        return str(path)

    return find


@pytest.fixture(scope="session")
def published(
    jvm: SparkSession, real_data: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Run]:
    """Return the run of a configuration of conf/ on its real data, its report drawn; made once for all processes, to be read."""
    base = tmp_path_factory.getbasetemp()
    place = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def publish(name: str) -> Run:
        options: dict[str, Any] = {"warehouse": str(place / name)}
        if name == "online_retail":
            options |= {"as_of": "2011-12-10", "inputs": {"transactions": real_data("online_retail.csv.gz")}}
        config, is_done = load_config(str(ROOT / f"conf/{name}.yaml"), **options), place / f"{name}.done"
        with FileLock(place / f"{name}.lock"):
            if not is_done.exists():
                with compiled(jvm):
                    execute(jvm, Request(config, "r1", tuple(STAGES), draws=True), Progress())
                is_done.touch()
        return Run(run_id="r1", config=config, lake=open_lake(config.warehouse, jvm), started_at=datetime.now(UTC))

    return publish


@pytest.fixture(scope="session")
def run_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program of this environment in a process of its own, from outside the repository."""

    def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        binaries = Path(sys.executable).parent
        env = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", **environment}
        env.pop("PYSPARK_GATEWAY_PORT", None)
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)

    return run
