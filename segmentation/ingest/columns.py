"""From what a source holds to the type that was declared, with a reason where that fails."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Literal

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from segmentation.errors import SourceError
from segmentation.money import MONEY_BOUND, round_money
from segmentation.tables import MONEY

Kind = Literal["text", "money", "number", "instant", "level"]

# Blanks that a plain TRIM keeps: tabs, no-break, zero-width and byte-order marks reach ids through spreadsheets.
_BLANKS = " \t\r\n\u00a0\u200b\ufeff"
_PLAIN_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE_BOUND = int(MONEY_BOUND) - 1
_BINARY = (T.DoubleType, T.FloatType)
_ACCEPTED: dict[Kind, tuple[str, type | tuple[type, ...]]] = {
    "text": ("text", T.AtomicType),
    "level": ("text", T.AtomicType),
    "instant": ("a date or timestamp", (T.StringType, T.DateType, T.TimestampType, T.TimestampNTZType)),
    "money": ("a number", (T.StringType, T.NumericType)),
    "number": ("a number", (T.StringType, T.NumericType, T.BooleanType)),
}


@dataclass(frozen=True)
class SourceColumn:
    """One declared column: its name here, where it comes from, and how it is to be read."""

    name: str
    sources: tuple[str, ...]
    kind: Kind
    format: str | None = None
    remove: str | None = None
    levels: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why a row with another value than the declared is set aside."""
        return f"undeclared_level_{self.name}" if self.kind == "level" else f"unreadable_{self.name}"


def check_type(column: SourceColumn, source: str, data_type: T.DataType, *, place: str) -> None:
    """Refuse a column whose type can never hold the declared kind.

    Raises
    ------
    SourceError
    """
    expected, accepted = _ACCEPTED[column.kind]
    if not isinstance(data_type, accepted) or isinstance(data_type, T.BinaryType):
        raise SourceError(f"{place}: column {source} ({column.name})", expected=expected, found=data_type.simpleString())


def tidy(source: str, data_type: T.DataType, *, kind: Kind, remove: str | None) -> Column:
    """Return a source column ready for ``parse``: text without blanks at its edges, no NaN, no empty text."""
    value = F.col(f"`{source}`")
    if isinstance(data_type, T.DoubleType | T.FloatType):
        value = F.nanvl(value, F.lit(None))
    is_text = isinstance(data_type, T.StringType)
    if not is_text and kind not in ("text", "level"):
        return value
    value = _trim(value) if is_text else value.cast("string")
    if remove is not None:
        value = F.regexp_replace(value, remove, "")
    return F.nullif(value, F.lit("")) if is_text or remove is not None else value


def _trim(value: Column) -> Column:
    """Return text without blanks at its edges; text that has none there is not copied."""
    # Blanks sort before every letter of ASCII or after all of them.
    may_lead = (value < "!") | (value >= "\u00a0")
    may_trail = reduce(or_, (value.endswith(blank) for blank in _BLANKS))
    return F.when(may_lead | may_trail, F.btrim(value, F.lit(_BLANKS))).otherwise(value)


def parse(column: SourceColumn, tidied: str, data_type: T.DataType, *, decimal_comma: bool, time_zone: str) -> Column:
    """Return the tidied column in its declared kind, null where it cannot be read so."""
    value = F.col(tidied)
    is_text = isinstance(data_type, T.StringType)
    if column.kind == "text":
        return value
    if column.kind == "level":
        return F.when(value.isin(*column.levels), value)
    if column.kind == "instant":
        return _instant(value, is_text, column.format, time_zone)
    if is_text and decimal_comma:
        value = F.translate(F.translate(value, ".", ""), ",", ".")
    if column.kind == "money":
        return _money(value, data_type)
    if is_text:  # the pattern keeps out the words NaN and Infinity, which a cast accepts
        value = F.when(value.rlike(_PLAIN_NUMBER), value)
    number = value.cast("int").cast("double") if isinstance(data_type, T.BooleanType) else value.try_cast("double")
    return F.when(F.abs(number) < F.lit(float("inf")), number)


def _money(value: Column, data_type: T.DataType) -> Column:
    """Return an amount in the cheapest type that holds it exactly: decimals cost several times what numbers do."""
    if isinstance(data_type, _BINARY):
        return round_money(value.cast("double"))
    if isinstance(data_type, T.IntegralType):
        return F.when(value.between(-_WHOLE_BOUND, _WHOLE_BOUND), value.cast("bigint"))
    return value.try_cast(MONEY)


def _instant(value: Column, is_text: bool, pattern: str | None, time_zone: str) -> Column:
    if is_text and pattern is not None:
        value = F.try_to_timestamp(value, F.lit(pattern))
    instant = value.try_cast("timestamp")
    if time_zone != "UTC":
        instant = F.to_utc_timestamp(instant, time_zone)
    # A serial number read as a date lies far in the future, where Python cannot follow.
    return F.when(instant.between(F.lit("1900-01-01").cast("timestamp"), F.lit("2200-01-01").cast("timestamp")), instant)
