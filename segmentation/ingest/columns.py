"""From what a source holds to the type that was declared, with a reason where that fails."""

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import Literal

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from segmentation.config.patterns import has_zone
from segmentation.config.sources import SourceSpec
from segmentation.errors import SourceError
from segmentation.money import MONEY_BOUND, round_money
from segmentation.tables import MONEY

Kind = Literal["text", "money", "number", "instant", "days", "level"]

# Blanks that a plain TRIM keeps: tabs, no-break, zero-width and byte-order marks reach ids through spreadsheets.
_BLANKS = " \t\r\n\u00a0\u200b\u202f\u3000\ufeff"
_PLAIN_NUMBER = r"^[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]{1,3})?$"
# None begins with 0: 0.125 is a fraction, in another notation.
_POINTED_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]*)?$"
# What Java needs for a number grows with the square of its digits.
_LONGEST_NUMBER = 400
# From there on floats skip whole numbers: of two keys both may have become the same.
_FIRST_GAP: dict[T.DataType, float] = {T.FloatType(): 2.0**24, T.DoubleType(): 2.0**53}
_WHOLE_BOUND = int(MONEY_BOUND) - 1
_BINARY = (T.DoubleType, T.FloatType)
# What decoding left of broken letters, and what no key has on purpose.
_BROKEN_TEXT = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]"
# A year alone becomes its first day by a cast, an hour alone today.
_WHOLE_DAY = r"^[+-]?[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}(?:[ T].*)?$"
_OWN_ZONE = r"(?:[zZ]|[+-][0-9]{1,2}(?::?[0-9]{2})?|[A-Za-z]{3,}(?:/[A-Za-z_/+-]+[0-9]*)?)$"
# Spark's cast asks for seconds before a zone, ISO 8601 does not.
_ZONE_AFTER_MINUTES = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2})(Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_DAYS = (T.StringType, T.DateType, T.TimestampType, T.TimestampNTZType)
_ACCEPTED: dict[Kind, tuple[str, type | tuple[type, ...]]] = {
    "text": ("text", T.AtomicType),
    "level": ("text", T.AtomicType),
    "instant": ("a date or timestamp", _DAYS),
    "days": ("a date or timestamp", _DAYS),
    "money": ("a number", (T.StringType, T.NumericType)),
    "number": ("a number", (T.StringType, T.NumericType, T.BooleanType)),
}


@dataclass(frozen=True)
class SourceColumn:
    """One declared column: its name here, where it comes from, and how it is to be read.

    ``as_of`` is the day from which days are counted back.
    """

    name: str
    sources: tuple[str, ...]
    kind: Kind
    format: str | None = None
    remove: str | None = None
    levels: tuple[str, ...] = ()
    as_of: date | None = None

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


def source_column(name: str) -> Column:
    """Return a source's column, whatever its name holds."""
    return F.col(f"`{name.replace('`', '``')}`")


def tidy(source: str, data_type: T.DataType, *, kind: Kind, remove: str | None) -> Column:
    """Return a source column ready for ``parse``: text without blanks at its edges, no NaN, no empty text."""
    value = source_column(source)
    if isinstance(data_type, T.DoubleType | T.FloatType):
        value = F.nanvl(value, F.lit(None))
    is_text = isinstance(data_type, T.StringType)
    if not is_text and kind not in ("text", "level"):
        return value
    value = _trim(value) if is_text else _spell(value, data_type)
    if remove is not None:
        value = F.regexp_replace(value, remove, "")
    return F.nullif(value, F.lit("")) if is_text or remove is not None else value


def _spell(value: Column, data_type: T.DataType) -> Column:
    """Return a value as text; a whole number is spelled so in every type, or the key 17850.0 is another than 17850."""
    if isinstance(data_type, T.DecimalType):
        return F.regexp_replace(value.cast("string"), r"\.0+$", "")
    if isinstance(data_type, T.DoubleType | T.FloatType):
        whole = value.try_cast("bigint")
        return F.when(whole == value, whole.cast("string")).otherwise(value.cast("string"))
    return value.cast("string")


def _trim(value: Column) -> Column:
    """Return text without blanks at its edges; text that has none there is not copied."""
    # Blanks sort before every letter of ASCII or after all of them.
    may_lead = (value < "!") | (value >= "\u00a0")
    may_trail = reduce(or_, (value.endswith(blank) for blank in _BLANKS))
    return F.when(may_lead | may_trail, F.btrim(value, F.lit(_BLANKS))).otherwise(value)


def parse(column: SourceColumn, tidied: str, data_type: T.DataType, *, spec: SourceSpec, is_decoded: bool) -> Column:
    """Return the tidied column as what its kind is made of, null where it cannot be, for ``bound``: days are instants still.

    Letters of ``is_decoded`` text may be broken.
    """
    value = F.col(tidied)
    is_text, is_short = isinstance(data_type, T.StringType), F.octet_length(value) <= _LONGEST_NUMBER
    if column.kind == "text":
        return _text(value, data_type, is_json=spec.format == "json", is_checked=is_decoded or column.name == "customer_id")
    if column.kind == "level":
        return F.when(value.isin(*column.levels), value)
    if column.kind in ("instant", "days"):
        return _instant(value, data_type, column.format, spec.time_zone)
    if is_text and (spec.decimal_comma or column.kind == "money"):
        value = F.when(is_short, value)
    if is_text and spec.decimal_comma:
        # A point that parts no thousands is the decimal point of another notation: 12.50 is not 1250.
        value = F.when(~value.contains(".") | value.rlike(_POINTED_THOUSANDS), F.translate(F.translate(value, ".", ""), ",", "."))
    if column.kind == "money":
        return _money(value, data_type)
    if is_text:  # the pattern keeps out the words NaN and Infinity, which a cast accepts
        value = F.when(is_short & value.rlike(_PLAIN_NUMBER), value)
    return value.cast("int").cast("double") if isinstance(data_type, T.BooleanType) else value.try_cast("double")


def is_dear(column: SourceColumn, data_type: T.DataType) -> bool:
    """Say whether ``bound``, whose condition works out anew what ``parse`` made, had better stand in a projection after it."""
    return isinstance(data_type, T.StringType) and column.kind in ("number", "instant", "days")


def bound(column: SourceColumn, value: Column) -> Column:
    """Return the value of ``parse`` in its declared kind, null where it lies beyond what that can be."""
    if column.kind == "number":
        return F.when(F.abs(value) < F.lit(float("inf")), value)
    if column.kind not in ("instant", "days"):
        return value
    # A serial number read as a date lies far in the future, where Python cannot follow.
    instant = F.when(value.between(F.lit("1900-01-01").cast("timestamp"), F.lit("2200-01-01").cast("timestamp")), value)
    return instant if column.kind == "instant" else F.datediff(F.lit(column.as_of), instant.cast("date")).cast("double")


def _text(value: Column, data_type: T.DataType, *, is_json: bool, is_checked: bool) -> Column:
    """Return a text, null of what was none: an object or a list of JSON, a float that may be another number."""
    if data_type in _FIRST_GAP:
        value = F.when(F.abs(value.try_cast("double")) < _FIRST_GAP[data_type], value)
    if is_json:
        is_nested = (value.startswith("{") | value.startswith("[")) & F.try_parse_json(value).isNotNull()
        value = F.when(~is_nested, value)
    if is_checked:
        return F.when(~value.rlike(_BROKEN_TEXT), value)
    # Writers in C++ let such bytes into Parquet; Python stops at them wherever they come out.
    return F.when(F.is_valid_utf8(value), value) if isinstance(data_type, T.StringType) else value


def _money(value: Column, data_type: T.DataType) -> Column:
    """Return an amount in the cheapest type that holds it exactly: decimals cost several times what numbers do."""
    if isinstance(data_type, _BINARY):
        return round_money(value.cast("double"))
    if isinstance(data_type, T.IntegralType):
        return F.when(value.between(-_WHOLE_BOUND, _WHOLE_BOUND), value.cast("bigint"))
    if isinstance(data_type, T.StringType):  # an exponent of many digits ends in an error of Java's, in spite of TRY_CAST
        value = F.when(~(value.contains("e") | value.contains("E")) | value.rlike(_PLAIN_NUMBER), value)
    return value.try_cast(MONEY)


def _instant(value: Column, data_type: T.DataType, pattern: str | None, time_zone: str) -> Column:
    """Return the instant; a time that says its own zone, as a Parquet instant does, is not shifted by ``time_zone``."""
    is_local: Column | None = F.lit(True)
    if isinstance(data_type, T.StringType):
        if pattern is not None:
            instant = F.try_to_timestamp(value, F.lit(pattern)).try_cast("timestamp")
            is_local = None if has_zone(pattern) else is_local
        else:
            with_seconds = F.regexp_replace(value, _ZONE_AFTER_MINUTES, "$1:00$2")  # of what cannot be read without alone
            instant = F.coalesce(
                F.when(value.rlike(_WHOLE_DAY), value).try_cast("timestamp"),
                F.when(value.rlike(_ZONE_AFTER_MINUTES), with_seconds).try_cast("timestamp"),
            )
            is_local = ~F.substring(value, 11, 100).rlike(_OWN_ZONE)
    else:
        instant = value.try_cast("timestamp")
        is_local = None if isinstance(data_type, T.TimestampType) else is_local
    if time_zone != "UTC" and is_local is not None:
        instant = F.when(is_local, F.to_utc_timestamp(instant, time_zone)).otherwise(instant)
    return instant
