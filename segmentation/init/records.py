"""Files in, their records out: CSV, JSON lines and Parquet as far as they are asked for, without Spark."""

import bz2
import codecs
import csv
import gzip
import io
import itertools
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from segmentation.errors import SourceError

FileFormat = Literal["csv", "json", "parquet"]

_PEEKED_BYTES = 2**18
_PEEKED_RECORDS = 200
_DECODED_CHUNKS = 4096  # a gibibyte: a letter beyond ASCII may come late
_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_DELIMITERS = (",", ";", "\t", "|")
_ENCODINGS = ("UTF-8", "windows-1252", "ISO-8859-1")
_VALUE = re.compile(r"[-+]?\d[\d.,/: TZ+-]*")
_BLANKS = " \t\r\n\u00a0\u200b\ufeff"


@dataclass(frozen=True)
class Dialect:
    """How a text file is written; ``has_names`` says whether its first line names the columns."""

    delimiter: str = ","
    encoding: str = "UTF-8"
    has_names: bool = True


@dataclass(frozen=True)
class Shape:
    """What the beginning of a file says of it."""

    format: FileFormat
    names: tuple[str, ...]
    dialect: Dialect


def find_shape(file: Path) -> Shape:
    """Return the format, the columns and the dialect of a file.

    Raises
    ------
    SourceError
        If it is none of CSV, JSON lines and Parquet, or has fewer than two columns.
    """
    head = _peek(file)
    if head.startswith(b"PAR1"):
        return Shape("parquet", tuple(_flat_names(file)), Dialect())
    if head[:2] in (b"PK", b"\xd0\xcf") or head.startswith(b"%PDF"):
        raise SourceError(str(file), expected="CSV, JSON lines or Parquet", found="a file of another program; export it as CSV")
    encoding = _find_encoding(file, head)
    text = head.decode(encoding, errors="ignore").lstrip("\ufeff")
    begin = text.lstrip()[:1]
    if begin == "[":
        raise SourceError(str(file), expected="JSON lines, an object in each line", found="an array")
    if begin == "{":
        keys: dict[str, None] = {}
        for record in itertools.islice(_json_records(file, encoding), _PEEKED_RECORDS):
            keys |= dict.fromkeys(key for key, value in record.items() if not isinstance(value, dict | list))
        return Shape("json", tuple(keys), Dialect(encoding=encoding))
    return _find_csv_shape(file, text, encoding)


def _peek(file: Path) -> bytes:
    try:
        with _open(file) as raw:
            head: bytes = raw.read(_PEEKED_BYTES)
    except (OSError, EOFError, lzma.LZMAError) as error:
        found = getattr(error, "strerror", None) or f"{error}"
        raise SourceError(str(file), expected="a readable file", found=found) from None
    if not head.strip():
        raise SourceError(str(file), expected="at least one row", found="an empty file")
    return head


def _open(file: Path) -> Any:
    opened = _OPENERS.get(file.suffix)
    return io.BufferedReader(opened(file), _PEEKED_BYTES) if opened else file.open("rb")


