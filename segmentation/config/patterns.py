"""Regular expressions and datetime patterns of a configuration: what Java and Python both read alike, and what ends in time."""

import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any

# The parser of Python's own expressions: what a repeat holds is nowhere else to be had without writing one.
codes, parser = import_module("re._constants"), import_module("re._parser")

# Spark matches by Java, which knows none of these or means something else by them.
_PYTHON_ALONE = re.compile(r"\(\?P[<=>]|\(\?\(|\(\?#|\(\?[aiLmsux]*[aL]|\\Z|\\N\{|(?<!\\)\{,\d+\}")
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)
LONGEST = 500
MOST_CHOICES = 20  # each doubles the ways through a text at least


def check_pattern(pattern: str) -> str:
    """Return a regular expression that Java and Python read alike and that no text keeps busy without end.

    Raises
    ------
    ValueError
        If it is none, uses what only one of them knows, or repeats what is itself repeated or a choice: such a pattern
        tries exponentially many ways through a text that does not match.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"a regular expression of at most {LONGEST} characters is expected")
    found = _PYTHON_ALONE.search(pattern)
    if found:
        raise ValueError(f"a regular expression that Java knows as well is expected, {found.group(0)} is not")
    if _opens_within_class(pattern):
        raise ValueError("a regular expression with [ written \\[ within [...] is expected: Java takes it for another class")
    try:
        re.compile(pattern)
        tree = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"a regular expression is expected: {error}") from None
    if _count_choices(tree) > MOST_CHOICES:
        raise ValueError(f"a regular expression of at most {MOST_CHOICES} optional or repeated parts is expected")
    if _is_endless(tree, within=False):
        raise ValueError("a regular expression without a repeat of a repeat or of a choice, as (a+)+ or (a|b)*, is expected")
    return pattern


def check_datetime_pattern(pattern: str) -> str:
    """Return a pattern of Spark's datetime patterns that holds a year at least.

    Raises
    ------
    ValueError
        If it does not: an hour alone would become a day of 1970, and with minutes for months every day is one of January.
    """
    letters = re.sub(r"'[^']*'", "", pattern)
    if "y" not in letters:
        raise ValueError("a datetime pattern with a year (y) is expected, as yyyy-MM-dd HH:mm:ss")
    unknown = sorted(set(re.findall(r"[A-Za-z]", letters)) - set("GyDMLdQqEFahKkHmsSVzOXxZ"))
    if unknown:
        raise ValueError(f"a datetime pattern of Spark is expected, it knows no {', '.join(unknown)}")
    if "m" in letters and not set("HhKk") & set(letters):
        raise ValueError("a datetime pattern with an hour beside minutes (mm) is expected; months are MM")
    if set("hK") & set(letters) and "a" not in letters:  # noon would be midnight
        raise ValueError("a datetime pattern with AM or PM (a) beside hours to 12 (hh) is expected; hours to 23 are HH")
    if "d" in letters and not set("ML") & set(letters):
        raise ValueError("a datetime pattern with a month (MM) beside the day is expected")
    return pattern


def has_zone(pattern: str) -> bool:
    """Say whether a datetime pattern reads a zone or an offset."""
    return bool(set("VzOXxZ") & set(re.sub(r"'[^']*'", "", pattern)))


def _opens_within_class(pattern: str) -> bool:
    """Say whether an unescaped [ or && stands within [...], where Java begins a class of its own."""
    within = escaped = False
    for place, letter in enumerate(pattern):
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif within and (letter == "[" or pattern.startswith("&&", place)):
            return True
        elif letter == "[":
            within = True
        elif letter == "]":
            within = False
    return False


def _count_choices(tree: Iterable[Any]) -> int:
    """Return how many parts there are of which a text may hold more or fewer."""
    found = 0
    for code, argument in tree:
        if code in _REPEATS:
            least, most, body = argument
            found += (least != most) + _count_choices(body)
        elif code is codes.BRANCH:
            found += max(_count_choices(branch) for branch in argument[1])
        elif code is codes.SUBPATTERN:
            found += _count_choices(argument[3])
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            found += _count_choices(argument[1])
    return found


def _is_endless(tree: Iterable[Any], *, within: bool) -> bool:
    """Say whether something unbounded, or a choice, lies within an unbounded repeat."""
    for code, argument in tree:
        if code in _REPEATS:
            _, most, body = argument
            is_long = most == codes.MAXREPEAT or most > 10
            if (within and is_long) or _is_endless(body, within=within or is_long):
                return True
        elif code is codes.BRANCH:
            if within or any(_is_endless(branch, within=within) for branch in argument[1]):
                return True
        elif code is codes.SUBPATTERN:
            if _is_endless(argument[3], within=within):
                return True
        elif code in (codes.ASSERT, codes.ASSERT_NOT) and _is_endless(argument[1], within=within):
            return True
    return False
