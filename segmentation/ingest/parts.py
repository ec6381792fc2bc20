"""Parquet files of one source looked at before they are read: such as lack a column, or hold other values in it.

Spark says nothing of either.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from segmentation.errors import SourceError

NOTHING = "nulls alone"
_PHYSICAL = {"BOOLEAN": "true or false", **dict.fromkeys(("INT32", "INT64", "FLOAT", "DOUBLE"), "numbers")}


def check_parts(frame: DataFrame, wanted: Sequence[str], *, place: str) -> None:
    """Refuse Parquet files of which some lack a column that others have, or hold another kind of values in it.

    Spark reads all as the first: the rows of others would get nulls, be shifted, or be numbers that only their bytes share.

    Raises
    ------
    SourceError
        With the file and the column.
    """
    having: dict[str, str] = {}
    lacking: dict[str, str] = {}
    kinds: dict[str, dict[str, str]] = {}
    for file in sorted(frame.inputFiles()):
        try:
            columns = _columns_of(frame.sparkSession, file)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(place, expected="whole Parquet files", found=f"{file} ({error})") from None
        for column in wanted:
            (having if column in columns else lacking).setdefault(column, file)
            if columns.get(column):
                kinds.setdefault(column, {}).setdefault(columns[column], file)
    for column in wanted:
        if column in having and column in lacking:
            raise SourceError(place, expected=f"column {column} in every file", found=f"none in {lacking[column]}")
        told = kinds.get(column, {})
        if not isinstance(frame.schema[column].dataType, T.IntegerType):
            told.pop(NOTHING, None)  # nulls alone do no harm, but for being taken for whole numbers where they come first
        if len(told) > 1 and set(told) != {NOTHING, "numbers"}:
            found = " and ".join(f"{kind} in {file}" for kind, file in told.items())
            raise SourceError(place, expected=f"values of column {column} of one kind in every file", found=found)


def _columns_of(spark: SparkSession, file: str) -> dict[str, str]:
    """Return the columns that a Parquet file's own footer names, and the kind of values in each; nothing of nested ones."""
    url = urlparse(file)
    if url.scheme in ("", "file"):
        with pq.ParquetFile(unquote(url.path)) as opened:
            leaves = [opened.schema.column(number) for number in range(len(opened.schema.names))]
            names = opened.schema_arrow.names
            return dict.fromkeys(names, "") | {
                leaf.path: kind_of(str(leaf.logical_type), leaf.physical_type) for leaf in leaves if leaf.path in names
            }
    jvm: Any = spark.sparkContext._jvm
    jsc: Any = spark.sparkContext._jsc
    path = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(file))
    opened = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(path, jsc.hadoopConfiguration())
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(opened)
    try:
        fields = reader.getFooter().getFileMetaData().getSchema().getFields()
        return {
            str(field.getName()): kind_of(
                str(field.getLogicalTypeAnnotation()), str(field.asPrimitiveType().getPrimitiveTypeName())
            )
            if field.isPrimitive()
            else ""
            for field in fields
        }
    finally:
        reader.close()


def kind_of(logical: str, physical: str) -> str:
    """Return the kind of a Parquet column's values in words, by its types as PyArrow or Java tell them; nothing of no values.

    Spark widens whole numbers and floats where it can and refuses where it cannot, so they are one kind; INT96 is an instant.
    """
    told = logical.upper()
    if physical == "INT96":
        return "instants"
    if "TIMESTAMP" in told:
        return "instants" if re.search(r"ISADJUSTEDTOUTC=TRUE|S,TRUE\)", told) else "local times"
    if decimals := re.search(r"DECIMAL\((?:PRECISION=)?\d+, ?(?:SCALE=)?(\d+)\)", told):
        return f"decimals of {decimals[1]} digits"
    if whole := re.search(r"INT(?:EGER)?\((?:BITWIDTH=)?(\d+), ?(?:ISSIGNED=)?(TRUE|FALSE)\)", told):
        bits, is_signed = int(whole[1]), whole[2] == "TRUE"
        if bits < 32 or not is_signed:
            return f"whole numbers of {bits} bits{'' if is_signed else ' without a sign'}"
        return "numbers"
    if told in ("NULL", "UNKNOWN", "UNKNOWN()"):
        return NOTHING
    for mark, kind in (("DATE", "days"), ("TIME", "times"), ("FLOAT16", "short floats")):
        if told.startswith(mark):
            return kind
    return _PHYSICAL.get(physical, "text")
