"""The formats of a source, by name: how one is opened, and what Spark can do with its files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from segmentation.config.sources import SourceSpec

CORRUPT = "_corrupt_record"


def _never(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    return False


@dataclass(frozen=True)
class Format:
    """A format of sources.

    Attributes
    ----------
    open : a frame of every row by its path; text columns that Spark could not read lie in ``CORRUPT``
    has_files : rows say which file they came from
    is_measured : the bytes of its files say how much there is to read
    splits : whether Spark itself cuts the files into as many parts as there are cores
    """

    open: Callable[[SparkSession, SourceSpec, str], DataFrame]
    has_files: bool = True
    is_measured: bool = True
    splits: Callable[[Sequence[str], SourceSpec, int], bool] = _never


def _open_csv(spark: SparkSession, spec: SourceSpec, path: str) -> DataFrame:
    options: dict[str, Any] = {
        "header": True,
        "sep": spec.delimiter,
        "encoding": spec.encoding,
        "multiLine": spec.multiline,
        "escape": '"',  # Spark's default keeps the raw "" of a quoted quote
        "enforceSchema": False,  # or a file with columns in another order is read in silence
        "columnNameOfCorruptRecord": CORRUPT,
    }
    header = spark.read.options(**options).csv(path).columns
    if not header:
        return spark.createDataFrame([], "")
    schema = ", ".join(f"`{name.replace('`', '``')}` STRING" for name in [*header, CORRUPT])
    return spark.read.options(**options).schema(schema).csv(path)


def _open_json(spark: SparkSession, spec: SourceSpec, path: str) -> DataFrame:
    # Names are looked up, types are not: every value arrives as text.
    return spark.read.option("primitivesAsString", True).option("multiLine", spec.multiline).json(path)


def _splits_text(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    return not spec.multiline and not any(file.endswith((".gz", ".bz2", ".zst", ".xz")) for file in files)


def _splits_parquet(files: Sequence[str], spec: SourceSpec, cores: int) -> bool:
    local = [urlparse(file).path for file in files if urlparse(file).scheme in ("", "file")]
    if len(local) < len(files):
        return False
    # A footer is some kilobytes, and there are fewer files than cores.
    return bool(sum(pq.read_metadata(unquote(file)).num_row_groups for file in local) >= 4 * cores)


FORMATS: Mapping[str, Format] = {
    "csv": Format(_open_csv, splits=_splits_text),
    "parquet": Format(lambda spark, _, path: spark.read.parquet(path), splits=_splits_parquet),
    "delta": Format(lambda spark, _, path: spark.read.format("delta").load(path), is_measured=False),
    "json": Format(_open_json, splits=_splits_text),
    "table": Format(lambda spark, _, path: spark.table(path), has_files=False, is_measured=False),
}
