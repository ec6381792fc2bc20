"""Profiles of a table of customers in, its attributes and how each is used out."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from segmentation.config.sources import NAME_PATTERN
from segmentation.init.columns import Profile
from segmentation.init.roles import words_of
from segmentation.init.shaping import shape_numbers
from segmentation.spelling import percent

MOST_LEVELS = 30
_MOST_CLUSTERED_LEVELS = 10
_MOST_UNREAD = 0.005
_ALIKE = 0.8
_SHOWN_LEVELS = 3
_CODES = re.compile(
    r"\b(?:zip|postal|postcode|plz|phone|tel|telefon|fax|iban|lat|latitude|lon|lng|longitude)(?: (?:code|number|no|nr))?$"
)
_IDS = re.compile(r"\b(?:ids?|no|nr|num|number|nummer|codes?|key|uuid|index)$")
_OUTCOMES = re.compile(r"\b(?:churn\w*|target|label|outcome|response|responded|default\w*|exited|attrition\w*|cancelled)\b")
PROTECTED = "a protected trait by its name: counted by segment, and looked at by nothing else"
# Traits that the law protects, such as Charter of Fundamental Rights of the EU, Art. 21.
_PROTECTED = re.compile(
    r"\b(?:gender|sex|geschlecht|sexe|genero|race|ethnic\w*|religion|nationality|disab\w*|orientation|marital\w*)\b"
)
_MONEY = (
    r"total.*(?:spen|charge|amount|revenue|paid|sales)",
    r"revenue|umsatz|turnover|lifetime value|\bclv\b|\bltv\b",
    r"spen[dt]",
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_BELOW, _ABOVE = re.compile(r"(?i)under|below|less|up to|<|unter|bis"), re.compile(r"(?i)over|above|more|\+|>|über|ab\b")
_LADDERS = (
    ("very low", "low", "medium", "middle", "mid", "high", "very high"),
    ("xs", "s", "m", "l", "xl", "xxl"),
    ("small", "medium", "large"),
    ("basic", "standard", "premium"),
    ("bronze", "silver", "gold", "platinum", "diamond"),
    ("never", "rarely", "sometimes", "often", "always"),
)


@dataclass(frozen=True)
class Attribute:
    """An attribute of customers: how it is read and used, and what both rest on; left out where ``type`` is empty."""

    name: str
    column: Profile
    type: str
    said: str
    details: Mapping[str, Any] = field(default_factory=dict)
    use: Mapping[str, Any] = field(default_factory=dict)
    use_said: str = ""

    @property
    def is_binary(self) -> bool:
        """Whether it has two values."""
        return self.column.distinct == 2

    @property
    def is_protected(self) -> bool:
        """Whether it is, by its name, what nobody shall be treated by."""
        return self.type == "category" and bool(_PROTECTED.search(words_of(self.column.name)))

    def used(self, said: str, **options: Any) -> "Attribute":
        """Return the same attribute, used otherwise."""
        return Attribute(self.name, self.column, self.type, self.said, self.details, options, said)


def name_attribute(column: str, taken: Iterable[str]) -> str:
    """Return a column's name as a name of the configuration, other than those taken."""
    plain = words_of(column).translate(_UMLAUTS)
    ascii_words = re.sub(r"[^a-z0-9 ]", "", unicodedata.normalize("NFKD", plain))
    bare = re.sub(r" +", "_", ascii_words.strip()) or "attribute"
    bare = (bare if bare[0].isalpha() else f"a_{bare}")[:55].rstrip("_")
    forbidden = set(taken)
    tried = [bare, f"customer_{bare}", *(f"{bare}_{number}" for number in range(2, len(forbidden) + 3))]
    return next(one for one in tried if one not in forbidden and NAME_PATTERN.fullmatch(one))


def describe_attributes(profiles: Mapping[str, Profile], *, key: str, is_whole: bool, taken: Iterable[str]) -> list[Attribute]:
    """Return every column but the key as an attribute, or as left out with the reason.

    Parameters
    ----------
    is_whole : the sample is the table, so that no level is unseen
    taken : names that no attribute may have
    """
    names = set(taken)
    made = []
    for column in profiles.values():
        if column.name == key:
            continue
        suffix = "_days" if column.kind == "date" else ""
        bare = re.sub(r"(?i)[_ ]?(?:date|datum|day|at)$", "", column.name) if suffix else column.name
        name = name_attribute(f"{bare or column.name}{suffix}", names)
        names.add(name)
        made.append(_describe(name, column, is_whole=is_whole))
    return made


def _describe(name: str, column: Profile, *, is_whole: bool) -> Attribute:
    reason = _reason_against(column)
    if reason:
        return Attribute(name, column, "", reason)
    told = column.told() + (f", {percent(column.missing)} empty" if column.missing > 0 else "")
    if column.kind == "date":
        details = {"format": column.form.pattern} if column.form is not None and not column.form.is_iso else {}
        return Attribute(name, column, "date", f"{told}; it becomes days before as_of", details)
    if column.kind == "number" and not (_IDS.search(words_of(column.name)) and column.is_whole):
        return Attribute(name, column, "number", told)
    levels = [str(one) for one in column.keys.value_counts().index]
    some = ", ".join(levels[:_SHOWN_LEVELS]) + (", ..." if len(levels) > _SHOWN_LEVELS else "")
    told = f"{column.distinct} levels: {some}" + (f"; {percent(column.missing)} empty" if column.missing > 0 else "")
    order = order_levels(levels) if is_whole and column.distinct > 2 else None
    if order is not None:
        empty = f", {percent(column.missing)} empty" if column.missing > 0 else ""
        return Attribute(name, column, "ordinal", f"{column.distinct} levels that have an order{empty}", {"order": order})
    return Attribute(name, column, "category", told)


