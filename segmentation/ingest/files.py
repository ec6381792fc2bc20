"""Opening a source and handing out its declared columns beside the raw record."""

import importlib.machinery
import importlib.resources
import importlib.util
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import Sources, SourceSpec
from segmentation.errors import SourceError, pick
from segmentation.faults import explain_machine
from segmentation.ingest.columns import SourceColumn, check_type, parse, tidy
from segmentation.ingest.formats import CORRUPT, FORMATS, Format

# What one task reads at once; a second would only add a shuffle.
SMALL_BYTES = 2**20


def read_source(spark: SparkSession, name: str, spec: SourceSpec, columns: Sequence[SourceColumn]) -> DataFrame:
    """Return every row of a source with its declared columns.

    Returns
    -------
    DataFrame
        A column per declared column; ``reasons`` (text, comma separated, empty for a readable row) and ``is_kept`` (whether
        it is empty); ``raw`` (struct of the source columns as they were read), its ``row_hash`` and ``source_file`` (text,
        null for a catalog table).

    Raises
    ------
    SourceError
        If the source is missing, empty, unreadable, lacks a column, or holds one of an impossible type.
    """
    place = f"sources.{name}"
    path = _resolve(place, str(spec.path))
    with readable(f"{place} ({path})"):
        frame = _format(name, spec).open(spark, spec, path)
        types = {field.name: field.dataType for field in frame.schema}
    wanted = sorted({source for column in columns for source in column.sources})
    if not types:
        raise SourceError(f"{place} ({path})", expected="at least one row", found="an empty file")
    missing = [source for source in wanted if source not in types]
    if missing:
        found = ", ".join(column for column in types if column != CORRUPT)
        raise SourceError(f"{place} ({path})", expected=f"columns {', '.join(missing)}", found=f"columns {found}")
    return _declare(frame, spec, columns, name, wanted)


def _declare(frame: DataFrame, spec: SourceSpec, columns: Sequence[SourceColumn], name: str, wanted: Sequence[str]) -> DataFrame:
    """Tidy, parse and judge in three projections, so that each value is worked out once."""
    types = {field.name: field.dataType for field in frame.schema}
    parts = [(column, source, f"tidy {column.name} {source}") for column in columns for source in column.sources]
    for column, source, _ in parts:
        check_type(column, source, types[source], place=f"sources.{name}")
    has_corrupt = CORRUPT in types
    kept = [*wanted, *([CORRUPT] if has_corrupt else [])]
    kind = _format(name, spec)
    file = F.col("_metadata.file_path") if kind.has_files else F.lit(None).cast("string")
    rows = _spread(frame.select(*(f"`{source}`" for source in kept), file.alias("source_file")), kind, spec)
    tidied = rows.select(
        F.struct(*(f"`{source}`" for source in kept)).alias("raw"),
        F.xxhash64(*(f"`{source}`" for source in kept)).alias("row_hash"),
        "source_file",
        *(tidy(source, types[source], kind=column.kind, remove=column.remove).alias(name) for column, source, name in parts),
    )
    parsed = tidied.withColumns(
        {
            name.replace("tidy", "parsed", 1): parse(
                column, f"`{name}`", types[source], decimal_comma=spec.decimal_comma, time_zone=spec.time_zone
            )
            for column, source, name in parts
        }
    )
    rules = [(column.reason, _is_broken(column, parts)) for column in columns]
    if has_corrupt:
        rules = [("unreadable_record", F.col(f"raw.{CORRUPT}").isNotNull()), *rules]
    return parsed.select(
        *(_add_up(column, [_parsed(name) for owner, _, name in parts if owner is column]) for column in columns),
        F.concat_ws(",", *(F.when(broken, F.lit(reason)) for reason, broken in rules)).alias("reasons"),
        (~reduce(lambda one, other: one | other, (broken for _, broken in rules))).alias("is_kept"),
        "raw",
        "row_hash",
        "source_file",
    )


def _format(name: str, spec: SourceSpec) -> Format:
    return pick(FORMATS, spec.format, place=f"sources.{name}.format")