def _find_encoding(file: Path, head: bytes) -> str:
    """Return the first encoding that reads a file as far as it is looked at."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16"
    for encoding in _ENCODINGS[:-1]:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with _open(file) as raw:
                for chunk in itertools.islice(iter(lambda: raw.read(_PEEKED_BYTES), b""), _DECODED_CHUNKS):
                    decoder.decode(chunk)
        except (UnicodeDecodeError, EOFError):
            continue
        return encoding
    return _ENCODINGS[-1]


def _find_csv_shape(file: Path, text: str, encoding: str) -> Shape:
    cut = text if len(text) < _PEEKED_BYTES // 4 else text[: text.rfind("\n") + 1]
    best: tuple[float, int, str] = (0.0, 0, ",")
    for delimiter in _DELIMITERS:
        records = _peek_records(cut, delimiter)
        if len(records) > 1 and not records[-1]:
            records.pop()
        width = Counter(len(one) for one in records).most_common(1)[0][0] if records else 0
        agreeing = sum(len(one) == width for one in records) / max(len(records), 1)
        if width > 1:
            best = max(best, (agreeing, width, delimiter))
    if best[1] < 2:
        line = text.splitlines()[0][:60]
        raise SourceError(str(file), expected="columns parted by a comma, semicolon, tab or |", found=f"the line {line}")
    records = _peek_records(cut, best[2])
    dialect = Dialect(best[2], encoding, _names_columns(records[0]))
    names = records[0] if dialect.has_names else [f"column_{place + 1}" for place in range(best[1])]
    return Shape("csv", tuple(names), dialect)


def _peek_records(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [one for one in itertools.islice(reader, _PEEKED_RECORDS) if one]
    except csv.Error:
        return []


def _names_columns(first: Sequence[str]) -> bool:
    """Say whether the first record names columns: names are no numbers and no dates, and there are no two alike."""
    cells = [one.strip() for one in first]
    return not any(_VALUE.fullmatch(one) for one in cells) and len({*cells}) == len(cells)


def csv_records(file: Path, dialect: Dialect) -> Iterator[tuple[list[str], bool]]:
    """Yield the records of a CSV file but for its names, and whether each spans lines.

    Raises
    ------
    SourceError
        If a quote is never closed, or bytes are not of the encoding.
    """
    try:
        with _open(file) as raw:
            text = io.TextIOWrapper(raw, encoding=dialect.encoding.replace("UTF-8", "utf-8-sig"), newline="")
            reader = csv.reader(text, delimiter=dialect.delimiter)
            before = 0
            for place, record in enumerate(reader):
                spans = reader.line_num > before + 1
                before = reader.line_num
                if record and (place or not dialect.has_names):
                    yield record, spans
    except (csv.Error, UnicodeError, OSError, EOFError) as error:
        raise SourceError(str(file), expected=f"CSV in {dialect.encoding}", found=str(error)) from None


def _json_records(file: Path, encoding: str) -> Iterator[dict[str, Any]]:
    try:
        with _open(file) as raw:
            for line in io.TextIOWrapper(raw, encoding=encoding.replace("UTF-8", "utf-8-sig")):
                record = json.loads(line) if line.strip() else None
                if isinstance(record, dict):
                    yield record
    except (ValueError, OSError, EOFError) as error:
        raise SourceError(str(file), expected="JSON lines, an object in each line", found=str(error)) from None


def _flat_names(file: Path) -> list[str]:
    """Return the columns of a Parquet file that hold one value a row.

    Raises
    ------
    SourceError
        If it is damaged, or has instants in nanoseconds, for which Spark refuses the whole file.
    """
    try:
        schema, stored = pq.read_schema(file), pq.ParquetFile(file).schema
    except (pa.ArrowException, OSError) as error:
        raise SourceError(str(file), expected="a Parquet file", found=str(error)) from None
    for place in range(len(stored.names)):
        column = stored.column(place)
        if column.physical_type == "INT64" and "nanoseconds" in str(column.logical_type):
            raise SourceError(
                str(file), expected="instants in microseconds, which Spark reads", found=f"column {column.name} in nanoseconds"
            )
    return [one.name for one in schema if not pa.types.is_nested(one.type) and not pa.types.is_binary(one.type)]


def read_frames(
    file: Path, shape: Shape, *, columns: Sequence[str] | None = None, rows: int
) -> Iterator[tuple[pd.DataFrame, bool]]:
    """Yield the rows of a file in frames of at most ``rows``, and whether a record spans lines; text is tidied.

    Parameters
    ----------
    columns : those wanted; all that hold one value a row by default
    """
    names = list(shape.names)
    wanted = names if columns is None else list(columns)
    if shape.format == "parquet":
        for batch in pq.ParquetFile(file).iter_batches(batch_size=rows, columns=wanted):
            frame = pa.Table.from_batches([batch]).to_pandas(ignore_metadata=True, date_as_object=False)
            yield frame.apply(_plain), False
        return
    if shape.format == "json":
        objects = _json_records(file, shape.dialect.encoding)
        while block := list(itertools.islice(objects, rows)):
            yield pd.DataFrame({name: [_json_text(one.get(name)) for one in block] for name in wanted}, dtype=object), False
        return
    places = {name: names.index(name) for name in wanted}
    records = csv_records(file, shape.dialect)
    while read := list(itertools.islice(records, rows)):
        cells = {
            name: [_tidy(record[place]) if place < len(record) else None for record, _ in read] for name, place in places.items()
        }
        yield pd.DataFrame(cells, dtype=object), any(spans for _, spans in read)


def _plain(column: Any) -> Any:
    """Return a column of Parquet with tidy text; what is stored as a dictionary, as the values it stands for."""
    is_text = column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype)
    return column.astype(object).map(_tidy, na_action="ignore") if is_text else column


def _tidy(value: Any) -> Any:
    return (value.strip(_BLANKS) or None) if isinstance(value, str) else value


def _json_text(value: Any) -> str | None:
    """Return a value as Spark reads it where every primitive is text."""
    if value is None or isinstance(value, dict | list):
        return None
    return str(value).lower() if isinstance(value, bool) else _tidy(str(value))
