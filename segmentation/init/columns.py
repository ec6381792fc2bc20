"""A column of a sample in, what its values are out: numbers, dates or text, with what that rests on."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from pandas.api import types

from segmentation.init.days import DayForm, find_form
from segmentation.init.sample import Sample, as_utc
from segmentation.spelling import percent

ColumnKind = Literal["number", "date", "text"]

_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]*)?")
_ONLY_COMMA = re.compile(r"[+-]?[0-9.]*,(?:[0-9]{1,2}|[0-9]{4,})")
# How missing numbers are written where they are not left empty.
_NOTHING = re.compile(r"(?i)(?:n/?a|nan|null|none|nil|-+|\?|unknown|#n/a)")
_CURRENCY = "[^0-9.,+-]"
_MARK = re.compile(r"(?:[A-Z]{0,2}[€$£¥₹₽₺]|EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|HUF|BRL|INR|JPY|CNY|CAD|AUD|NZD|kr|zł|Kč|Ft|Rs)")
_REMOVALS = (None, ",", _CURRENCY, "[^0-9.+-]")
_MOST_OTHER = 0.02
_DECIDING_VALUES = 2000


@dataclass(frozen=True)
class Profile:
    """What the values of a column are.

    Attributes
    ----------
    kind : what at least 95 % of the values are
    values : numbers, days or text; missing where a value is missing or of another kind
    raw : the values as they were read
    rows, filled, read : rows of the sample, those with a value, and those whose value is of the kind
    distinct : different values
    is_text : the source holds text
    form : how dates are written, None where the source has a type for them
    remove : what is to be cut from text before it is a number
    odd : the commonest value of another kind
    """

    name: str
    kind: ColumnKind
    values: Any
    raw: Any
    rows: int
    filled: int
    read: int
    distinct: int
    is_text: bool
    form: DayForm | None = None
    remove: str | None = None
    odd: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return self.kind == "number" and bool((self.values.dropna() % 1 == 0).all())

    @property
    def is_key(self) -> bool:
        """Whether its values could tell things apart: text or whole numbers, and several of them."""
        return self.filled > 0 and self.distinct > 1 and (self.kind == "text" or self.is_whole)

    @property
    def is_unique(self) -> bool:
        """Whether nearly every value occurs once."""
        return self.filled > 0.9 * self.rows and self.distinct >= 0.95 * self.filled

    @property
    def ends_in_zero(self) -> bool:
        """Whether whole numbers are written 17850.0."""
        return self.is_text and self.filled > 0 and bool(self.raw.dropna().str.fullmatch(r"\d+\.0").all())

    @property
    def keys(self) -> Any:
        """The values as keys: as text, whole numbers without decimals."""
        if self.kind == "number" and not self.is_text:
            return self.values.map("{:.0f}".format, na_action="ignore")
        return self.raw.str.removesuffix(".0") if self.ends_in_zero else self.raw.map(str, na_action="ignore")

    @property
    def missing(self) -> float:
        """Share of the rows without a value."""
        return 1 - self.filled / max(self.rows, 1)

    def share(self, condition: Any) -> float:
        """Return the share of the read values that fulfil a condition on ``values``."""
        return float(condition.sum()) / max(self.read, 1)

    def told(self) -> str:
        """Return in words what the values are."""
        others = f"; others, as {self.odd}, are not read" if self.odd else ""
        if self.kind == "date":
            form = f" of the form {self.form.pattern}" if self.form is not None else ""
            return f"{self.part} are dates{form}{others}"
        if self.kind == "number":
            return f"{self.part} are numbers from {self.values.min():,.6g} to {self.values.max():,.6g}{others}"
        return f"{self.distinct:,} different texts in {self.filled:,} values"

    @property
    def part(self) -> str:
        """How much of what is filled is of the kind, in words."""
        return tell_part(self.read, self.filled, "values")


def tell_part(some: int, of: int, what: str) -> str:
    """Return in words how many of them there are; a few that lack are counted."""
    if some == of:
        return f"all {of:,} {what}"
    return f"all but {of - some:,} of {of:,} {what}" if some >= 0.99 * of else f"{percent(some / max(of, 1))} of {of:,} {what}"


def has_decimal_comma(sample: Sample) -> bool:
    """Say whether numbers in text are written 1.234,50: more of them can be read only so than only with a point."""
    commas = points = 0
    for name in sample.frame:
        column = sample.frame[name]
        if column.dtype != object:
            continue
        texts = [
            re.sub(_CURRENCY, "", one) for one in map(str, column.dropna().unique()[:_DECIDING_VALUES]) if one[-1:].isdigit()
        ]
        commas += sum(bool(_COMMA.fullmatch(one) and _ONLY_COMMA.fullmatch(one)) for one in texts)
        points += sum(bool("." in one and _PLAIN.fullmatch(one) and not _COMMA.fullmatch(one)) for one in texts)
    return commas > points


def profile_columns(sample: Sample, *, decimal_comma: bool) -> dict[str, Profile]:
    """Return what each column of a sample holds, by name; a column without a name or with another's is left out."""
    names = Counter(sample.shape.names)
    prefers_day_first = decimal_comma or sample.shape.dialect.delimiter == ";"
    return {
        name: _profile(name, sample.frame[name], decimal_comma=decimal_comma, prefers_day_first=prefers_day_first)
        for name in sample.shape.names
        if name.strip() and names[name] == 1
    }


