"""The one SparkSession: time zone, Delta, worker Python, and where the JARs come from."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pyspark
from py4j.protocol import Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from segmentation.errors import SetupError
from segmentation.warehouse.connectors import Connector, find_connectors
from segmentation.warehouse.requirements import SPARK_MINOR, check_java, check_pyspark, check_python

DELTA_VERSION = "4.4.0"
_DELTA_MINOR = "4.4."
DELTA_PACKAGE = f"io.delta:delta-spark_{SPARK_MINOR}_2.13:{DELTA_VERSION}"
# Spark has these itself; without the excludes a second copy of each comes along.
DELTA_EXCLUDES = (
    "org.apache.hadoop:hadoop-client*,org.apache.hadoop:hadoop-common,org.apache.parquet:*,com.fasterxml.jackson.core:*,"
    "com.fasterxml.jackson.datatype:*,"
    "org.apache.logging.log4j:*,org.slf4j:*,org.xerial.snappy:*,com.github.luben:*,io.airlift:*,commons-pool:*,"
    "commons-logging:*,com.google.code.findbugs:*,javax.annotation:*,org.locationtech.jts:*,org.roaringbitmap:*"
)
_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
_ALWAYS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.extensions": _EXTENSION,
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",  # or a folder region=01 is the number 1
    "spark.sql.legacy.javaCharsets": "true",  # or of all character sets of Windows none can be read
    "spark.sql.maxConcurrentOutputFileWriters": "4",  # or every write sorts its rows by run_id, a constant
}
_OF_READING = (
    "spark.sql.session.timeZone",
    "spark.sql.sources.partitionColumnTypeInference.enabled",
    "spark.sql.legacy.javaCharsets",
)
# What ``DELTA_PACKAGE`` brings, as Ivy names it below ~/.ivy2.5.2/jars.
DELTA_JARS = (
    f"io.delta_delta-spark_{SPARK_MINOR}_2.13-{DELTA_VERSION}.jar",
    *(
        f"io.delta_delta-{part}-{DELTA_VERSION}.jar"
        for part in ("storage", "kernel-api", "kernel-defaults", "kernel-unitycatalog")
    ),
    *(f"io.unitycatalog_unitycatalog-{part}-0.6.0.jar" for part in ("client", "hadoop")),
)
_IVY = Path.home() / ".ivy2.5.2"
_FETCH_SECONDS = 600
# PySpark's loggers that write every error it raises to stderr, those that are caught and mended too.
_ECHOES = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
# Small tables on few cores: Delta's defaults are made for clusters.
_LOCAL = {
    "spark.driver.memory": os.environ.get("SPARK_DRIVER_MEMORY", "4g"),
    # On few cores ParallelGC takes a tenth less time than G1, and code must run longer than by default to be worth the
    # second compiler, which took a third of all seconds.
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC -XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.debug.maxToStringFields": "200",
}
# By bytes of the sources: what a short run spends on compiling and planning it never earns back
# (scripts/benchmark/NOTES.md). The second compiler pays from some millions of lines on.
# With the first compiler alone the JVM keeps room for 48 MB of compiled code, which a run in a catalog fills.
_CODE = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=128m"
_C1 = {
    "spark.driver.extraJavaOptions": f"-XX:+UseParallelGC {_CODE}",
    "spark.sql.adaptive.enabled": "false",
}
_INTERPRETED = {
    "spark.driver.extraJavaOptions": f"-XX:+UseSerialGC {_CODE}",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
TINY_BYTES, SHORT_BYTES = 2**20, 24 * 2**20
_FORBIDDEN = ("spark.sql.files.ignoreCorruptFiles", "spark.sql.files.ignoreMissingFiles")


def open_session(
    *,
    verbose: bool = False,
    settings: dict[str, str] | None = None,
    source_bytes: int | None = None,
    places: Sequence[str] = (),
) -> tuple[SparkSession, bool]:
    """Return the session, and whether it was made here and so is the caller's to stop.

    A session that exists is used as it is. Under ``spark-submit`` no master is set. Otherwise a local session goes to
    ``SPARK_MASTER``, by default ``local[*]``, and the JVM's chatter to a file unless ``verbose``; it is tuned for a run
    over ``source_bytes`` (None: unknown, which counts as large), and reaches the object stores of ``places``.

    Raises
    ------
    SetupError
        If Java, Python, Spark and Delta are missing or do not fit together.
    """
    check_python()
    check_pyspark()
    active = SparkSession.getActiveSession()
    if active is not None:
        _check_session(active)
        return active, False
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    conf = SparkConf(loadDefaults=False).setAppName("customer segmentation")
    try:
        with nullcontext() if submitted or not _lacks_jars(places) else one_fetches():
            conf = _submitted_conf(conf) if submitted else _local_conf(conf, verbose, source_bytes, places)
            for name, value in {**_ALWAYS, **(settings or {})}.items():
                conf.set(name, value)
            session = SparkSession.builder.config(conf=conf).getOrCreate()
    except (PySparkException, Py4JJavaError) as error:
        raise SetupError("Spark", expected="a session", found=_first_line(error)) from error
    if not verbose:
        session.sparkContext.setLogLevel("ERROR")
        for name in _ECHOES:
            PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)
    _check_session(session)
    return session, not submitted


def delta_version(session: SparkSession) -> str:
    """Return the version of the Delta JARs that a session runs with."""
    jvm: Any = session._jvm
    return str(jvm.io.delta.package.VERSION())


def _local_conf(conf: SparkConf, verbose: bool, source_bytes: int | None, places: Sequence[str]) -> SparkConf:
    check_java()
    for name, value in {**_LOCAL, **_tune(source_bytes)}.items():
        conf.set(name, value)
    conf.setMaster(os.environ.get("SPARK_MASTER", "local[*]"))
    _add_jars(conf, places)
    # Workers start the python3 of PATH, which knows nothing of a virtual environment that is not activated.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if not verbose and SparkContext._gateway is None:
        _launch_quietly(conf)
    return conf


def _tune(source_bytes: int | None) -> dict[str, str]:
    if source_bytes is None or source_bytes > SHORT_BYTES:
        return {}
    return _INTERPRETED if source_bytes <= TINY_BYTES else _C1


def known_jars() -> list[Path]:
    """Return where an earlier start of Spark left Delta's JARs, if one did."""
    return _known(DELTA_JARS)


