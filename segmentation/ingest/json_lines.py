"""JSON looked at before it is read: records that Spark passes over, letters that it replaces.

Spark says nothing of any.
"""

import io
import json
from collections.abc import Sequence
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from segmentation.config.sources import SourceSpec
from segmentation.errors import SourceError
from segmentation.ingest.scan import OPENERS, SHOWN_LETTERS, look_at_files, shorten

# A closing brace or bracket with an opening one behind it, outside of texts; it tries one way only.
_SECOND_RECORD = r'^(?:[^"}\]]++|"(?:[^"\\]++|\\.)*+"|[}\]](?!\s*[{\[]))*+[}\]]\s*[{\[]'
_HALF_LETTER = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_BOTH_HALVES = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ONE_RECORD = "one JSON object in each line"
_WHOLE_LETTERS = "whole letters, not half of a pair as \\ud83d"


def check_records(spark: SparkSession, spec: SourceSpec, paths: Sequence[str], wanted: Sequence[str], *, place: str) -> None:
    """Refuse JSON with more than one record in a line, or with ``multiline`` in a file, and texts with half of a letter.

    Spark reads the first record alone, and a question mark for the half: other customers' ids may become equal.

    Parameters
    ----------
    wanted : the columns whose texts are looked at

    Raises
    ------
    SourceError
        With what follows the first, or the line.
    """
    if spec.multiline:
        for find, expected in (
            (partial(find_second, encoding=spec.encoding), "one object or list in each file, or multiline: false"),
            (partial(find_half_letter, encoding=spec.encoding, wanted=wanted), _WHOLE_LETTERS),
        ):
            look_at_files(spark, paths, find, place=place, expected=expected)
        return
    line = F.col("value")
    found = (
        spark.read.text(list(paths))
        .agg(F.min(F.when(_has_two(line), line)).alias("two"), F.min(F.when(_has_half(line, wanted), line)).alias("half"))
        .collect()[0]
    )
    if found["two"] is not None:
        raise SourceError(place, expected=_ONE_RECORD, found=f"another after it: {shorten(found['two'])}")
    if found["half"] is not None:
        raise SourceError(place, expected=_WHOLE_LETTERS, found=shorten(found["half"]))


def _has_two(line: Column) -> Column:
    """Return whether a line holds a second record, with a comma between them or without."""
    follows = line.rlike(r"[}\]]\s*[{\[]") & line.rlike(_SECOND_RECORD)
    # Within a list a comma parts objects as well: how many there are is for a reader to say.
    listed = F.json_array_length(F.concat(F.lit("["), line, F.lit("]"))) > 1
    return follows | (line.rlike(r"\}\s*,\s*\{") & line.rlike(r"^\s*\{") & listed)


def _has_half(line: Column, wanted: Sequence[str]) -> Column:
    """Return whether a text of a wanted column holds half of a letter."""
    alone = F.regexp_replace(F.regexp_replace(line, r"\\\\", ""), _BOTH_HALVES, "")
    record = F.from_json(
        F.regexp_replace(alone, _HALF_LETTER, "\\\\ufffd"),
        T.StructType([T.StructField(name, T.StringType()) for name in wanted]),
    )
    is_hit = reduce(or_, (record.getField(name).contains("\ufffd") for name in wanted))
    return line.rlike(_HALF_LETTER) & alone.rlike(_HALF_LETTER) & is_hit


def find_second(content: bytes, name: str, *, encoding: str) -> str | None:
    """Return what follows the first object or list of a JSON file, None where nothing does or none can be read."""
    text = _decode(content, name, encoding)
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None  # which Spark says of the record
    rest = text[end:].strip()
    return f"{rest[:SHOWN_LETTERS]} after the first" if rest else None


def find_half_letter(content: bytes, name: str, *, encoding: str, wanted: Sequence[str]) -> str | None:
    """Return a text of a wanted column in a JSON file with half of a letter, None where there is none or nothing can be read."""
    try:
        records = json.loads(_decode(content, name, encoding))
    except (ValueError, RecursionError):
        return None
    for record in records if isinstance(records, list) else [records]:
        for value in (record.get(column) for column in wanted) if isinstance(record, dict) else ():
            if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
                return shorten(ascii(value))
    return None


def _decode(content: bytes, name: str, encoding: str) -> str:
    opened: Any = OPENERS.get(Path(name).suffix)
    text: str = (opened(io.BytesIO(content)).read() if opened else content).decode(encoding, errors="replace")
    return text.lstrip("\ufeff \t\r\n")
