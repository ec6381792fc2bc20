"""What a run needs, checked before any work: a line per finding, what to do where one failed, and leftovers put right."""

import importlib.metadata
import platform
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Literal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.schema import Config
from segmentation.config.sources import SourceSpec
from segmentation.errors import SegmentationError
from segmentation.faults import explain
from segmentation.ingest.causes import readable
from segmentation.ingest.declared import declare_columns
from segmentation.ingest.files import read_source, told
from segmentation.log import Log
from segmentation.redaction import redact
from segmentation.tables import CURRENT, EVERY, STRING, Column, Table
from segmentation.warehouse.lake import Lake, open_lake
from segmentation.warehouse.leftovers import find_leftovers
from segmentation.warehouse.mending import finish_publication
from segmentation.warehouse.objects import is_object_store
from segmentation.warehouse.requirements import check_java
from segmentation.warehouse.session import DELTA_VERSION, delta_version

Status = Literal["ok", "warning", "failed"]
_LEVELS: dict[Status, str] = {"ok": "info", "warning": "warning", "failed": "error"}
_WORKER_PACKAGES = ("numpy", "pandas", "pyarrow")
_LITTLE_DISK = 2 * 2**30
_SHOWN_ROWS = 3
_TRIAL_COLUMNS = (Column("run_id", STRING, "run", required=True), Column("word", STRING, "word"))


@dataclass(frozen=True)
class Finding:
    """What one check found; ``exit_code`` is that of a run which would fail for it."""

    check: str
    status: Status
    said: str
    exit_code: int = 0

    def line(self) -> str:
        """Return the finding as a line."""
        return redact(f"{self.status:8} {self.check:14} {self.said}")


def examine_machine(config: Config) -> Iterator[Finding]:
    """Check what needs no Spark: Python, packages, Java, disk."""
    packages = ", ".join(f"{name} {_version(name)}" for name in ("pyspark", "delta-spark", "deltalake", *_WORKER_PACKAGES))
    yield Finding("Python", "ok", f"{platform.python_version()}; {packages}")
    yield from _try("Java", lambda: f"{check_java()} or newer is there")
    for place in {_existing(config.warehouse.path or "."), Path(tempfile.gettempdir())}:
        free = shutil.disk_usage(place).free
        status: Status = "ok" if free >= _LITTLE_DISK else "warning"
        yield Finding("disk", status, f"{free / 2**30:,.1f} GiB free at {place}")


def examine(spark: SparkSession, config: Config, *, is_dry_run: bool, repairs: bool) -> Iterator[Finding]:
    """Check what Spark sees: itself, its workers, the warehouse, the sources; list leftovers, and put them right if asked."""
    yield Finding("Spark", "ok", f"{spark.version} at {spark.sparkContext.master}")
    yield _compare_delta(delta_version(spark), _version("delta-spark"))
    yield from _try("workers", lambda: _ask_workers(spark))
    lake = open_lake(config.warehouse, spark)
    yield from _try("warehouse", lambda: _try_out(lake))
    yield from _examine_tables(lake)
    for name, spec in config.sources.declared().items():
        if spec.path is None:
            yield Finding(f"source {name}", "warning", "no path in the configuration; a run needs --input")
            continue
        frames: list[DataFrame] = []
        yield from _try(f"source {name}", partial(_open_source, spark, name, spec, config.as_of, frames))
        if is_dry_run and frames:
            yield from _read_on_trial(name, frames[0])
    yield from _examine_leftovers(lake, repairs=repairs)


def _open_source(spark: SparkSession, name: str, spec: SourceSpec, as_of: date | None, frames: list[DataFrame]) -> str:
    """Open a source into ``frames``, and say where its columns come from."""
    columns = declare_columns(spec, as_of=as_of)
    frames.append(read_source(spark, name, spec, columns))
    return f"{told(spec)}: " + ", ".join(f"{one.name} from {' + '.join(one.sources)}" for one in columns)


def _try(check: str, look: Callable[[], str]) -> Iterator[Finding]:
    """Yield what a look says, or the error it ends in."""
    try:
        yield Finding(check, "ok", look())
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        yield Finding(check, "failed", str(known), known.exit_code)


def _compare_delta(jars: str, package: str) -> Finding:
    """Compare the JARs, which do the work, with the Python package, which need not be there but must not be another."""
    said = f"JARs {jars}, made for {DELTA_VERSION}; delta-spark {package}"
    return Finding("Delta", "ok" if package in (jars, "missing") else "warning", said)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _existing(path: str) -> Path:
    """Return the nearest folder above a path that is there, of a URI the one this runs in."""
    place = Path("." if is_object_store(path) else path.removeprefix("file:")).absolute()
    return next(one for one in (place, *place.parents) if one.exists())


