"""Why a customer is where they are: their numbers beside their segment's and everybody's, from the published tables."""

from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from segmentation.catalogue import label, spell
from segmentation.errors import PublishError
from segmentation.report.stage import Published
from segmentation.report.words import tell_few, text_of
from segmentation.small_groups import NOT_SHOWN
from segmentation.spelling import exact, percent
from segmentation.tables import ASSIGNMENTS, FEATURES, PROFILES, SEGMENT_RULES, SEGMENTS, Rows, Table
from segmentation.warehouse.layout import by_run


def explain_customer(published: Published, customer_id: str) -> Group:
    """Return where a customer of a published run is, how clearly, and by which numbers.

    Raises
    ------
    PublishError
        If the run knows no such customer.
    """
    found = _ask(published, ASSIGNMENTS, customer_id)
    if not found:
        raise PublishError(f"--customer {customer_id}", expected=f"a customer of run {published.run_id}", found="none")
    (assigned,), (features,) = found, _ask(published, FEATURES, customer_id)
    lake, runs = published.lake, [published.run_id]
    segments = {row["segment_id"]: row for row in lake.read_rows(SEGMENTS, run_ids=runs)}
    segment = segments[assigned["segment_id"]]
    profiles = [row for row in lake.read_rows(PROFILES, run_ids=runs) if row["segment_id"] == assigned["segment_id"]]
    rules = [row for row in lake.read_rows(SEGMENT_RULES, run_ids=runs) if row["segment_id"] == assigned["segment_id"]]
    lines = [Text(f"Customer {text_of(customer_id)} is in {_name(segment)}, in run {text_of(published.run_id)}.")]
    runner_up = segments.get(assigned["runner_up_segment_id"])
    if runner_up is not None:
        near, farther = exact(assigned["distance"]), exact(assigned["margin"])
        told = f"Distance to its centre {near}; next is {_name(runner_up)}, {farther} farther"
        lines.append(Text(f"{told} (0 is a tie). Silhouette {exact(assigned['silhouette'])} (1 is clear-cut, 0 a toss-up)."))
    if segment["customers"] is None:
        lines.append(Text(f"Means of its segment are {NOT_SHOWN}: {tell_few(published.row)}."))
    if assigned["previous_key"]:
        lines.append(Text(f"Before it was in {assigned['previous_key']}, until {assigned['changed_at']}."))
    grid = Grid(box=box.SIMPLE_HEAD)
    for title in ("Feature", "Customer", "Segment, mean", "All, mean"):
        grid.add_column(title, justify="left" if title == "Feature" else "right")
    for row in _numbers(profiles, features):
        grid.add_row(*map(Text, row))
    rules.sort(key=lambda row: row["rule"])
    told_rules = [Text(f"Rule {row['rule']} of the segment: {text_of(row['condition'])} ({_precision(row)})") for row in rules]
    return Group(*lines, grid, *told_rules)


def _precision(rule: dict[str, Any]) -> str:
    return NOT_SHOWN if rule["precision"] is None else f"{percent(rule['precision'])} of whom it catches are in it"


def _name(segment: dict[str, Any]) -> str:
    return f"{text_of(segment['segment_name'])} ({segment['segment_key']}, number {segment['segment_id']})"


def _numbers(profiles: Rows, features: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return feature, the customer's value, the segment's mean and that of all, of each number that profiles show."""
    means = {(row["feature"], row["statistic"]): row["value"] for row in profiles}
    names = dict.fromkeys(row["feature"] for row in profiles if "=" not in row["feature"])
    return [
        (
            label(name, {}),
            spell(name, features[name]),
            *(spell(name, means.get((name, one))) for one in ("mean", "population_mean")),
        )
        for name in names
        if name in features
    ]


def _ask(published: Published, table: Table, customer_id: str) -> Rows:
    quoted = customer_id.replace("'", "''").replace("{", "{{").replace("}", "}}")
    return published.lake.store.query(
        table, f"SELECT * FROM {{slice}} WHERE {by_run(published.run_id)} AND customer_id = '{quoted}'"
    )
