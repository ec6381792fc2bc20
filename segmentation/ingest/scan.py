"""Files looked at before they are read: such as Spark passes over, unpacks wrongly or reads twice, quotes that stay open.

Spark says nothing of any.
"""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import SourceSpec
from segmentation.errors import SourceError
from segmentation.warehouse.files import list_files

SHOWN_LETTERS = 60
# Of a folder NAME=VALUE; Spark takes each byte beyond ASCII for a letter.
_ENCODED_VALUE = re.compile("=[^/]*%[89A-Fa-f][0-9A-Fa-f][^/]*/")
_LONGEST_HEADER = 2**20
# Hadoop's own .lz4 and .snappy, which no other program writes, are none that anybody sends.
_UNREAD_ENDINGS = (".lz4", ".snappy", ".lzo", ".xz", ".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz")
OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def spans_bytes(encoding: str) -> bool:
    """Say whether a character set writes a line's end with other bytes than ASCII does, so that lines cannot be told by bytes."""
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def java_charset(encoding: str) -> str:
    """Return a character set that Python knows under a name that Java knows."""
    name = codecs.lookup(encoding).name.replace("iso8859-", "iso-8859-").removesuffix("-sig")  # a mark is read by all
    return re.sub(r"^(utf-(?:16|32))-([bl]e)$", r"\1\2", name)


def check_endings(found: Sequence[tuple[str, Sequence[str]]], *, place: str) -> None:
    """Refuse files that are packed in a way that Spark reads as if it were text, or asks endless memory for.

    Parameters
    ----------
    found : each path, and what ``list_files`` lists of it

    Raises
    ------
    SourceError
        With the file.
    """
    for file in (one.rsplit(" ", 2)[0] for _, files in found for one in files):
        if file.lower().endswith(_UNREAD_ENDINGS):
            raise SourceError(place, expected="text, plain or as .gz, .bz2, .zst or .deflate", found=file)


def check_files(spark: SparkSession, found: Sequence[tuple[str, Sequence[str]]], read: Sequence[str], *, place: str) -> None:
    """Refuse paths of which one is passed over, read twice or read wrongly.

    That is a hidden name, a folder in a folder, overlapping patterns, a folder's value in percent code.

    Parameters
    ----------
    found : each file, folder and pattern as they were declared, and what ``list_files`` lists of it
    read : the files that Spark reads of them

    Raises
    ------
    SourceError
        With the file.
    """
    are_read = {_plain(unquote(file)) for file in read}
    seen: dict[str, str] = {}
    for path, files in found:
        parts = path.split("/")
        for file, size, _ in (one.rsplit(" ", 2) for one in files):
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


def read_first_line(file: str) -> bytes:
    """Return the first line of a file of this machine without its mark and end; nothing of one packed as Python cannot read."""
    opened: Any = OPENERS.get(Path(file).suffix, open)
    try:
        with opened(file, "rb") as stream:
            line: bytes = stream.readline(_LONGEST_HEADER)
    except (OSError, EOFError):  # which Spark says of it
        return b""
    return line.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")


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
    open_quote = f"a quote that is open at the line's end: {shorten(found)}"
    raise SourceError(place, expected="a record in each line, or multiline: true", found=open_quote)


def shorten(line: str) -> str:
    """Return a line as far as an error shows it."""
    return line if len(line) <= SHOWN_LETTERS else line[:SHOWN_LETTERS] + "..."


def open_line_pattern(delimiter: str) -> str:
    """Return the regular expression of a line that begins outside of quotes and ends within; it tries one way only."""
    sep = re.escape(delimiter)
    other = f"[^{sep}]" if len(delimiter) == 1 else f"(?:(?!{sep}).)"
    plain = f'[^"{sep}]' if len(delimiter) == 1 else f'(?:(?!{sep})[^"])'
    quoted = '"[^"]*+(?:""[^"]*+)*+'
    return f'^(?:(?:{quoted}"{other}*+|{plain}{other}*+)?+{sep})*+{quoted}$'


def _check_whole(spark: SparkSession, spec: SourceSpec, paths: Sequence[str], place: str) -> None:
    find = partial(find_fault, delimiter=spec.delimiter, encoding=spec.encoding)
    look_at_files(spark, paths, find, place=place, expected="every quote closed where a field ends")


def look_at_files(
    spark: SparkSession, paths: Sequence[str], find: Callable[[bytes, str], str | None], *, place: str, expected: str
) -> None:
    """Refuse whole files in whose bytes ``find`` finds something.

    Raises
    ------
    SourceError
        With what it found, and the file.
    """

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
    opened: Any = OPENERS.get(Path(name).suffix)
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
