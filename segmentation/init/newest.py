"""Dates counted by day in, their form and the first day not seen out."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from segmentation.init.columns import Profile
from segmentation.init.days import DayForm, find_form
from segmentation.init.sample import DayCounts

_STRAY_DAYS = 366
_STRAY_SHARE = 0.001


def settle_form(form: DayForm, counts: DayCounts, *, prefers_day_first: bool) -> DayForm:
    """Return the form with day and month in the order that the dates of every row allow."""
    found = find_form(counts.texts, prefers_day_first=prefers_day_first)
    if found is None or found.family is not form.family:
        return form
    return DayForm(
        form.family,
        found.order,
        form.tail,
        found.day_pattern,
        form.is_iso,
        form.has_offset,
        found.is_open or (not counts.is_whole and form.is_open),
    )


def count_dates(counts: DayCounts, form: DayForm | None) -> Counter[date]:
    """Return the rows of each day."""
    if form is None:
        return counts.days
    days: Counter[date] = Counter()
    for text, rows in counts.texts.items():
        if (day := form.read(text)) is not None:
            days[day] += rows
    return days


def find_end(days: Counter[date], *, has_offset: bool, rows: str) -> tuple[date, str]:
    """Return the first day not seen, and what it rests on; single rows far in the future are no end."""
    known = sorted(days)
    total, strays = sum(days.values()), 0
    while len(known) > 1 and (known[-1] - known[-2]).days > _STRAY_DAYS and days[known[-1]] + strays <= _STRAY_SHARE * total:
        strays += days[known.pop()]
    newest = known[-1]
    said = f"the newest date of {rows} is {newest}"
    if strays:
        said += f", but for {strays:,} far later"
    if has_offset:
        return newest + timedelta(days=2), f"{said}, at its own distance from UTC"
    return newest + timedelta(days=1), said


def newest_of(columns: Sequence[Profile]) -> tuple[date, str] | None:
    """Return the day after the newest date of some columns of a sample, None without dates."""
    dated = [(one.values.max().date(), one) for one in columns if one.kind == "date"]
    if not dated:
        return None
    day, column = max(dated, key=lambda pair: pair[0])
    return day + timedelta(days=1), f"the newest date of {column.name} is {day}"
