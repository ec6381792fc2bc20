"""Opening a source and handing out its declared columns beside the raw record."""

import hashlib
import importlib.machinery
import importlib.resources
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, and_, or_
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import Sources, SourceSpec
from segmentation.errors import SourceError, pick
from segmentation.ingest.causes import readable
from segmentation.ingest.columns import SourceColumn, bound, check_type, is_dear, parse, source_column, tidy
from segmentation.ingest.formats import CORRUPT, FORMATS, Format, files_of
from segmentation.ingest.json_lines import check_records
from segmentation.ingest.parts import check_parts
from segmentation.ingest.scan import check_endings, check_files, check_quotes
from segmentation.money import MONEY_BOUND
from segmentation.warehouse.files import list_files
from segmentation.warehouse.objects import is_object_store, measure

_SHOWN_COLUMNS = 100
_PATTERN = re.compile(r"[\[\]{}*?]")
# Hadoop knows them, and lists no file of theirs.
_NO_STORES = ("http", "https", "ftp", "sftp", "data")
# How what is often sent in place of a table begins.
_NO_TEXT = {
    "pk\x03\x04": "a ZIP archive or an Excel workbook",
    "\x1f": "a compressed file without the ending .gz",
    "\ufffd7zxz": "a compressed file (xz)",
    "(\ufffd/\ufffd": "a compressed file without the ending .zst",
    "bzh": "a compressed file without the ending .bz2",
    "par1": "a Parquet file",
    "%pdf": "a PDF",
    "<!doctype": "a page of HTML",
    "<html": "a page of HTML",
    "<?xml": "XML",
}
# What one task reads at once; a second would only add a shuffle.
SMALL_BYTES = 2**20


