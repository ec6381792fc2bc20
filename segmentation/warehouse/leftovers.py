"""What killed runs left behind, listed and removed; nothing here touches a published run, nor one that can be resumed."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from segmentation.tables import CHAMPIONS, DROPPED, EVERY, FAILED, LINEAGE, PUBLISHED, RUNNING, RUNS, Rows
from segmentation.warehouse.files import hadoop
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.locks import NAME as LOCK
from segmentation.warehouse.models import UNFINISHED


@dataclass(frozen=True)
class Leftover:
    """What lies where, in words, and how it is put right."""

    place: str
    found: str
    repair: Callable[[], None]


def find_leftovers(lake: Lake) -> list[Leftover]:
    """List what killed runs left; the caller holds the warehouse, so that no run is at work."""
    runs = lake.read_rows(RUNS)
    known = {row["run_id"] for row in runs}
    return [*_dead_runs(lake, runs), *_orphaned_slices(lake, known), *_folders(lake, known)]


def find_old(runs: Rows, *, keep: int, spared: Collection[str]) -> list[str]:
    """Return the published runs beyond the newest ``keep``, oldest first, but for those that are ``spared``."""
    published = sorted((row for row in runs if row["status"] == PUBLISHED), key=lambda row: int(row["published_seq"]))
    return [row["run_id"] for row in published[:-keep] if row["run_id"] not in spared]


def drop_run(lake: Lake, row: dict[str, Any]) -> None:
    """Drop a run, given as its row of ``tables.RUNS``: its rows, model and report; its row and its keys stay.

    First it is marked as dropped, so that a reader never takes half of it for a whole.
    """
    run_id = row["run_id"]
    lake.write_rows([{**row, "status": DROPPED}], RUNS, run_id=run_id)
    for table in EVERY:
        if table not in (RUNS, LINEAGE, CHAMPIONS) and run_id in lake.store.run_ids(table):
            lake.store.delete(table, run_id)
    for path in (f"{lake.models}/{run_id}", f"{lake.path or lake.models}/reports/{run_id}"):
        _remove(lake, path)


def _dead_runs(lake: Lake, runs: Rows) -> Iterator[Leftover]:
    """Yield runs that say they are at work; they become FAILED, and can be resumed as before."""
    for row in runs:
        if row["status"] == RUNNING:
            after = f"after {row['finished_stage']}" if row["finished_stage"] else "in its first stage"
            failed = {**row, "status": FAILED, "failure": f"its process ended {after}"}
            repair = partial(lake.write_rows, [failed], RUNS, run_id=row["run_id"])
            yield Leftover(f"run {row['run_id']}", f"RUNNING, though no process holds the warehouse; it ended {after}", repair)


def _orphaned_slices(lake: Lake, known: set[str]) -> Iterator[Leftover]:
    for table in EVERY:
        for run_id in sorted(lake.store.run_ids(table) - known):
            repair = partial(lake.store.delete, table, run_id)
            yield Leftover(f"{lake.place(table)}, run {run_id}", "rows of a run that runs does not know", repair)


def _folders(lake: Lake, known: set[str]) -> Iterator[Leftover]:
    """Yield models that were never finished, models of runs nobody knows, and reports without a page."""
    for name, path in _list(lake, lake.models):
        if name.endswith(UNFINISHED):
            yield Leftover(path, "a model whose writing was cut short", partial(_remove, lake, path))
        elif name not in known:
            yield Leftover(path, "the model of a run that runs does not know", partial(_remove, lake, path))
    for name, path in _list(lake, f"{lake.path or lake.models}/reports"):
        pages = [inner for inner, _ in _list(lake, path)]
        if "report.html" not in pages or name not in known:
            found = "a report without its page" if name in known else "the report of a run that runs does not know"
            yield Leftover(path, found, partial(_remove, lake, path))


def _list(lake: Lake, folder: str) -> list[tuple[str, str]]:
    """Return name and path of what lies in a folder, where there is one."""
    system, java_path = hadoop(lake.spark, folder)
    if not system.exists(java_path(folder)):
        return []
    names = sorted(str(status.getPath().getName()) for status in system.listStatus(java_path(folder)))
    own = [name for name in names if not name.startswith(LOCK) and (name != "reports" or folder != lake.models)]
    return [(name, f"{folder}/{name}") for name in own]


def _remove(lake: Lake, path: str) -> None:
    system, java_path = hadoop(lake.spark, path)
    system.delete(java_path(path), True)
