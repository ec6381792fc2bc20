"""Files looked at before they are read: quotes that stay open, and parts that lack a column. Spark reads both in silence."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import SourceSpec
from segmentation.errors import SourceError

_SHOWN_LETTERS = 60
_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def spans_bytes(encoding: str) -> bool:
    """Say whether a character set writes a line's end with other bytes than ASCII does, so that lines cannot be told by bytes."""
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def java_charset(encoding: str) -> str:
    """Return a character set that Python knows under a name that Java knows."""
    name = codecs.lookup(encoding).name.replace("iso8859-", "iso-8859-")
    return re.sub(r"^(utf-(?:16|32))-([bl]e)$", r"\1\2", name)


def check_quotes(spark: SparkSession, spec: SourceSpec, paths: Sequence[str], *, place: str) -> None:
    """Refuse text of which a quote stays open: the record goes on in the next line, or swallows what follows.

    Without ``multiline`` no line may end within quotes. With it, files that have such lines are read from their
    beginning by Python's own strict reader.

    Raises
    ------
    SourceError
        With the line or the file.
    """
    if spans_bytes(spec.encoding):
        _check_whole(spark, spec, paths, place)
        return
    ends_open = F.col("value").contains('"') & F.col("value").rlike(open_line_pattern(spec.delimiter))
    found = spark.read.text(list(paths)).agg(F.min(F.when(ends_open, F.col("value"))).alias("line")).collect()[0]["line"]
    if found is None:
        return
    if spec.multiline:
        _check_whole(spark, spec, paths, place)
        return
    shown = found if len(found) <= _SHOWN_LETTERS else found[:_SHOWN_LETTERS] + "..."
    raise SourceError(
        place, expected="a record in each line, or multiline: true", found=f"a quote that is open at the line's end: {shown}"
    )


def open_line_pattern(delimiter: str) -> str:
    """Return the regular expression of a line that begins outside of quotes and ends within; it tries one way only."""
    sep = re.escape(delimiter)
    other = f"[^{sep}]" if len(delimiter) == 1 else f"(?:(?!{sep}).)"
    plain = f'[^"{sep}]' if len(delimiter) == 1 else f'(?:(?!{sep})[^"])'
    quoted = '"[^"]*+(?:""[^"]*+)*+'
    return f'^(?:(?:{quoted}"{other}*+|{plain}{other}*+)?+{sep})*+{quoted}$'


def _check_whole(spark: SparkSession, spec: SourceSpec, paths: Sequence[str], place: str) -> None:
    delimiter, encoding = spec.delimiter, spec.encoding

    def look(part: tuple[str, Any]) -> Iterator[tuple[str, str]]:
        fault = find_fault(part[1], part[0], delimiter=delimiter, encoding=encoding)
        return iter([(part[0], fault)] if fault else [])

    faults = spark.sparkContext.binaryFiles(",".join(paths)).flatMap(look).collect()
    if faults:
        file, fault = min(faults)
        raise SourceError(place, expected="every quote closed where a field ends", found=f"{fault} ({file})")


def find_fault(content: bytes, name: str, *, delimiter: str, encoding: str) -> str | None:
    """Return what is wrong with the quotes or the letters of a text file, None of a sound one.

    Parameters
    ----------
    content : the file's bytes, as they lie; ``name`` says by its ending how they are compressed
    """
    opened: Any = _OPENERS.get(Path(name).suffix)
    if len(delimiter) > 1:
        return None  # which Python's reader does not know
    csv.field_size_limit(sys.maxsize)
    raw: Any = opened(io.BytesIO(content)) if opened else io.BytesIO(content)
    reader = csv.reader(io.TextIOWrapper(raw, encoding=encoding, newline=""), delimiter=delimiter, strict=True)
    began = 1
    try:
        for _ in reader:
            began = reader.line_num + 1
    except csv.Error as error:
        return f"the record of line {began}: {error}"
    except UnicodeError:
        return f"bytes after line {began} that are not {encoding}"
    return None


def check_parts(frame: DataFrame, wanted: Sequence[str], *, place: str) -> None:
    """Refuse Parquet files of which some lack a column that others have: their rows would get nulls.

    Raises
    ------
    SourceError
        With the file and the column.
    """
    having: dict[str, str] = {}
    lacking: dict[str, str] = {}
    for file in sorted(frame.inputFiles()):
        names = set(_columns_of(frame.sparkSession, file))
        for column in wanted:
            (having if column in names else lacking).setdefault(column, file)
    for column in wanted:
        if column in having and column in lacking:
            raise SourceError(place, expected=f"column {column} in every file", found=f"none in {lacking[column]}")


def _columns_of(spark: SparkSession, file: str) -> list[str]:
    """Return the columns that a Parquet file's own footer names."""
    url = urlparse(file)
    if url.scheme in ("", "file"):
        names: list[str] = pq.read_schema(unquote(url.path)).names
        return names
    jvm: Any = spark.sparkContext._jvm
    jsc: Any = spark.sparkContext._jsc
    path = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(file))
    opened = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(path, jsc.hadoopConfiguration())
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(opened)
    try:
        return [str(field.getName()) for field in reader.getFooter().getFileMetaData().getSchema().getFields()]
    finally:
        reader.close()
