"""What is written as YAML is read again as it was."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from segmentation.config.write import Entry, render, spell

SCALARS = [
    "No",
    "on",
    "1",
    "1e5",
    "a: b",
    "a #b",
    "-",
    "",
    " a",
    '"',
    "'",
    r"\.0$",
    "it's \\d",
    "über",
    "\t",
    "\x85",
    "~",
    "2024-01-01",
]


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("value", [*SCALARS, True, 3, 0.5, date(2024, 1, 2), ["a", "b, c"], {"from": "x", "remove": "^C"}])
def test_a_value_is_read_as_it_was(value: Any) -> None:
    assert read(f"key: {spell(value)}") == {"key": value}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"])))
def test_any_text_is_read_as_it_was(text: str) -> None:
    assert read(spell([text, "next"])) == [text, "next"]


def test_comments_stand_beside_short_lines_and_above_long_ones() -> None:
    entries = [Entry("", comment="about"), Entry("a", (Entry("b", 1, "short"), Entry("c", "x", "long " * 40)))]

    text = render(entries)

    assert read(text) == {"a": {"b": 1, "c": "x"}}
    assert text.splitlines()[:4] == ["# about", "", "a:", "  b: 1  # short"]
    assert text.splitlines()[-1] == "  c: x"
    assert max(map(len, text.splitlines())) <= 130