def _ask_workers(spark: SparkSession) -> str:
    """Let every core's worker say which Python and packages it has; they must be the driver's (its minor version of Python)."""
    context = spark.sparkContext
    cores = context.defaultParallelism

    def look(_: Iterable[int]) -> Iterable[str]:
        import importlib.metadata as metadata
        import platform as worker

        found = [f"Python {worker.python_version().rpartition('.')[0]}"]
        for package in ("numpy", "pandas", "pyarrow"):
            try:
                found.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:
                found.append(f"{package} missing")
        return [", ".join(found)]

    answers = set(context.parallelize(range(cores), cores).mapPartitions(look).collect())
    (own,) = look([])
    if answers != {own}:
        others = "; ".join(sorted(answers - {own}))
        raise SegmentationError("PYSPARK_PYTHON", expected=f"workers with the driver's {own}", found=others)
    return f"{cores} with {own}"


def _try_out(lake: Lake) -> str:
    """Write, read and remove a table of a row, under the lock that a run would take."""
    trial = Table(f"doctor_{uuid.uuid4().hex[:8]}", "A trial of segmentation doctor.", ("run_id",), _TRIAL_COLUMNS)
    with lake.locked("doctor"):
        try:
            lake.write_rows([{"run_id": "doctor", "word": "well"}], trial, run_id="doctor")
            if [row["word"] for row in lake.read_rows(trial)] != ["well"] or lake.by_spark.frame(trial, "doctor").count() != 1:
                raise SegmentationError(lake.place(trial), expected="the row that was written", found="another")
        finally:
            lake.drop(trial)
    writer = "delta-rs, large ones by Spark" if lake.is_plain else "Spark"
    return f"{lake.path or lake.catalog_schema} can be written; small tables are written by {writer}"


def _examine_tables(lake: Lake) -> Iterator[Finding]:
    current = () if lake.has_views else CURRENT.values()  # a view is as readable as its tables
    present = [table for table in (*EVERY, *current) if lake.store.exists(table)]
    for table in present:
        try:
            lake.store.check_protocol(table)
        except SegmentationError as error:
            yield Finding("protocol", "failed", str(error), error.exit_code)
            return
    yield Finding("protocol", "ok", f"{len(present)} tables that every reader can open" if present else "no tables yet")


def _read_on_trial(name: str, frame: DataFrame) -> Iterator[Finding]:
    """Read a source to its end: how many rows could be read, why the others could not, and the first ones."""

    def count() -> str:
        with readable(f"sources.{name}"):
            reason = F.substring_index("_reasons", ",", 1)
            rows = frame.groupBy(reason.alias("reason")).count().orderBy(F.desc("count"), "reason").collect()
        read = sum(row["count"] for row in rows if not row["reason"])
        broken = ", ".join(f"{row['reason']} {row['count']:,}" for row in rows if row["reason"]) or "none"
        return f"{read:,} rows can be read; not as declared: {broken}"

    yield from _try(f"rows {name}", count)
    shown = [column for column in frame.columns if not column.startswith("_")]
    for row in frame.select(*shown).limit(_SHOWN_ROWS).collect():
        yield Finding(f"rows {name}", "ok", ", ".join(f"{column} {row[column]}" for column in shown))


def _examine_leftovers(lake: Lake, *, repairs: bool) -> Iterator[Finding]:
    try:
        with lake.locked("doctor"):
            for mended in finish_publication(lake):
                yield Finding("publication", "ok", mended)
            found = find_leftovers(lake)
            for one in found:
                if repairs:
                    one.repair()
                told = "put right" if repairs else "--repair puts it right"
                yield Finding("leftover", "ok" if repairs else "warning", f"{one.place}: {one.found}; {told}")
    except SegmentationError as error:
        yield Finding("leftover", "warning", f"not looked for: {error}")
        return
    if not found:
        yield Finding("leftover", "ok", "none of killed runs")


def tell_findings(findings: Iterable[Finding], log: Log) -> list[Finding]:
    """Tell each finding as it comes, and return them."""
    found = []
    for one in findings:
        facts = {"check": one.check, "status": one.status, "exit_code": one.exit_code}
        log.tell("finding", one.said, text=one.line(), level=_LEVELS[one.status], **facts)
        found.append(one)
    return found
