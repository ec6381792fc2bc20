"""Segments by key and month, as a table in Markdown: python scripts/monthly_keys.py --config FILE --warehouse PATH.

A column is a day (``as_of``): the run shown from then on, which is the challenger where one was promoted. Below the segments
stand those who moved since the run before, why most of them did, and the verdict on drift.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any

from segmentation.config.load import load_config
from segmentation.tables import ASSIGNMENTS, CHAMPIONS, LINEAGE, PUBLISHED, RUNS, SEGMENTS, TRANSITIONS, Rows
from segmentation.warehouse.lake import Lake, open_lake
from segmentation.warehouse.layout import by_run as by_run_id

_STEP, _HEIGHT = 34, 220
_STYLE = "<style>text{font:12px system-ui,sans-serif;fill:#1c2126}@media (prefers-color-scheme:dark){text{fill:#e9edf1}}</style>"
_STILL = ("stayed", "arrived", "left")


def by_run(rows: Rows) -> Mapping[str, Rows]:
    """Return rows by their run."""
    found: dict[str, Rows] = defaultdict(list)
    for row in rows:
        found[row["run_id"]].append(row)
    return found


def _count(customers: int | None) -> str:
    return "few" if customers is None else f"{customers:,}"


def find_months(runs: Rows, promoted: set[str]) -> list[tuple[dict[str, Any] | None, dict[str, Any]]]:
    """Return for each day its score, None of the first, and the run shown from then on."""
    days: dict[Any, Rows] = defaultdict(list)
    for row in sorted(runs, key=lambda one: one["published_seq"] or 0):
        if row["status"] == PUBLISHED and (row["scored_with"] or row["run_id"] in promoted):
            days[row["as_of"]].append(row)
    return [(next((one for one in days[day] if one["scored_with"]), None), days[day][-1]) for day in sorted(days)]


def tell_moves(lake: Lake, run_id: str, moves: Rows) -> str:
    """Return how many moved, by their own rows, for ways of few are not shown; and the commonest reason of the ways that are."""
    question = (
        f"SELECT count(*) AS moved FROM {{slice}} WHERE {by_run_id(run_id)} AND since_runs = 1 AND previous_key IS NOT NULL"
    )
    (found,) = lake.store.query(ASSIGNMENTS, question)
    why: Counter[str] = Counter()
    for row in moves:
        if row["why"] not in _STILL:
            why[row["why"]] += row["customers"] or 0
    return f"{found['moved']:,}, {why.most_common(1)[0][0]}" if why else ""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--warehouse")
    parser.add_argument("--svg", metavar="FILE", help="draw the table as stacked bars, too")
    asked = parser.parse_args()
    lake = open_lake(load_config(asked.config, warehouse=asked.warehouse, is_to_run=False).warehouse, None)
    promoted = {row["run_id"] for row in lake.read_rows(CHAMPIONS)}
    months = find_months(lake.read_rows(RUNS), promoted)
    segments, lineage, moves = (by_run(lake.read_rows(table)) for table in (SEGMENTS, LINEAGE, TRANSITIONS))
    columns = [{row["segment_key"]: row for row in segments[shown["run_id"]]} for _, shown in months]
    days = [(shown["as_of"] - timedelta(days=1)).strftime("%B") for _, shown in months]
    print("| Key | Name | " + " | ".join(days) + " |\n|---|---|" + "--:|" * len(days))
    for key in sorted({key for column in columns for key in column}):
        names = list(dict.fromkeys(column[key]["segment_name"] for column in columns if key in column))
        cells = [_count(column[key]["customers"]) if key in column else "" for column in columns]
        print(f"| {key} | {'; then '.join(names)} | " + " | ".join(cells) + " |")
    told = [
        (
            "moved in the score, and why",
            [tell_moves(lake, score["run_id"], moves[score["run_id"]]) if score else "" for score, _ in months],
        )
    ]
    told.append(("verdict", [(score["drift_verdict"] or "").partition(":")[0] if score else "" for score, _ in months]))
    for title, cells in told:
        print(f"| | {title} | " + " | ".join(cells) + " |")
    for _, shown in months:
        for row in lineage[shown["run_id"]] if shown["scored_with"] is None else []:
            print(f"\n{shown['run_id']}: {row['said']}", end="")
    print()
    if asked.svg:
        Path(asked.svg).write_text(draw(columns, days))


def draw(columns: Sequence[Mapping[str, Any]], days: Sequence[str]) -> str:
    """Return a bar for each month, of customers by key in each segment's colour; the last name stands beside the last bar."""
    keys = sorted({key for column in columns for key in column})
    unit = _HEIGHT / max(sum(row["customers"] or 0 for row in column.values()) for column in columns)
    parts, names = [], []
    for place, (column, day) in enumerate(zip(columns, days, strict=True)):
        left, top = 8 + place * _STEP, 8.0 + _HEIGHT
        for key in (key for key in keys if key in column):
            row = column[key]
            height = float(row["customers"] or 0) * unit
            top -= height
            said = f"{day}: {key} {escape(row['segment_name'])}, {_count(row['customers'])} customers"
            box = f'x="{left}" y="{top:.1f}" width="{_STEP - 6}" height="{height:.1f}" fill="{row["color"]}"'
            parts.append(f"<rect {box}><title>{said}</title></rect>")
            if column is columns[-1]:
                names.append(
                    f'<text x="{left + _STEP}" y="{top + height / 2 + 4:.1f}">{key} {escape(row["segment_name"])}</text>'
                )
        parts.append(f'<text x="{left}" y="{_HEIGHT + 24}">{day[:3]}</text>')
    box = f'viewBox="0 0 {16 + len(days) * _STEP + 230} {_HEIGHT + 32}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="t" {box}><title id="t">Customers by segment</title>'
    )
    return "\n".join([head, _STYLE, *parts, *names, "</svg>\n"])


if __name__ == "__main__":
    main()
