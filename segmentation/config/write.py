"""Entries with comments in, the text of a YAML file out."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

_WIDTH = 130
_INDENT = 2
# Begins as no number does, and holds nothing that ends a plain text.
_PLAIN = re.compile(r"(?:\.{1,2}/|/)?[A-Za-z_](?:[\w./ -]*[\w/])?", re.ASCII)
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
# JSON keeps them as they are; in YAML they end a line or are not printable.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


@dataclass(frozen=True)
class Entry:
    """A key with its value, and a comment beside or above it.

    ``value`` is a scalar, a list or a mapping of them, which are written on the line, or a tuple of entries, which are
    written below it. Without a key the comment stands alone.
    """

    key: str
    value: Any = None
    comment: str = ""


def render(entries: Sequence[Entry]) -> str:
    """Return the text of a YAML file."""
    sections = ["\n".join(_lines(one, 0)) for one in entries]
    return "\n\n".join(sections) + "\n"


def _lines(entry: Entry, depth: int) -> Iterator[str]:
    indent = " " * (_INDENT * depth)
    if not entry.key:
        yield from _wrap(entry.comment, indent)
        return
    is_parent = isinstance(entry.value, tuple)
    line = f"{indent}{spell(entry.key)}:" + ("" if is_parent else f" {spell(entry.value)}")
    beside = f"{line}  # {entry.comment}"
    if entry.comment and len(beside) > _WIDTH:
        yield from _wrap(entry.comment, indent)
    yield beside if entry.comment and len(beside) <= _WIDTH else line
    if is_parent:
        for one in entry.value:
            yield from _lines(one, depth + 1)


def _wrap(comment: str, indent: str) -> Iterator[str]:
    mark = f"{indent}# "
    yield from textwrap.wrap(comment, _WIDTH - 10, initial_indent=mark, subsequent_indent=mark, break_long_words=False)


def spell(value: Any) -> str:
    """Return a scalar, a list or a mapping as YAML on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{spell(key)}: {spell(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spell(one) for one in value) + "]"
    if not isinstance(value, str):
        return repr(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    if "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"  # regular expressions stay readable
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(value, ensure_ascii=False))
