"""Files looked at before they are read: such as Spark passes over or reads twice, quotes that stay open, parts without a column.

Spark says nothing of any.
"""

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import SourceSpec
from segmentation.errors import SourceError
from segmentation.warehouse.files import list_files

_SHOWN_LETTERS = 60
# A closing brace with an opening one behind it, outside of texts; it tries one way only.
_SECOND_OBJECT = r'^(?:[^"}]++|"(?:[^"\\]++|\\.)*+"|\}(?!\s*\{))*+\}\s*\{'
# Of a folder NAME=VALUE; Spark takes each byte beyond ASCII for a letter.
_ENCODED_VALUE = re.compile("=[^/]*%[89A-Fa-f][0-9A-Fa-f][^/]*/")
_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def spans_bytes(encoding: str) -> bool:
    """Say whether a character set writes a line's end with other bytes than ASCII does, so that lines cannot be told by bytes."""
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def java_charset(encoding: str) -> str:
    """Return a character set that Python knows under a name that Java knows."""
    name = codecs.lookup(encoding).name.replace("iso8859-", "iso-8859-").removesuffix("-sig")  # a mark is read by all
    return re.sub(r"^(utf-(?:16|32))-([bl]e)$", r"\1\2", name)


def check_files(spark: SparkSession, paths: Sequence[str], read: Sequence[str], *, place: str) -> None:
    """Refuse paths of which one is passed over, read twice or read wrongly.

    That is a hidden name, a folder in a folder, overlapping patterns, a folder's value in percent code.

    Parameters
    ----------
    paths : files, folders and patterns as they were declared
    read : the files that Spark reads of them

    Raises
    ------
    SourceError
        With the file.
    """
    are_read = {_plain(unquote(file)) for file in read}
    seen: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        for file, size, _ in (one.rsplit(" ", 2) for one in list_files(spark, path)):
            if file in seen:
                raise SourceError(place, expected="each file once", found=f"{file} twice, by {seen[file]} and {path}")
            seen[file] = path
            if _ENCODED_VALUE.search(file):
                raise SourceError(
                    place, expected="values of folders in letters, which Spark reads wrongly in percent code", found=file
                )
            if "/_delta_log/" in file:
                _refuse_delta(place, file)
            # Marks and checksums, which are hidden, are no data; a file that was named is.
            is_hidden = any(part.startswith(("_", ".")) and "=" not in part for part in file.split("/") if part not in parts)
            if size != "0" and not is_hidden and _plain(file) not in are_read:
                expected = "files whose names begin with a letter or digit, in a folder that is named itself"
                raise SourceError(place, expected=expected, found=f"{file}, which Spark passes over")
    folders = {file.rpartition("/")[0] for file in seen}
    if len(folders) == 1 and (log := list_files(spark, f"{folders.pop()}/_delta_log")):
        _refuse_delta(place, log[0].rsplit(" ", 2)[0])


def _refuse_delta(place: str, file: str) -> None:
    """Refuse the files of a Delta table read without its log: they hold rows that were changed or deleted since."""
    raise SourceError(
        place, expected="format: delta and the table's folder", found=f"files of a Delta table, whose log is {file}"
    )


def _plain(file: str) -> str:
    return re.sub("^([a-z0-9]+):/+", r"\1:/", file)


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
    open_quote = f"a quote that is open at the line's end: {_shorten(found)}"
    raise SourceError(place, expected="a record in each line, or multiline: true", found=open_quote)


def _shorten(line: str) -> str:
    return line if len(line) <= _SHOWN_LETTERS else line[:_SHOWN_LETTERS] + "..."


def open_line_pattern(delimiter: str) -> str:
    """Return the regular expression of a line that begins outside of quotes and ends within; it tries one way only."""
    sep = re.escape(delimiter)
    other = f"[^{sep}]" if len(delimiter) == 1 else f"(?:(?!{sep}).)"
    plain = f'[^"{sep}]' if len(delimiter) == 1 else f'(?:(?!{sep})[^"])'
    quoted = '"[^"]*+(?:""[^"]*+)*+'
    return f'^(?:(?:{quoted}"{other}*+|{plain}{other}*+)?+{sep})*+{quoted}$'


