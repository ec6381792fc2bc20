"""Patterns of a configuration are read alike by Java and Python, and end in time."""

import pytest

from segmentation.config.patterns import check_datetime_pattern, check_pattern, has_zone


@pytest.mark.parametrize(
    "pattern", [r"\.0$", "^C", r"^(POST|DOT|gift_.*|DCGS.*)$", "[^0-9]+", r"(ab){2,3}x", "(?i)test", r"[\[\]]"]
)
def test_ordinary_patterns_pass(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(x", "missing \\)"),
        ("(?P<id>a)", "that Java knows as well"),
        ("a{,3}", "that Java knows as well"),
        (r"\p{L}", "bad escape"),
        ("[[]", "takes it for another class"),
        ("[a&&b]", "takes it for another class"),
        ("(a+)+$", "without a repeat of a repeat"),
        (r"(\d+,?)*x", "without a repeat of a repeat"),
        ("(ab|abc)*", "without a repeat of a repeat or of a choice"),
        ("a?" * 21 + "a" * 21, "at most 20 optional or repeated parts"),
        (".*" * 21 + "x", "at most 20 optional or repeated parts"),
        ("x" * 501, "at most 500"),
    ],
)
def test_others_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_pattern(pattern)


def test_a_datetime_pattern_holds_a_year() -> None:
    assert check_datetime_pattern("dd/MM/yyyy'T'HH:mm") == "dd/MM/yyyy'T'HH:mm"
    for pattern, message in (
        ("HH:mm", "with a year"),
        ("'y' dd", "with a year"),
        ("yyyy-MM-dd P", "it knows no P"),
        ("dd/MM/yyyy hh:mm", "AM or PM"),
    ):
        with pytest.raises(ValueError, match=message):
            check_datetime_pattern(pattern)
    assert [has_zone(pattern) for pattern in ("yyyy-MM-dd'Z'", "yyyy-MM-dd HH:mmXXX")] == [False, True]