def _reason_against(column: Profile) -> str:
    """Return why a column is no attribute, nothing where it can be one."""
    words = words_of(column.name)
    if column.filled == 0:
        return "no value at all"
    if column.distinct == 1:
        return "the same value everywhere"
    if _CODES.search(words):
        return "a code or a place, not a quantity"
    is_code = column.kind == "number" and column.is_whole and bool(_IDS.search(words))
    if (column.kind == "text" or is_code) and column.distinct > MOST_LEVELS:
        return f"{column.distinct:,} different values in {column.filled:,}: it tells single customers apart, no groups"
    if column.remove is not None:
        return f"numbers with marks, as {column.raw.dropna().iloc[0]}, which an attribute cannot have"
    if column.is_text and column.kind != "text" and column.read < (1 - _MOST_UNREAD) * column.filled:
        unread = percent(1 - column.read / column.filled)
        return f"{unread} of the values are no {column.kind}, as {column.odd}; leave them empty in the file"
    return ""


def order_levels(levels: Iterable[str]) -> list[str] | None:
    """Return levels in their order, lowest first, where they are bands of numbers or words of a known ladder."""
    texts = list(levels)
    for ladder in _LADDERS:
        if len(texts) > 2 and all(text.lower() in ladder for text in texts):
            return sorted(texts, key=lambda text: ladder.index(text.lower()))
    ranks = {text: _rank(text) for text in texts}
    if len(texts) < 3 or None in ranks.values() or len(set(ranks.values())) < len(texts):
        return None
    rests = {re.sub(r"[\W_]+", "", _NUMBER.sub("", text)).lower() for text in texts}
    if len(rests) > 4 or max(len(one) for one in rests) > 16:
        return None
    return sorted(texts, key=lambda text: ranks[text] or (0.0, 0))


def _rank(text: str) -> tuple[float, int] | None:
    found = _NUMBER.search(text)
    if found is None:
        return None
    place = -1 if _BELOW.search(text) else 1 if _ABOVE.search(text) else 0
    return float(re.sub(r"[.,](?=\d{3})", "", found.group()).replace(",", ".")), place


def use_attributes(attributes: Iterable[Attribute]) -> list[Attribute]:
    """Return the attributes of a table without purchases, each with its part in the clustering."""
    used: list[Attribute] = []
    for one in attributes:
        used.append(_use(one, used))
    if sum("role" not in one.use for one in used) < 2:
        used = [_promote(one) for one in used]
    return used


def _use(one: Attribute, before: list[Attribute]) -> Attribute:
    clustered = [other for other in before if "role" not in other.use]
    if one.is_protected:
        return one.used(PROTECTED, role="audit")
    if _OUTCOMES.search(words_of(one.column.name)):
        return one.used("named as an outcome: shown, not clustered on", role="describe")
    if one.column.missing > 0.5:
        return one.used(f"{percent(one.column.missing)} of the customers have no value", role="describe")
    if one.is_binary:
        return one.used("two values cut the customers in two whatever else they are", role="describe")
    if one.type == "category":
        if one.column.distinct > _MOST_CLUSTERED_LEVELS:
            return one.used(f"{one.column.distinct} levels are many coordinates", role="describe")
        same = _find_same_level(one, clustered)
        if same:
            return one.used(same, role="describe")
        return one.used(f"{one.column.distinct} levels; half the weight of a number", weight=0.5)
    return _use_number(one, clustered)


def _use_number(one: Attribute, clustered: Iterable[Attribute]) -> Attribute:
    if one.type == "ordinal":
        return one.used("its rank is a number")
    values = one.column.values.astype("int64") / 1e9 if one.type == "date" else one.column.values
    options, told = ({}, "") if one.type == "date" else shape_numbers(values)
    for other in clustered:
        if other.type == one.type == "number":
            likeness = abs(float(values.corr(other.column.values, method="spearman")))
            if likeness > _ALIKE:
                twin = f"moves with {other.name} (rank correlation {likeness:.2f})"
                return one.used("; ".join(filter(None, (told, twin))), **options, weight=0.5)
    empty = f"{percent(one.column.missing)} empty: the median, and a coordinate of its own" if one.column.missing > 0 else ""
    days = "a number of days" if one.type == "date" else ""
    return one.used("; ".join(filter(None, (days, told, empty))), **options)


def _find_same_level(one: Attribute, clustered: Iterable[Attribute]) -> str:
    """Return in words which level holds just the customers of a level of another category, nothing without one."""
    for other in clustered:
        if other.type != "category":
            continue
        for level, rows in one.column.keys.value_counts().items():
            twin = other.column.keys[one.column.keys == level].value_counts()
            if len(twin) == 1 and twin.iloc[0] == rows == (other.column.keys == twin.index[0]).sum():
                return f"{level} are the same {rows:,} customers as {other.name} {twin.index[0]}"
    return ""


def _promote(one: Attribute) -> Attribute:
    """Cluster on an attribute with two values where there is little else."""
    is_other = not one.is_binary or one.is_protected or _OUTCOMES.search(words_of(one.column.name)) or one.column.missing > 0.5
    return one if is_other else one.used("there is little else to cluster on", weight=0.5)


def find_revenue(attributes: Iterable[Attribute]) -> Attribute | None:
    """Return the attribute whose name says that it is what a customer spent, None without one."""
    numbers = [one for one in attributes if one.type == "number" and not one.is_binary and float(one.column.values.min()) >= 0]
    for words in _MONEY:
        for one in numbers:
            if re.search(words, words_of(one.column.name)):
                return one
    return None