def _check_whole(spark: SparkSession, spec: SourceSpec, paths: Sequence[str], place: str) -> None:
    find = partial(find_fault, delimiter=spec.delimiter, encoding=spec.encoding)
    _look_at_files(spark, paths, find, place=place, expected="every quote closed where a field ends")


def check_single(spark: SparkSession, spec: SourceSpec, paths: Sequence[str], *, place: str) -> None:
    """Refuse JSON with more than one object in a line, or with ``multiline`` in a file: Spark reads the first alone.

    Raises
    ------
    SourceError
        With what follows the first.
    """
    if spec.multiline:
        find = partial(find_second, encoding=spec.encoding)
        _look_at_files(spark, paths, find, place=place, expected="one object or list in each file, or multiline: false")
        return
    has_two = F.col("value").rlike(r"\}\s*\{") & F.col("value").rlike(_SECOND_OBJECT)
    found = spark.read.text(list(paths)).agg(F.min(F.when(has_two, F.col("value"))).alias("line")).collect()[0]["line"]
    if found is not None:
        raise SourceError(place, expected="one JSON object in each line", found=f"another after it: {_shorten(found)}")


def find_second(content: bytes, name: str, *, encoding: str) -> str | None:
    """Return what follows the first object or list of a JSON file, None where nothing does or none can be read."""
    opened: Any = _OPENERS.get(Path(name).suffix)
    text = (opened(io.BytesIO(content)).read() if opened else content).decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None  # which Spark says of the record
    rest = text[end:].strip()
    return f"{rest[:_SHOWN_LETTERS]} after the first" if rest else None


def _look_at_files(
    spark: SparkSession, paths: Sequence[str], find: Callable[[bytes, str], str | None], *, place: str, expected: str
) -> None:
    def look(part: Row) -> Iterator[tuple[str, str]]:
        fault = find(part[1], part[0])
        return iter([(part[0], fault)] if fault else [])

    files = spark.read.format("binaryFile").load(list(paths)).select("path", "content")
    faults = files.rdd.flatMap(look).collect()
    if faults:
        file, fault = min(faults)
        raise SourceError(place, expected=expected, found=f"{fault} ({file})")


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
    """Refuse Parquet files of which some lack a column that others have, or say otherwise whether its times know their zone.

    Spark reads all as the first: the rows of others would get nulls, or be shifted.

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
        if len(told := kinds.get(column, {})) > 1:
            found = " and ".join(f"{kind} in {file}" for kind, file in told.items())
            raise SourceError(place, expected=f"times of column {column} of one kind in every file", found=found)


def _columns_of(spark: SparkSession, file: str) -> dict[str, str]:
    """Return the columns that a Parquet file's own footer names; of times whether they are instants or local, else nothing."""
    url = urlparse(file)
    if url.scheme in ("", "file"):
        with pq.ParquetFile(unquote(url.path)) as opened:
            leaves = [opened.schema.column(number) for number in range(len(opened.schema.names))]
            return dict.fromkeys(opened.schema_arrow.names, "") | {
                leaf.path: _kind_of(f"{leaf.logical_type} {leaf.physical_type}", "isAdjustedToUTC=true", "isAdjustedToUTC=false")
                for leaf in leaves
                if leaf.path in opened.schema_arrow.names
            }
    jvm: Any = spark.sparkContext._jvm
    jsc: Any = spark.sparkContext._jsc
    path = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(file))
    opened = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(path, jsc.hadoopConfiguration())
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(opened)
    try:
        fields = reader.getFooter().getFileMetaData().getSchema().getFields()
        return {str(field.getName()): _kind_of(field.toString(), "S,true)", "S,false)") for field in fields}
    finally:
        reader.close()


def _kind_of(told: str, instant: str, local: str) -> str:
    """Return of a column's type in words whether it holds instants, local times or neither; Spark takes INT96 for instants."""
    if "TIMESTAMP" not in told.upper() and "INT96" not in told.upper():
        return ""
    return "instants" if instant in told or "INT96" in told.upper() else "local times" if local in told else ""
