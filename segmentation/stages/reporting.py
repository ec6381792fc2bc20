"""Published tables of a run to its report: a page, and the figures beside it. Floor 3."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.errors import PublishError
from segmentation.lake import Lake
from segmentation.parallel import side_by_side
from segmentation.report.page import draw_report
from segmentation.stages.run import PUBLISHED
from segmentation.store import write_file
from segmentation.tables import (
    ACTIONS,
    ASSIGNMENTS,
    CENTROIDS,
    DECISION,
    EXEMPLARS,
    GRID,
    HISTOGRAMS,
    MAP_AXES,
    PROFILES,
    ROW_COUNTS,
    RUNS,
    SEGMENT_MAP,
    SEGMENT_RULES,
    SEGMENTS,
    TRAITS,
    Table,
)

_SHOWN = (
    *(SEGMENTS, PROFILES, TRAITS, EXEMPLARS, SEGMENT_RULES, ACTIONS, HISTOGRAMS, SEGMENT_MAP, MAP_AXES),
    *(GRID, DECISION, CENTROIDS, ROW_COUNTS),
)
_TOLD = (SEGMENTS, TRAITS, ACTIONS)

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Published:
    """A published run of a warehouse, and the one published before it."""

    lake: Lake
    row: dict[str, Any]
    before: dict[str, Any] | None

    @property
    def run_id(self) -> str:
        return str(self.row["run_id"])


def report_place(lake: Lake, run_id: str) -> str:
    """Return where the page of a run lies: in the warehouse, or beside the models of a catalog schema."""
    return f"{lake.path or lake.models}/reports/{run_id}/report.html"


def find_published(lake: Lake, run_id: str | None) -> Published:
    """Return a published run, the newest where none is asked for.

    Raises
    ------
    PublishError
        If there is no such run, or it is not published.
    """
    rows = [row.asDict() for row in lake.read(RUNS).where(F.col("status") == PUBLISHED).collect()]
    ranked = sorted(rows, key=lambda row: row["published_seq"])
    found = [place for place, row in enumerate(ranked) if run_id in (None, row["run_id"])]
    if not found:
        known = ", ".join(row["run_id"] for row in ranked[-5:]) or "none"
        raise PublishError(f"--run-id {run_id or ''}".strip(), expected="a published run of this warehouse", found=known)
    place = found[-1]
    return Published(lake, ranked[place], ranked[place - 1] if place else None)


def save_report(published: Published) -> str:
    """Draw the report of a run into the warehouse and return where the page lies."""
    report = draw_report(read_shown(published))
    place = report_place(published.lake, published.run_id)
    for name, figure in report.figures.items():
        write_file(published.lake.spark, f"{place.removesuffix('report.html')}{name}.svg", figure.encode())
    write_file(published.lake.spark, place, report.html.encode())
    return place


def read_shown(published: Published) -> dict[str, Rows]:
    """Return all that the report of a run shows, by table name; the run before under ``previous_*`` and ``moves``."""
    names = [table.name for table in _SHOWN]
    work: list[Callable[[], Rows]] = [partial(_collect, published, table) for table in _SHOWN]
    if published.before is not None:
        names += ["moves"]
        work += [partial(_count_moves, published)]
    found = dict(zip(names, side_by_side(published.lake.spark, lambda job: job(), work), strict=True))
    return _part_runs(published, found)


def read_told(published: Published) -> dict[str, Rows]:
    """Return what ``segmentation show`` shows of a run, by table name."""
    found = side_by_side(published.lake.spark, partial(_collect, published), _TOLD)
    return _part_runs(published, {table.name: rows for table, rows in zip(_TOLD, found, strict=True)})


def _part_runs(published: Published, found: dict[str, Rows]) -> dict[str, Rows]:
    segments = found["segments"]
    return {
        **found,
        "runs": [published.row],
        "previous_runs": [published.before] if published.before else [],
        "segments": [row for row in segments if row["run_id"] == published.run_id],
        "previous_segments": [row for row in segments if row["run_id"] != published.run_id],
    }


def _collect(published: Published, table: Table) -> Rows:
    """Return the run's rows of a table, and of ``segments`` those of the run before too; an older run has not every table."""
    lake = published.lake
    if not lake.exists(table):
        return []
    wanted = [published.run_id]
    if table is SEGMENTS and published.before:
        wanted.append(published.before["run_id"])
    return [_fill(row.asDict(), table) for row in lake.read(table).where(F.col("run_id").isin(wanted)).collect()]


def _fill(row: dict[str, Any], table: Table) -> dict[str, Any]:
    """Return a row with every column of today, null where an older table has none."""
    return {**dict.fromkeys(field.name for field in table.columns), **row}


def _count_moves(published: Published) -> Rows:
    """Return customers by their segment in the run and in the one before; null where a run does not know them."""
    assert published.before is not None
    now = _assigned(published.lake, published.run_id, "segment_id")
    then = _assigned(published.lake, published.before["run_id"], "previous_segment_id")
    both = now.join(then, on="customer_id", how="full")
    counted = both.groupBy("segment_id", "previous_segment_id").agg(F.count(F.lit(1)).alias("customers"))
    return [row.asDict() for row in counted.collect()]


def _assigned(lake: Lake, run_id: str, name: str) -> DataFrame:
    return lake.read(ASSIGNMENTS, run_id=run_id).select("customer_id", F.col("segment_id").alias(name))
