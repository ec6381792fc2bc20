"""Texts in, the form of the dates among them out, and the days they say."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Order = Literal["day", "month"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR_FIRST = r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})(?!\d)"
_YEAR_LAST = r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2})(?!\d)"
_COMPACT = r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})(?!\d)"
_MONTH_WORD = r"(?P<d>\d{1,2})(?P<sep>[ -])(?P<word>[A-Za-z]{3})(?P=sep)(?P<y>\d{4}|\d{2})(?!\d)"
_FAMILIES = tuple(re.compile(one) for one in (_YEAR_FIRST, _YEAR_LAST, _COMPACT, _MONTH_WORD))
# Hours after the day: as Spark's datetime patterns say it, and what it looks like. Without a pattern Spark reads ISO 8601.
_TAILS = tuple(
    (pattern, re.compile(looks))
    for pattern, looks in (
        ("", r""),
        (" HH:mm", r" \d{2}:\d{2}"),
        (" H:mm", r" \d{1,2}:\d{2}"),
        (" HH:mm:ss", r" \d{2}:\d{2}:\d{2}"),
        (" H:mm:ss", r" \d{1,2}:\d{2}:\d{2}"),
        (" HH:mm:ss.SSS", r" \d{2}:\d{2}:\d{2}\.\d{3}"),
        ("'T'HH:mm", r"T\d{2}:\d{2}"),
        ("'T'HH:mm:ss", r"T\d{2}:\d{2}:\d{2}"),
        (" h:mm a", r" \d{1,2}:\d{2} [AaPp][Mm]"),
        (" h:mm:ss a", r" \d{1,2}:\d{2}:\d{2} [AaPp][Mm]"),
    )
)
_ISO_TAIL = re.compile(r"(?:[ T]\d{1,2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?)?")
_OFFSET = re.compile(r".*[+-]\d{2}:?\d{2}$")
FIRST, LAST = date(1900, 1, 1), date(2200, 1, 1)
MOST_BROKEN = 0.05


@dataclass(frozen=True)
class DayForm:
    """How the dates of a column are written.

    Attributes
    ----------
    family : what a day looks like
    order : which of day and month comes first, where the family leaves it open
    tail : pattern of the hours after the day
    is_iso : Spark reads them without a pattern
    has_offset : they say their distance from UTC
    is_open : every date can be read with the day first and with the month first
    """

    family: re.Pattern[str]
    order: Order
    tail: str
    day_pattern: str
    is_iso: bool
    has_offset: bool
    is_open: bool

    @property
    def pattern(self) -> str:
        """As in Spark's datetime patterns."""
        return self.day_pattern + self.tail

    def day_text(self, text: str) -> str | None:
        """Return the part of a text that says the day."""
        found = self.family.match(text)
        return found.group() if found else None

    def read(self, text: str) -> date | None:
        """Return the day that a text says, None where it says none."""
        found = self.family.match(text)
        return read_day(found, self.order) if found else None


def find_form(counts: Mapping[str, int], *, prefers_day_first: bool) -> DayForm | None:
    """Return how dates are written, None where too few texts are dates of one form.

    Parameters
    ----------
    counts : how often each text occurs
    prefers_day_first : what to take where both day and month may come first and nothing else tells
    """
    total = sum(counts.values())
    for family in _FAMILIES:
        matches = {text: found for text in counts if (found := family.match(text))}
        if not matches or sum(counts[text] for text in matches) < (1 - MOST_BROKEN) * total:
            continue
        tail, is_iso = _find_tail(family, matches)
        if tail is None:
            continue
        order, is_open = _find_order(family, counts, matches, tail, prefers_day_first)
        days = sum(counts[text] for text, found in matches.items() if read_day(found, order) is not None)
        if days >= (1 - MOST_BROKEN) * total:
            has_offset = any(_OFFSET.match(text[found.end() :]) for text, found in matches.items())
            return DayForm(family, order, tail, _day_pattern(matches.values(), order), is_iso, has_offset, is_open)
    return None


def _find_tail(family: re.Pattern[str], matches: Mapping[str, re.Match[str]]) -> tuple[str | None, bool]:
    """Return the pattern of the hours, and whether the whole needs none."""
    tails = [text[found.end() :] for text, found in matches.items()]
    most = MOST_BROKEN * len(tails)

    def reads(looks: re.Pattern[str]) -> bool:
        return sum(not looks.fullmatch(one) for one in tails) <= most

    is_iso = family.pattern == _YEAR_FIRST and all(found["sep"] == "-" for found in matches.values()) and reads(_ISO_TAIL)
    pattern = next((pattern for pattern, looks in _TAILS if reads(looks)), None)
    if pattern and "HH" in pattern and not any(re.match(r"\D?0\d:", one) for one in tails):
        pattern = pattern.replace("HH", "H")  # no hour before ten says whether it would have two digits; H reads both
    return ("" if is_iso and pattern is None else pattern), is_iso


def _find_order(
    family: re.Pattern[str], counts: Mapping[str, int], matches: Mapping[str, re.Match[str]], tail: str, prefers_day_first: bool
) -> tuple[Order, bool]:
    """Return whether the day or the month comes first, and whether the dates leave that open."""
    if family.pattern != _YEAR_LAST:
        return "day", False
    read: dict[Order, list[date]] = {"day": [], "month": []}
    rows: dict[Order, int] = {"day": 0, "month": 0}
    for text, found in matches.items():
        for order, days in read.items():
            if (day := read_day(found, order)) is not None:
                days.append(day)
                rows[order] += counts[text]
    if rows["day"] != rows["month"]:
        return ("day" if rows["day"] > rows["month"] else "month"), False
    if prefers_day_first or any(found["sep"] == "." for found in matches.values()):
        return "day", True
    if tail.endswith("a"):
        return "month", True
    spans = {order: max(days) - min(days) for order, days in read.items() if days}
    return ("month" if spans and spans["month"] < spans["day"] else "day"), True


def read_day(found: re.Match[str], order: Order) -> date | None:
    """Return the day of a match, None where no calendar has it."""
    parts = found.groupdict()
    if "a" in parts:
        day, month = (parts["a"], parts["b"]) if order == "day" else (parts["b"], parts["a"])
    elif "word" in parts:
        word = parts["word"].lower()
        day, month = parts["d"], str(_MONTHS.index(word) + 1) if word in _MONTHS else "0"
    else:
        day, month = parts["d"], parts["m"]
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    try:
        made = date(year, int(month), int(day))
    except ValueError:
        return None
    return made if FIRST <= made < LAST else None


def _day_pattern(matches: Iterable[re.Match[str]], order: Order) -> str:
    """Return the day as in Spark's datetime patterns; two letters where every number has two digits."""
    found = list(matches)
    first = found[0].groupdict()
    if "sep" not in first:
        return "yyyyMMdd"
    numbers = [one[group] for one in found for group in ("a", "b", "d", "m") if group in first]
    # Only a 0 in front says that each number has two digits; one letter reads both.
    times = 2 if min(map(len, numbers)) == 2 and any(one.startswith("0") for one in numbers) else 1
    day, month, year = "d" * times, "M" * times, "y" * max(len(one["y"]) for one in found)
    if "word" in first:
        parts = [day, "MMM", year]
    elif "a" not in first:
        parts = [year, month, day]
    else:
        parts = [day, month, year] if order == "day" else [month, day, year]
    return str(first["sep"]).join(parts)
