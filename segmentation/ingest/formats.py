"""The formats of a source, by name: how one is opened, and what Spark can do with its files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from segmentation.config.sources import SourceSpec
from segmentation.ingest.scan import java_charset, spans_bytes

CORRUPT = "_segmentation_unreadable"  # no name that a source has


def _never(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    return False


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
    """

    open: Callable[[SparkSession, SourceSpec, Sequence[str]], DataFrame]
    has_files: bool = True
    is_measured: bool = True
    is_text: bool = False
    splits: Callable[[Sequence[str], SourceSpec, int], bool] = _never


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
    header = spec.header or spark.read.options(**options).csv(list(paths)).columns
    if not header:
        return spark.createDataFrame([], "")
    schema = ", ".join(f"`{name.replace('`', '``')}` STRING" for name in [*header, CORRUPT])
    return spark.read.options(**options).schema(schema).csv(list(paths))


def _open_json(spark: SparkSession, spec: SourceSpec, paths: Sequence[str]) -> DataFrame:
    # Names are looked up, types are not: every value arrives as text.
    reader = spark.read.option("primitivesAsString", True).option("columnNameOfCorruptRecord", CORRUPT)
    if java_charset(spec.encoding) != "utf-8":  # of others Spark asks how lines end; a CR before it is a blank of JSON
        reader = reader.option("encoding", java_charset(spec.encoding)).option("lineSep", "\n")
    return reader.option("multiLine", spec.multiline).json(list(paths))


def _splits_text(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    return not (spec.multiline or spans_bytes(spec.encoding)) and not any(
        file.endswith((".gz", ".bz2", ".zst", ".xz")) for file in files
    )


def _splits_parquet(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    local = [urlparse(file).path for file in files if urlparse(file).scheme in ("", "file")]
    if len(local) < len(files):
        return False
    # A footer is some kilobytes, and there are fewer files than cores.
    return bool(sum(pq.read_metadata(unquote(file)).num_row_groups for file in local) >= 4 * cores)


FORMATS: Mapping[str, Format] = {
    "csv": Format(_open_csv, is_text=True, splits=_splits_text),
    "parquet": Format(lambda spark, _, paths: spark.read.parquet(*paths), splits=_splits_parquet),
    "delta": Format(lambda spark, _, paths: spark.read.format("delta").load(paths[0]), is_measured=False),
    "json": Format(_open_json, is_text=True, splits=_splits_text),
    "table": Format(lambda spark, _, paths: spark.table(paths[0]), has_files=False, is_measured=False),
}
