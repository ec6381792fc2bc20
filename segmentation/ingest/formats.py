"""The formats of a source, by name: how one is opened, and what Spark can do with its files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import dataset
from pyspark.sql import DataFrame, SparkSession

from segmentation.config.sources import SourceSpec
from segmentation.ingest.scan import java_charset, read_first_line, spans_bytes
from segmentation.warehouse.arrow_store import count_records

_MOST_HEADERS = 200  # files of which the first lines are compared
_PACKED = (".gz", ".bz2", ".zst", ".xz")
_TEXT_GROWS = 4  # the two letters of "7," become a number of eight bytes
CORRUPT = "_segmentation_unreadable"  # no name that a source has


def _never(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    return False


def _unknown(paths: Sequence[Path], row_bytes: int) -> int | None:
    return None


@dataclass(frozen=True)
class Format:
    """A format of sources.

    Attributes
    ----------
    open : a frame of every row of some paths; text that Spark could not read lies in ``CORRUPT``
    has_files : rows say which file they came from
    is_text : values are decoded from text, in which letters may be broken
    is_measured : the bytes of its files say how much there is to read
    splits : whether Spark itself cuts the files into as many parts as there are cores
    bound : the bytes that rows of so many each, in files of this machine, take at most in this process; None if unknown
    """

    open: Callable[[SparkSession, SourceSpec, Sequence[str]], DataFrame]
    has_files: bool = True
    is_measured: bool = True
    is_text: bool = False
    splits: Callable[[Sequence[str], SourceSpec, int], bool] = _never
    bound: Callable[[Sequence[Path], int], int | None] = _unknown


def _open_csv(spark: SparkSession, spec: SourceSpec, paths: Sequence[str]) -> DataFrame:
    options: dict[str, Any] = {
        "header": spec.header is None,
        "sep": spec.delimiter,
        "encoding": java_charset(spec.encoding),
        # Spark finds lines by the bytes of ASCII; whole files it decodes first.
        "multiLine": spec.multiline or spans_bytes(spec.encoding),
        "escape": '"',  # Spark's default keeps the raw "" of a quoted quote
        "enforceSchema": False,  # or a file with columns in another order is read in silence
        "columnNameOfCorruptRecord": CORRUPT,
    }
    header, counts_fields = spec.header, True
    if header is None:
        first = spark.read.options(**options).csv(list(paths))
        header = first.columns
        counts_fields = _has_plain_header(header, first.inputFiles())
    if not header:
        return spark.createDataFrame([], "")
    # With it a line with a field too many is read as if it had none: the 1,234.50 that nobody quoted is 1.
    options["columnPruning"] = not counts_fields
    schema = ", ".join(f"`{name.replace('`', '``')}` STRING" for name in [*header, CORRUPT])
    return spark.read.options(**options).schema(schema).csv(list(paths))


def _has_plain_header(names: Sequence[str], files: Sequence[str]) -> bool:
    """Say whether Spark can hold the line of names of every file against all ``names``, not only against those declared.

    It cannot where one has no name or the name of another (then it made them up, with their place), or where files differ.
    """
    made_up = [name[: -len(str(place))] for place, name in enumerate(names) if name.endswith(str(place))]
    if any(made_up.count(stem) > 1 or stem == "_c" for stem in made_up):
        return False
    if len(files) == 1:
        return True
    urls = [urlparse(file) for file in files]
    if len(files) > _MOST_HEADERS or any(url.scheme not in ("", "file") for url in urls):
        return False
    return len({read_first_line(unquote(url.path)) for url in urls} - {b""}) <= 1


def _open_json(spark: SparkSession, spec: SourceSpec, paths: Sequence[str]) -> DataFrame:
    # Names are looked up, types are not: every value arrives as text.
    reader = spark.read.option("primitivesAsString", True).option("columnNameOfCorruptRecord", CORRUPT)
    if java_charset(spec.encoding) != "utf-8":  # of others Spark asks how lines end; a CR before it is a blank of JSON
        reader = reader.option("encoding", java_charset(spec.encoding)).option("lineSep", "\n")
    return reader.option("multiLine", spec.multiline).json(list(paths))


def _splits_text(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    return not (spec.multiline or spans_bytes(spec.encoding)) and not any(file.endswith(_PACKED) for file in files)


def _splits_parquet(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    local = [urlparse(file).path for file in files if urlparse(file).scheme in ("", "file")]
    if len(local) < len(files):
        return False
    # A footer is some kilobytes, and there are fewer files than cores.
    return bool(sum(pq.read_metadata(unquote(file)).num_row_groups for file in local) >= 4 * cores)


def _bound_parquet(paths: Sequence[Path], row_bytes: int) -> int | None:
    try:
        return sum(int(dataset.dataset(path, format="parquet").count_rows()) for path in paths) * row_bytes
    except (pa.ArrowException, OSError):  # Spark says what is wrong with them
        return None


def _bound_delta(paths: Sequence[Path], row_bytes: int) -> int | None:
    rows = count_records(str(paths[0]))
    return None if rows is None else rows * row_bytes


def files_of(place: Path) -> list[Path]:
    """Return a file, or what lies anywhere below a folder."""
    return list(place.rglob("*")) if place.is_dir() else [place]


def _bound_text(paths: Sequence[Path], row_bytes: int) -> int | None:
    files = [file for path in paths for file in files_of(path)]
    if any(file.suffix in _PACKED for file in files):
        return None
    return _TEXT_GROWS * sum(file.stat().st_size for file in files)


FORMATS: Mapping[str, Format] = {
    "csv": Format(_open_csv, is_text=True, splits=_splits_text, bound=_bound_text),
    "parquet": Format(lambda spark, _, paths: spark.read.parquet(*paths), splits=_splits_parquet, bound=_bound_parquet),
    "delta": Format(lambda spark, _, paths: spark.read.format("delta").load(paths[0]), is_measured=False, bound=_bound_delta),
    "json": Format(_open_json, is_text=True, splits=_splits_text, bound=_bound_text),
    "table": Format(lambda spark, _, paths: spark.table(paths[0]), has_files=False, is_measured=False),
}
