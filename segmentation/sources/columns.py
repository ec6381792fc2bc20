"""From what a source holds to the type that was declared, with a reason where that fails. Floor 2."""

from dataclasses import dataclass
from typing import Literal

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from segmentation.errors import SourceError
from segmentation.tables import MONEY

Kind = Literal["text", "money", "number", "instant", "level"]

# Blanks that TRIM keeps: no-break, zero-width and byte-order marks reach ids through spreadsheets.
_EDGES = r"^[\s\u00A0\u200B\uFEFF]+|[\s\u00A0\u200B\uFEFF]+$"
_PLAIN_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


@dataclass(frozen=True)
class SourceColumn:
    """One declared column: its name here, where it comes from, and how it is to be read."""

    name: str
    sources: tuple[str, ...]
    kind: Kind
    format: str | None = None
    remove: str | None = None
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parsed:
    """A parsed column, whether a value was there that could not be parsed, and the reason to give then."""

    value: Column
    is_unreadable: Column
    reason: str


def parse_column(
    column: SourceColumn, types: dict[str, T.DataType], *, place: str, decimal_comma: bool, time_zone: str
) -> Parsed:
    """Return ``column`` in its declared kind, read from columns of ``types``.

    Raises
    ------
    SourceError
        If the source's type can never hold the declared kind.
    """
    parts = [
        _parse_one(column, name, types[name], place=place, decimal_comma=decimal_comma, time_zone=time_zone)
        for name in column.sources
    ]
    reason = f"undeclared_level_{column.name}" if column.kind == "level" else f"unreadable_{column.name}"
    value, is_unreadable = parts[0]
    if len(parts) > 1:
        value, is_unreadable = F.lit(0), F.lit(False)
        for part, part_is_unreadable in parts:
            value, is_unreadable = value + F.coalesce(part, F.lit(0)), is_unreadable | part_is_unreadable
        value = value.cast(MONEY)
    return Parsed(value, is_unreadable, reason)


def _parse_one(
    column: SourceColumn, name: str, data_type: T.DataType, *, place: str, decimal_comma: bool, time_zone: str
) -> tuple[Column, Column]:
    source = F.col(f"`{name}`")
    is_text = isinstance(data_type, T.StringType)
    _refuse_type(column, name, data_type, place)
    text = _clean_text(source.cast("string"), column.remove)
    if column.kind == "text":
        return text, F.lit(False)
    if column.kind == "level":
        return F.when(text.isin(*column.levels), text), F.coalesce(~text.isin(*column.levels), F.lit(False))
    if column.kind == "instant":
        value = _instant(text, column.format) if is_text else source.cast("timestamp")
        value = F.to_utc_timestamp(value, time_zone) if time_zone != "UTC" else value
        value = F.when(F.year(value).between(1900, 2200), value)
    else:
        target = "double" if column.kind == "number" else MONEY.simpleString()
        value = (_plain_number(text, decimal_comma) if is_text else _finite(source, data_type)).try_cast(target)
    present = text.isNotNull() & (text != "NaN") if isinstance(data_type, T.FractionalType) else text.isNotNull()
    return value, present & value.isNull()


def _refuse_type(column: SourceColumn, name: str, data_type: T.DataType, place: str) -> None:
    accepted = {
        "text": T.AtomicType,
        "level": T.AtomicType,
        "instant": T.StringType | T.DateType | T.TimestampType | T.TimestampNTZType,
        "money": T.StringType | T.NumericType,
        "number": T.StringType | T.NumericType | T.BooleanType,
    }[column.kind]
    if not isinstance(data_type, accepted) or isinstance(data_type, T.BinaryType):  # type: ignore[arg-type]
        kind = {"text": "text", "level": "text", "instant": "a date or timestamp"}.get(column.kind, "a number")
        raise SourceError(f"{place}: column {name} ({column.name})", expected=kind, found=data_type.simpleString())


def _clean_text(text: Column, remove: str | None) -> Column:
    if remove is not None:
        text = F.regexp_replace(text, remove, "")
    text = F.regexp_replace(text, _EDGES, "")
    return F.when(text != "", text)


def _plain_number(text: Column, decimal_comma: bool) -> Column:
    # The pattern keeps out the words NaN and Infinity, which a cast accepts.
    text = F.regexp_replace(F.regexp_replace(text, r"\.", ""), ",", ".") if decimal_comma else text
    return F.when(text.rlike(_PLAIN_NUMBER), text)


def _finite(source: Column, data_type: T.DataType) -> Column:
    if not isinstance(data_type, T.DoubleType | T.FloatType):
        return source.cast("int") if isinstance(data_type, T.BooleanType) else source
    return F.when(~F.isnan(source) & (F.abs(source) < F.lit(float("inf"))), source)


def _instant(text: Column, pattern: str | None) -> Column:
    return text.try_cast("timestamp") if pattern is None else F.try_to_timestamp(text, F.lit(pattern))
