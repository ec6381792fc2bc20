"""Dates are told from their texts: form, order of day and month, hours."""

from collections import Counter
from datetime import date

import pytest

from segmentation.init.days import find_form
from segmentation.init.newest import find_end

CASES = [
    # texts                                            prefers  pattern                     ISO    first day
    (["2024-01-31", "2024-02-01"], False, "yyyy-MM-dd", True, date(2024, 1, 31)),
    (["2024-01-31 08:00:01", "2024-02-01 10:00:00"], False, "yyyy-MM-dd HH:mm:ss", True, date(2024, 1, 31)),
    (["2024-01-31T08:00:01Z"], False, "yyyy-MM-dd", True, date(2024, 1, 31)),
    (["2024-01-31 08:00"], False, "yyyy-MM-dd HH:mm", False, date(2024, 1, 31)),
    (["2024/1/31", "2024/12/1"], False, "yyyy/M/d", False, date(2024, 1, 31)),
    (["31/01/2024", "01/02/2024"], False, "dd/MM/yyyy", False, date(2024, 1, 31)),
    (["01/31/2024", "02/01/2024"], True, "MM/dd/yyyy", False, date(2024, 1, 31)),
    (["31.1.24 9:05"], False, "d.M.yy H:mm", False, date(2024, 1, 31)),
    (["1/31/24 1:05 PM"], False, "M/d/yy h:mm a", False, date(2024, 1, 31)),
    (["31-Jan-2024", "01-Feb-2024"], False, "dd-MMM-yyyy", False, date(2024, 1, 31)),
    (["20240131"], False, "yyyyMMdd", False, date(2024, 1, 31)),
]


@pytest.mark.parametrize(("texts", "prefers", "pattern", "is_iso", "first"), CASES)
def test_the_form_of_dates_is_found(texts: list[str], prefers: bool, pattern: str, is_iso: bool, first: date) -> None:
    form = find_form(Counter(texts), prefers_day_first=prefers)

    assert form is not None
    assert (form.pattern, form.is_iso, form.read(texts[0])) == (pattern, is_iso, first)
    assert not form.is_open


@pytest.mark.parametrize(
    ("texts", "prefers", "pattern"),
    [
        (["01/03/2024", "02/03/2024", "11/03/2024"], False, "dd/MM/yyyy"),  # eleven days, or nine months
        (["03/01/2024", "03/02/2024", "03/11/2024"], False, "MM/dd/yyyy"),
        (["03/01/2024", "03/02/2024", "03/11/2024"], True, "dd/MM/yyyy"),
    ],
)
def test_dates_that_can_be_read_both_ways_are_said_to_be_open(texts: list[str], prefers: bool, pattern: str) -> None:
    form = find_form(Counter(texts), prefers_day_first=prefers)

    assert form is not None
    assert form.pattern == pattern
    assert form.is_open


@pytest.mark.parametrize("texts", [["a", "b"], ["12", "13"], ["1.5", "2.25"], ["31/31/2024"], ["10:15"], ["2024-01-01 x"]])
def test_other_texts_are_no_dates(texts: list[str]) -> None:
    assert find_form(Counter(texts), prefers_day_first=True) is None


def test_single_dates_in_a_far_future_are_no_end() -> None:
    days = Counter({date(2024, 5, 1): 4000, date(2024, 5, 2): 4000, date(2099, 1, 1): 1})

    end, said = find_end(days, has_offset=False, rows="all 8,001 rows")

    assert end == date(2024, 5, 3)
    assert said == "the newest date of all 8,001 rows is 2024-05-02, but for 1 far later"