def _known(names: Sequence[str]) -> list[Path]:
    return [_IVY / "jars" / name for name in names]


def _needed(connectors: Sequence[Connector]) -> list[Path]:
    return _known((*DELTA_JARS, *(jar for one in connectors for jar in one.jars)))


def _lacks_jars(places: Sequence[str]) -> bool:
    """Say whether Spark has to fetch JARs at its start."""
    connectors = find_connectors(places)
    return bool(connectors or not _has_delta_jar()) and not all(jar.is_file() for jar in _needed(connectors))


@contextmanager
def one_fetches() -> Iterator[None]:
    """Let one process at a time fetch JARs: of two that fill Ivy's cache one finds half a file."""
    from filelock import FileLock

    try:
        _IVY.mkdir(parents=True, exist_ok=True)
        lock = FileLock(_IVY / ".segmentation.lock", timeout=_FETCH_SECONDS)
        lock.acquire()
    except OSError:  # a home that cannot be written, or one who fetches for too long: Ivy says what it lacks
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _add_jars(conf: SparkConf, places: Sequence[str]) -> None:
    """Name the JARs where an earlier start left them; resolving them again takes seconds."""
    connectors = find_connectors(places)
    if _has_delta_jar() and not connectors:
        return
    for setting in (one.settings for one in connectors):
        conf.setAll(list(setting.items()))
    known = _needed(connectors)
    if all(jar.is_file() for jar in known):
        conf.set("spark.jars", ",".join(map(str, known)))
        return
    packages = (DELTA_PACKAGE, *(package for one in connectors for package in one.packages))
    excludes = (DELTA_EXCLUDES, *(exclude for one in connectors for exclude in one.excludes))
    conf.set("spark.jars.packages", ",".join(packages)).set("spark.jars.excludes", ",".join(excludes))