def _profile(name: str, column: Any, *, decimal_comma: bool, prefers_day_first: bool) -> Profile:
    filled, rows = int(column.notna().sum()), len(column)
    if types.is_datetime64_any_dtype(column):
        return Profile(name, "date", as_utc(column), column, rows, filled, filled, int(column.nunique()), is_text=False)
    if types.is_bool_dtype(column):
        return Profile(
            name, "text", column.astype(str).str.lower(), column, rows, filled, filled, int(column.nunique()), is_text=False
        )
    if types.is_numeric_dtype(column):
        numbers = column.astype(float)
        return Profile(name, "number", numbers, column, rows, filled, filled, int(column.nunique()), is_text=False)
    if not all(isinstance(one, str) for one in column.dropna().head(_DECIDING_VALUES)):
        return _profile_objects(name, column)
    counts: dict[str, int] = column.value_counts().to_dict()
    form = find_form(counts, prefers_day_first=prefers_day_first) if _may_be_days(name, counts) else None
    if form is not None:
        days = column.map({text: pd.Timestamp(day) for text in counts if (day := form.read(text)) is not None})
        return _text_profile(name, "date", pd.to_datetime(days), column, form=form)
    number = _find_numbers(counts, decimal_comma)
    if number is not None:
        numbers, remove = number
        return _text_profile(name, "number", column.map(numbers).astype(float), column, remove=remove)
    return _text_profile(name, "text", column, column)


def _profile_objects(name: str, column: Any) -> Profile:
    """Return what Python objects of Parquet are: decimals as numbers, anything else as the text it is shown as."""
    numbers = pd.to_numeric(column, errors="coerce")
    filled, distinct = int(column.notna().sum()), int(column.nunique())
    is_number = int(numbers.notna().sum()) == filled
    values = numbers if is_number else column.map(str, na_action="ignore").str.lower()
    return Profile(name, "number" if is_number else "text", values, column, len(column), filled, filled, distinct, is_text=False)


def _text_profile(
    name: str, kind: ColumnKind, values: Any, raw: Any, *, form: DayForm | None = None, remove: str | None = None
) -> Profile:
    unread = raw[raw.notna() & values.isna()]
    odd = str(unread.value_counts().index[0]) if len(unread) else ""
    filled, read, distinct = int(raw.notna().sum()), int(values.notna().sum()), int(raw.nunique())
    return Profile(name, kind, values, raw, len(raw), filled, read, distinct, is_text=True, form=form, remove=remove, odd=odd)


def _may_be_days(name: str, counts: Iterable[str]) -> bool:
    """Say whether texts could be dates: eight digits alone are dates only under a name that says so."""
    some = next(iter(counts), "")
    return not some.isdigit() or bool(re.search(r"(?i)dat|day|time|tag|fecha|jour", name))


def _find_numbers(counts: dict[str, int], decimal_comma: bool) -> tuple[dict[str, float], str | None] | None:
    """Return the number of each text and what is to be cut before, None where too few texts are numbers."""
    told = {text: rows for text, rows in counts.items() if not _NOTHING.fullmatch(text)}
    total = sum(told.values())
    if not told:
        return None
    for remove in _REMOVALS:
        if decimal_comma and remove in (",", "[^0-9.+-]"):
            continue
        numbers = {text: number for text in told if (number := _to_number(text, remove, decimal_comma=decimal_comma)) is not None}
        if sum(told[text] for text in numbers) >= (1 - _MOST_OTHER) * total and _is_currency(numbers, remove):
            return numbers, remove
    return None


def _is_currency(numbers: dict[str, float], remove: str | None) -> bool:
    """Say whether what is cut marks money and is no part of a code, as the letters of K17."""
    marks = {re.sub(r"[0-9.,+\s-]", "", text) for text in numbers} - {""}
    return remove is None or all(_MARK.fullmatch(one) for one in marks)


def _to_number(text: str, remove: str | None, *, decimal_comma: bool) -> float | None:
    bare = re.sub(remove, "", text) if remove else text
    if decimal_comma:
        bare = bare.replace(".", "").replace(",", ".") if _COMMA.fullmatch(bare) else ""
    return float(bare) if _PLAIN.fullmatch(bare) else None


def is_nothing(one: Profile) -> str:
    """Return the word that a text column has for a missing value, nothing where it leaves them empty."""
    words = [text for text in one.raw.dropna().unique() if _NOTHING.fullmatch(text)]
    return words[0] if len(words) == 1 else ""