def _spread(frame: DataFrame, kind: Format, spec: SourceSpec) -> DataFrame:
    """Give every core work: a compressed file, and a row group of Parquet, is one partition however large."""
    if not kind.has_files:
        return frame
    cores = frame.sparkSession.sparkContext.defaultParallelism
    files = frame.inputFiles()
    is_small = size_of(frame) <= SMALL_BYTES
    return frame if is_small or len(files) >= cores or kind.splits(files, spec, cores) else frame.repartition(cores)


def measure_sources(sources: Sources) -> int | None:
    """Return how much there is to read, in bytes of purchases; None where not all are files of this machine.

    A byte of customers or products counts a quarter: it is read and joined, not summed up.
    """
    total = 0.0
    for name, spec in sources.declared().items():
        path = urlparse(_resolve(f"sources.{name}", str(spec.path)))
        place = Path(unquote(path.path))
        if not _format(name, spec).is_measured or path.scheme not in ("", "file") or not place.exists():
            return None
        size = sum(file.stat().st_size for file in ([place] if place.is_file() else place.rglob("*")))
        total += size if name == "transactions" else size / 4
    return int(total)


def size_of(frame: DataFrame) -> int:
    """Return the bytes that Spark expects to read, without reading any."""
    plan: Any = frame._jdf.queryExecution().optimizedPlan()
    return int(plan.stats().sizeInBytes())


def _is_broken(column: SourceColumn, parts: Sequence[tuple[SourceColumn, str, str]]) -> Column:
    """Return whether a value is there that cannot be read as declared."""
    own = [name for owner, _, name in parts if owner is column]
    return reduce(lambda one, other: one | other, (F.col(f"`{name}`").isNotNull() & _parsed(name).isNull() for name in own))


def _parsed(name: str) -> Column:
    return F.col(f"`{name.replace('tidy', 'parsed', 1)}`")


def _add_up(column: SourceColumn, values: Sequence[Column]) -> Column:
    """Return the only value, or the sum of several with null as 0."""
    if len(values) == 1:
        return values[0].alias(column.name)
    return reduce(lambda one, other: one + other, (F.coalesce(value, F.lit(0)) for value in values)).alias(column.name)


@contextmanager
def readable(place: str) -> Iterator[None]:
    """Turn Spark's errors of reading into one line about ``place``."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        if machine := explain_machine(error):
            raise machine from error
        # The reason is often a cause of a cause, which only the stack trace names.
        text = f"{error}\n{getattr(error, '_stackTrace', '')}"
        raise SourceError(place, expected="a readable source", found=_cause(text)) from error


def _cause(text: str) -> str:
    known = {
        "PATH_NOT_FOUND": "no such file",
        "TABLE_OR_VIEW_NOT_FOUND": "no such table",
        "DELTA_TABLE_NOT_FOUND": "no Delta table",
        "DELTA_MISSING": "no Delta table",
        "is not a Delta table": "no Delta table",
        "UNABLE_TO_INFER_SCHEMA": "an empty folder or no file of this format",
        "CSV header does not conform": "a file whose header differs from the first file's",
        "CANNOT_READ_FILE_FOOTER": "a damaged Parquet file",
        "Unexpected end of input stream": "a truncated compressed file",
        "not in GZIP format": "a .gz file that is not gzip",
        "INVALID_DATETIME_PATTERN": "a date pattern that Spark does not know",
        "Illegal pattern character": "a date pattern that Spark does not know",
    }
    file = re.search(r"(?:file:|hdfs:|s3a?:|abfss?:)[^\s,;'\"\]]+", text)
    where = f" ({file.group(0)})" if file else ""
    for mark, meaning in known.items():
        if mark in text:
            return meaning + where
    lines = [line for line in text.splitlines() if line.strip()]
    return (lines[0][:300] if lines else "no word of the cause") + where


def _resolve(place: str, path: str) -> str:
    """Return a path Spark can read; ``package://`` names a file inside an installed package."""
    if not path.startswith("package://"):
        return path
    package, _, file = path.removeprefix("package://").partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.loader is None:
        raise SourceError(place, expected=f"the Python package {package} (pip install '.[demo]')", found="no such package")
    # A module made from its spec is not executed, so none of the package's code runs.
    resource = importlib.resources.files(importlib.util.module_from_spec(spec)).joinpath(file)
    if not resource.is_file():
        raise SourceError(place, expected=f"file {file} in package {package}", found="no such file")
    return str(resource)
