"""Writes docs/tables.md and docs/options.md: every table and every option, from the code that alone knows them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from segmentation.config.schema import Config
from segmentation.config.sources import Section
from segmentation.tables import EVERY, Table

DOCS = Path(__file__).resolve().parent.parent / "docs"
_WRITTEN = "Written by `python scripts/write_reference.py` from `segmentation/{}`; a test holds that it is.\n"
_TABLES = f"""# The tables

{_WRITTEN.format("tables/")}
Every table is partitioned by `run_id` and holds all runs. `current_assignments`, `current_segments` and `current_profiles` have
the columns of their table and hold one published run only: the newest, with a champion the newest of its own; in a catalog they
are views. Times are UTC; money is in the currency of your data; "scaled units" are those after preparation. Attributes of
customers and shares of categories are further columns of `customers` and `features`.
"""
_OPTIONS = f"""# Every option of the YAML

{_WRITTEN.format("config/")}
Unknown keys, doubled keys and values of another type are refused in one line. `*` is any source, `NAME` a name of yours.
Three complete files are in `conf/`.
"""


def describe(table: Table) -> str:
    """Return a table as a section of Markdown."""
    columns = [(f"`{one.name}`", one.type, one.comment.replace("|", "/"), "yes" if one.required else "") for one in table.columns]
    key = f"Key: {', '.join(f'`{name}`' for name in table.key)}." if table.key else "No key."
    return f"## {table.name}\n\n{table.comment} {key}\n\n{_draw(('Column', 'Type', 'Meaning and unit', 'Never null'), columns)}\n"


def list_options(section: type[Section], path: str = "") -> Iterator[tuple[str, FieldInfo, str]]:
    """Yield every option below a section: its path, its field, and what it takes."""
    for name, field in section.model_fields.items():
        place = f"{path}{field.alias or name}"
        inner, key = _inner_section(field.annotation)
        if inner is None:
            yield place, field, _spell(field.annotation) + _bounds(field)
            continue
        place += key
        yield place, field, "a section"
        yield from list_options(inner, f"{place}.")


def _inner_section(annotation: Any) -> tuple[type[Section] | None, str]:
    """Return the section that an annotation holds, and how its place in the path is written."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, ""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _inner_section(arguments[0])
    if origin in (dict, list):
        inner, _ = _inner_section(arguments[-1])
        return inner, ".NAME" if origin is dict else "[]"
    if origin in (Union, UnionType):
        return next((found for one in arguments if (found := _inner_section(one))[0]), (None, ""))
    return None, ""


def _spell(annotation: Any) -> str:
    """Return what values an option takes."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _spell(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_spell(one) for one in arguments if one is not NoneType))
    if origin is list:
        return f"a list of {_spell(arguments[0])}"
    if origin is dict:
        return f"{_spell(arguments[1])} by {_spell(arguments[0])}"
    words = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}
    return words.get(annotation, getattr(annotation, "__name__", "value"))


def _bounds(field: FieldInfo) -> str:
    marks = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [
        f"{word} {value}"
        for one in field.metadata
        for mark, word in marks.items()
        if (value := getattr(one, mark, None)) is not None
    ]
    return f", {' and '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "needed"
    if field.default is None:
        return "none"
    if isinstance(field.default, Section):
        return ""
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _told(field: FieldInfo) -> str:
    inner, _ = _inner_section(field.annotation)
    of_section = (inner.__doc__ or "").split("\n")[0].rstrip(".") if inner else ""
    return (field.description or of_section).replace("|", "\\|").replace("<", "&lt;")


def option_rows() -> list[tuple[str, str, str, str]]:
    """Return a row per option; those of the three sources' common keys once."""
    rows: dict[str, tuple[str, str, str, str]] = {}
    for path, field, takes in list_options(Config):
        parts = path.split(".")
        common = parts[0] == "sources" and len(parts) == 3 and parts[2] not in ("columns", "customer_id", "attributes")
        place = f"sources.*.{parts[2]}" if common else path
        rows.setdefault(place, (f"`{place}`", takes.replace("|", "/"), _default(field), _told(field)))
    return list(rows.values())


def _draw(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *rows))


def render() -> dict[Path, str]:
    """Return each page by where it lies."""
    options = _draw(("Option", "Takes", "Default", "Meaning"), option_rows())
    return {
        DOCS / "tables.md": "\n".join([_TABLES, *(describe(table) for table in EVERY)]),
        DOCS / "options.md": f"{_OPTIONS}\n{options}\n",
    }


if __name__ == "__main__":
    for page, text in render().items():
        page.write_text(text)