def read_source(
    spark: SparkSession, name: str, spec: SourceSpec, columns: Sequence[SourceColumn], *, spreads: bool = True
) -> DataFrame:
    """Return every row of a source with its declared columns.

    Parameters
    ----------
    spreads : whether every core shall have work, which costs a shuffle where Spark cannot cut the files

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
    place = f"sources.{name} ({told(spec)})"
    paths = [_resolve(f"sources.{name}", path) for path in spec.paths]
    kind = _format(name, spec)
    wanted = sorted({source for column in columns for source in column.sources})
    with readable(place):
        found = [(path, list_files(spark, path)) for path in paths] if kind.has_files and spec.format != "delta" else []
        if kind.is_text:
            check_endings(found, place=place)
        frame = kind.open(spark, spec, paths)
        types = {field.name: field.dataType for field in frame.schema}
        if found:
            read = frame if types else spark.read.text(paths)  # of what has no column Spark names no file
            check_files(spark, found, read.inputFiles(), place=place)
        if spec.format == "csv" and types:
            check_quotes(spark, spec, paths, place=place)
        if spec.format == "json" and types:
            check_records(spark, spec, paths, wanted, place=place)
    if not types:
        raise SourceError(place, expected="at least one row", found="an empty file")
    missing = [source for source in wanted if source not in types]
    if missing:
        raise _lack(place, spec, missing, [column for column in types if column != CORRUPT])
    if spec.format == "parquet":
        with readable(place):
            check_parts(frame, wanted, place=place)
    return _declare(frame, spec, columns, name, wanted, spreads=spreads)


def _lack(place: str, spec: SourceSpec, missing: Sequence[str], found: Sequence[str]) -> SourceError:
    """Return the error of a source without some columns, which says what it has or what it is instead."""
    if not found:
        return SourceError(place, expected="a JSON object in each line, or multiline: true", found="none")
    if spec.format == "csv":
        kind = next((kind for mark, kind in _NO_TEXT.items() if found[0].lower().startswith(mark)), None)
        if kind:
            return SourceError(place, expected="a table as text", found=kind)
        for name in missing:  # Spark makes names of a header that has one twice, by the place of each
            times = sum(one.casefold() == f"{name}{number}".casefold() for number, one in enumerate(found))
            if times > 1:
                return SourceError(place, expected=f"column {name} once, whatever its capitals", found=f"it {times} times")
    shown = [one if one == one.strip() else repr(one) for one in found[:_SHOWN_COLUMNS]]
    more = f" and {len(found) - _SHOWN_COLUMNS:,} more" if len(found) > _SHOWN_COLUMNS else ""
    return SourceError(place, expected=f"columns {', '.join(missing)}", found=f"columns {', '.join(shown)}{more}")


def told(spec: SourceSpec) -> str:
    """Return where a source lies, in few words."""
    return spec.paths[0] + (f" and {len(spec.paths) - 1} more" if len(spec.paths) > 1 else "")


def _declare(
    frame: DataFrame, spec: SourceSpec, columns: Sequence[SourceColumn], name: str, wanted: Sequence[str], *, spreads: bool
) -> DataFrame:
    """Tidy, parse, bound and judge in projections of their own, so that each value is worked out once."""
    types = {field.name: field.dataType for field in frame.schema}
    owned = [(column, source) for column in columns for source in column.sources]
    names = ("_tidy", "_read", "_parsed")
    parts = [_Part(*one, *(f"{name} {number}" for name in names)) for number, one in enumerate(owned)]
    for part in parts:
        check_type(part.column, part.source, types[part.source], place=f"sources.{name}")
    has_corrupt = CORRUPT in types
    kept = [source_column(source) for source in [*wanted, *([CORRUPT] if has_corrupt else [])]]
    kind = _format(name, spec)
    file = F.col("_metadata.file_path") if kind.has_files else F.lit(None).cast("string")
    rows = frame.select(*kept, file.alias("_source_file"))
    rows = _spread(rows, kind, spec) if spreads else rows
    tidied = rows.select(
        F.struct(*kept).alias("_raw"),
        # A null alone adds nothing to a hash, in whichever column it stands.
        F.xxhash64(*kept, *(one.isNull() for one in kept)).alias("_row_hash"),
        "_source_file",
        *(tidy(one.source, types[one.source], kind=one.column.kind, remove=one.column.remove).alias(one.tidied) for one in parts),
    )
    values = {one: parse(one.column, one.tidied, types[one.source], spec=spec, is_decoded=kind.is_text) for one in parts}
    dear = {one.read: value for one, value in values.items() if is_dear(one.column, types[one.source])}
    read = tidied.withColumns(dear) if dear else tidied
    parsed = read.withColumns(
        {one.parsed: bound(one.column, F.col(one.read) if one.read in dear else value) for one, value in values.items()}
    )
    rules = [(column.reason, _is_broken(column, [one for one in parts if one.column is column])) for column in columns]
    if has_corrupt:
        rules = [("unreadable_record", F.col(f"_raw.{CORRUPT}").isNotNull()), *rules]
    if spec.format == "csv" and spec.header is None:
        rules.append(("repeated_header", reduce(and_, (_raw(source) == F.lit(source) for source in wanted))))
    return parsed.select(
        *(_add_up(column, [F.col(one.parsed) for one in parts if one.column is column]) for column in columns),
        F.concat_ws(",", *(F.when(broken, F.lit(reason)) for reason, broken in rules)).alias("_reasons"),
        (~reduce(or_, (F.coalesce(broken, F.lit(False)) for _, broken in rules))).alias("_is_kept"),
        "_raw",
        "_row_hash",
        "_source_file",
    )


@dataclass(frozen=True)
class _Part:
    """A source column of a declared one, and what it is called once tidied, once read and once bounded."""

    column: SourceColumn
    source: str
    tidied: str
    read: str
    parsed: str


def _raw(source: str) -> Column:
    return F.col("_raw").getField(source)


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


def bound_bytes(spec: SourceSpec, row_bytes: int) -> int | None:
    """Return the bytes that a source's rows of so many each take at most in this process, None where its files do not tell."""
    local = [place for place in map(_find_here, spec.paths) if place is not None]
    return FORMATS[spec.format].bound(local, row_bytes) if len(local) == len(spec.paths) else None


