"""The segments in a terminal, and as CSV."""

import csv
import io
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from segmentation.report.words import Row, Rows, Tables, sort_checks, tell_few, text_of
from segmentation.small_groups import NOT_SHOWN
from segmentation.spelling import percent, whole

_SEGMENT_COLUMNS = (
    *("run_id", "segment_id", "segment_key", "segment_name", "archetype", "color", "customers", "customer_share"),
    *("revenue", "revenue_share", "sets_apart"),
)
_ACTION_COLUMNS = (
    *("rank", "action", "advice", "metric", "value", "population_value", "threshold", "threshold_side", "customers"),
    *("revenue", "holdout_customers", "baseline_rate", "lift", "failure_test"),
)
# A spreadsheet runs text that begins so as a formula (CWE-1236), some after blanks or in their full-width forms.
_FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")


def tabulate(tables: Tables) -> Group:
    """Return the segments of a run as a table with the decision below; names are text, never markup."""
    run = tables["runs"][0]
    grid = Table(title=Text(f"Segments of run {text_of(run['run_id'])}"), title_justify="left", box=box.SIMPLE_HEAD)
    for title in ("Segment", "Customers", "Share", "Revenue share", "What sets it apart", "First advice"):
        grid.add_column(title, justify="right" if title in ("Customers", "Share", "Revenue share") else "left")
    for segment in sorted(tables["segments"], key=lambda row: row["segment_id"]):
        advice = _of(tables["actions"], segment)
        grid.add_row(
            Text(f"{segment['segment_id']} {text_of(segment['segment_name'])}"),
            NOT_SHOWN if segment["customers"] is None else whole(segment["customers"]),
            percent(segment["customer_share"]),
            percent(segment["revenue_share"]),
            Text(text_of(segment["sets_apart"])),
            Text(text_of(advice[0]["advice"]) if advice else "none"),
        )
    checks = [Text(f"Look at: {text_of(row['said'])}.") for row in sort_checks(tables["checks"])]
    renamed = [
        Text(f"{text_of(row['segment_name'])} was called {text_of(row['former_name'])}: its nature has changed.")
        for row in tables["segments"]
        if row["former_name"]
    ]
    is_small = any(row["customers"] is None for row in tables["segments"])
    few = [Text(f"{NOT_SHOWN.capitalize()}: {tell_few(run)}.")] if is_small else []
    return Group(grid, *few, Text(text_of(run["decision"])), *renamed, *checks)


def _of(rows: Rows, segment: Row) -> list[Row]:
    return sorted((row for row in rows if row["segment_id"] == segment["segment_id"]), key=lambda row: row["rank"])


def write_csv(tables: Tables) -> str:
    """Return a line per segment and advice, a segment without advice once; text cannot act as a formula."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([*_SEGMENT_COLUMNS, *(f"action_{name}".replace("action_action", "action") for name in _ACTION_COLUMNS)])
    for segment in sorted(tables["segments"], key=lambda row: row["segment_id"]):
        for action in _of(tables["actions"], segment) or [{}]:
            own = [segment[name] for name in _SEGMENT_COLUMNS]
            writer.writerow([neutralise(value) for value in [*own, *(action.get(name) for name in _ACTION_COLUMNS)]])
    return target.getvalue()


def neutralise(value: Any) -> Any:
    """Return text with a ' before it where a spreadsheet would take it for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value
