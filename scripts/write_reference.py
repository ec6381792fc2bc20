"""Writes docs/tables.md: every table and column, from ``segmentation.tables``, which alone knows them."""

from pathlib import Path

from segmentation.tables import EVERY, Table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tables.md"
_HEAD = """# The tables

Written by `python scripts/write_reference.py` from `segmentation/tables/`; a test holds that it is.

Every table is partitioned by `run_id` and holds all runs. `current_assignments`, `current_segments` and `current_profiles` have
the columns of their table and hold the newest published run only. Times are UTC; money is in the currency of your data; "scaled
units" are those after preparation. Attributes of customers and shares of categories are further columns of `customers` and
`features`.
"""


def describe(table: Table) -> str:
    """Return a table as a section of Markdown."""
    columns = [(f"`{one.name}`", one.type, one.comment.replace("|", "/"), "yes" if one.required else "") for one in table.columns]
    lines = [("Column", "Type", "Meaning and unit", "Never null"), ("---",) * 4, *columns]
    key = f"Key: {', '.join(f'`{name}`' for name in table.key)}." if table.key else "No key."
    told = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.name}\n\n{table.comment} {key}\n\n{told}\n"


def render() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *(describe(table) for table in EVERY)])


if __name__ == "__main__":
    PAGE.write_text(render())