def _find_here(path: str) -> Path | None:
    """Return where a path lies on this machine, None if it does not; %20 is a blank in an address alone."""
    url = urlparse(path)
    place = Path(unquote(url.path) if url.scheme else path)
    return place if url.scheme in ("", "file") and place.exists() else None


def measure_sources(sources: Sources) -> int | None:
    """Return how much there is to read, in bytes of purchases; None where not all are files of this machine or a store.

    A byte of customers or products counts a quarter: it is read and joined, not summed up.
    """
    total = 0.0
    for name, spec in sources.declared().items():
        for path in spec.paths:
            size = measure_files(_resolve(f"sources.{name}", path)) if _format(name, spec).is_measured else None
            if size is None:
                return None
            total += size if name == "transactions" else size / 4
    return int(total)


def measure_files(path: str) -> int | None:
    """Return the bytes of a file, or of all below a folder; None where that cannot be known."""
    if is_object_store(path):
        return measure(path)
    place = _find_here(path)
    return None if place is None else sum(file.stat().st_size for file in files_of(place))


def stamp_sources(spark: SparkSession, sources: Sources) -> str | None:
    """Return a hash over path, bytes and time of change of every file of the sources, without opening one.

    None where that cannot tell whether they changed: of a table of a catalog. Of a Delta table its log is looked at.
    """
    seen = []
    for name, spec in sorted(sources.declared().items()):
        if not _format(name, spec).has_files:
            return None
        for path in spec.paths:
            place = _resolve(f"sources.{name}", path)
            with readable(f"sources.{name} ({told(spec)})"):
                found = list_files(spark, f"{place}/_delta_log" if spec.format == "delta" else place)
            seen += [f"{name} {one}" for one in found]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()


def size_of(frame: DataFrame) -> int:
    """Return the bytes that Spark expects to read, without reading any."""
    plan: Any = frame._jdf.queryExecution().optimizedPlan()
    return int(plan.stats().sizeInBytes())


def _is_broken(column: SourceColumn, parts: Sequence[_Part]) -> Column:
    """Return whether a value is there that cannot be read as declared, or several add up to more than a column holds."""
    broken = reduce(or_, (F.col(part.tidied).isNotNull() & F.col(part.parsed).isNull() for part in parts))
    if len(parts) == 1:
        return broken
    bound = MONEY_BOUND if column.kind == "money" else float("inf")
    return broken | (F.abs(_sum([F.col(part.parsed) for part in parts])) >= bound)


def _add_up(column: SourceColumn, values: Sequence[Column]) -> Column:
    """Return the only value, or the sum of several with null as 0, null where all are."""
    if len(values) == 1:
        return values[0].alias(column.name)
    return F.when(F.coalesce(*values).isNotNull(), _sum(values)).alias(column.name)


def _sum(values: Sequence[Column]) -> Column:
    return reduce(add, (F.coalesce(value, F.lit(0)) for value in values))


def _resolve(place: str, path: str) -> str:
    """Return a path Spark can read; ``package://`` names a file inside an installed package."""
    if urlparse(path).scheme.lower() in _NO_STORES:
        raise SourceError(place, expected="files of this machine or of a store (download it first)", found=path)
    if not path.startswith("package://"):
        # A browser's copy is called sales[1].csv.
        is_literal = _PATTERN.search(path) and "://" not in path and Path(path).exists()
        return _PATTERN.sub(r"\\\g<0>", path) if is_literal else path
    package, _, file = path.removeprefix("package://").partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.loader is None:
        raise SourceError(place, expected=f"the Python package {package} (pip install '.[demo]')", found="no such package")
    # A module made from its spec is not executed, so none of the package's code runs.
    resource = importlib.resources.files(importlib.util.module_from_spec(spec)).joinpath(file)
    if not resource.is_file():
        raise SourceError(place, expected=f"file {file} in package {package}", found="no such file")
    return str(resource)
