"""Published tables of a run to its report: a page, and the figures beside it."""

from dataclasses import dataclass
from typing import Any

from segmentation.errors import PublishError
from segmentation.report.page import draw_report
from segmentation.tables import (
    ACTIONS,
    BORDERS,
    CENTROIDS,
    CHECKS,
    COMPARE,
    DECISION,
    EXEMPLARS,
    GRID,
    HISTOGRAMS,
    LINEAGE,
    MAP_AXES,
    NEIGHBOURS,
    PROFILES,
    PUBLISHED,
    REPRESENTATION,
    ROW_COUNTS,
    RUNS,
    SEGMENT_MAP,
    SEGMENT_RULES,
    SEGMENTS,
    TRAITS,
    TRANSITIONS,
    Rows,
    Table,
)
from segmentation.warehouse.champions import find_champion
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.mending import find_shown

_SHOWN = (
    *(SEGMENTS, PROFILES, TRAITS, EXEMPLARS, SEGMENT_RULES, ACTIONS, HISTOGRAMS, SEGMENT_MAP, MAP_AXES),
    *(REPRESENTATION, GRID, DECISION, BORDERS, COMPARE, NEIGHBOURS, CENTROIDS, ROW_COUNTS, CHECKS, LINEAGE, TRANSITIONS),
)
_OF_MODEL = (GRID, DECISION, BORDERS, COMPARE, NEIGHBOURS, CENTROIDS, SEGMENT_RULES)  # a score has those of its model's run
_TOLD = (SEGMENTS, ACTIONS, CHECKS)


@dataclass(frozen=True)
class Published:
    """A published run of a warehouse, and the one published before it."""

    lake: Lake
    row: dict[str, Any]
    before: dict[str, Any] | None

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self.row["run_id"])


def report_place(lake: Lake, run_id: str) -> str:
    """Return where the page of a run lies: in the warehouse, or beside the models of a catalog schema."""
    return f"{lake.path or lake.models}/reports/{run_id}/report.html"


def find_published(lake: Lake, run_id: str | None) -> Published:
    """Return a published run; where none is asked for, the one that ``current_*`` show.

    Raises
    ------
    PublishError
        If there is no such run, or it is not published.
    """
    if not lake.store.exists(RUNS):
        raise PublishError(lake.place(RUNS), expected="a Delta table", found="none; run the earlier stages first")
    rows = [row for row in lake.read_rows(RUNS) if row["status"] == PUBLISHED]
    ranked = sorted(rows, key=lambda row: row["published_seq"])
    if run_id is None and (shown := find_shown(rows, champion=find_champion(lake))):
        run_id = shown["run_id"]
    found = [place for place, row in enumerate(ranked) if run_id in (None, row["run_id"])]
    if not found:
        known = ", ".join(row["run_id"] for row in ranked[-5:]) or "none"
        raise PublishError(f"--run-id {run_id or ''}".strip(), expected="a published run of this warehouse", found=known)
    row = ranked[found[-1]]
    before = {one["previous_run_id"] for one in lake.read_rows(LINEAGE, run_ids=[row["run_id"]])}
    return Published(lake, row, next((one for one in rows if one["run_id"] in before), None))


def save_report(published: Published) -> str:
    """Draw the report of a run into the warehouse and return where the page lies."""
    report = draw_report(read_shown(published))
    place = report_place(published.lake, published.run_id)
    for name, figure in report.figures.items():
        published.lake.write_file(f"{place.removesuffix('report.html')}{name}.svg", figure.encode())
    published.lake.write_file(place, report.html.encode())
    return place


def read_shown(published: Published) -> dict[str, Rows]:
    """Return all that the report of a run shows, by table name; the run before under ``previous_*``."""
    return _part_runs(published, {table.name: _read(published, table) for table in _SHOWN})


def read_told(published: Published) -> dict[str, Rows]:
    """Return what ``segmentation show`` shows of a run, by table name."""
    return _part_runs(published, {table.name: _read(published, table) for table in _TOLD})


def _part_runs(published: Published, found: dict[str, Rows]) -> dict[str, Rows]:
    segments = found["segments"]
    return {
        **found,
        "runs": [published.row],
        "previous_runs": [published.before] if published.before else [],
        "segments": [row for row in segments if row["run_id"] == published.run_id],
        "previous_segments": [row for row in segments if row["run_id"] != published.run_id],
    }


def _read(published: Published, table: Table) -> Rows:
    """Return the run's rows of a table, and of ``segments`` those of the run before too."""
    of_model = published.row.get("scored_with") if table in _OF_MODEL else None
    wanted = [of_model or published.run_id]
    if table is SEGMENTS and published.before:
        wanted.append(published.before["run_id"])
    return published.lake.read_rows(table, run_ids=wanted)