def _has_delta_jar() -> bool:
    homes = {os.environ.get("SPARK_HOME"), str(Path(pyspark.__file__).parent)} - {None}
    return any(list(Path(str(home), "jars").glob("delta-spark_*.jar")) for home in homes)


def _launch_quietly(conf: SparkConf) -> None:
    """Start the JVM with its standard error in a file, which is read only when the start fails."""
    with tempfile.TemporaryFile() as chatter:
        try:
            SparkContext._gateway = launch_gateway(conf, popen_kwargs={"stderr": chatter})  # type: ignore[no-untyped-call]
        except PySparkException:
            chatter.seek(0)
            raise _explain_start(chatter.read().decode(errors="replace")) from None
        SparkContext._jvm = SparkContext._gateway.jvm


def _explain_start(chatter: str) -> SetupError:
    if "unresolved dependenc" in chatter.lower() or "UNRESOLVED" in chatter:
        return SetupError(
            "Delta JARs",
            expected=f"{DELTA_PACKAGE} from Maven Central or ~/.ivy2.5.2; connect to the network once",
            found="no way to get it",
        )
    lines = [line for line in chatter.splitlines() if "Exception" in line or "rror" in line]
    return SetupError("Spark", expected="a JVM that starts", found=(lines or ["an early end"])[0][:300])


def _submitted_conf(conf: SparkConf) -> SparkConf:
    """Use what spark-submit was given; fetch Delta as ``spark.jars.packages`` would where it is on no class path."""
    SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    given = jvm.org.apache.spark.SparkConf()
    loader = jvm.Thread.currentThread().getContextClassLoader()
    resource = _EXTENSION.replace(".", "/") + ".class"
    if loader.getResource(resource) is not None or "delta-spark" in given.get("spark.jars", ""):
        return conf
    uri = jvm.java.net.URI.create(f"ivy://{DELTA_PACKAGE}?exclude={DELTA_EXCLUDES}")
    try:
        found = jvm.org.apache.spark.util.DependencyUtils.resolveMavenDependencies(uri)
    except Py4JJavaError as error:
        raise SetupError(
            "Delta JARs", expected=f"{DELTA_PACKAGE}: pass it with --packages or --jars", found=_first_line(error)
        ) from error
    jars = [found.apply(index) for index in range(found.size())]
    for jar in jars:
        loader.addURL(jvm.java.io.File(jar).toURI().toURL())
    earlier = [jar for jar in given.get("spark.jars", "").split(",") if jar]
    return conf.set("spark.jars", ",".join([*earlier, *jars]))


def _check_session(session: SparkSession) -> None:
    if not session.version.startswith(SPARK_MINOR + "."):
        raise SetupError("Spark", expected=f"{SPARK_MINOR}.x for Delta {DELTA_VERSION}", found=session.version)
    for name in _FORBIDDEN:
        if str(session.conf.get(name, "false")).lower() == "true":
            raise SetupError(name, expected="false, or rows vanish unseen", found="true")
    if _EXTENSION not in str(session.conf.get("spark.sql.extensions", "")):
        raise SetupError("spark.sql.extensions", expected=_EXTENSION, found="a session made without it")
    found = delta_version(session)
    if not found.startswith(_DELTA_MINOR):
        raise SetupError("Delta JARs", expected=DELTA_VERSION, found=found)
    for name in _OF_READING:
        session.conf.set(name, _ALWAYS[name])


def _first_line(error: PySparkException | Py4JJavaError) -> str:
    text = str(error.java_exception) if isinstance(error, Py4JJavaError) else str(error)
    return next((line for line in text.splitlines() if line.strip()), "no word of the cause")[:300]
