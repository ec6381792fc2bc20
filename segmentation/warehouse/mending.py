"""A publication that was cut short is finished before anything else: ``current_*`` follow ``runs``, models come back.

In a catalog ``current_*`` are views and follow by themselves (``views``); the tables of a path are brought to the run here.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from segmentation.errors import PublishError
from segmentation.tables import ASSIGNMENTS, CURRENT, PROFILES, PUBLISHED, RUNS, SEGMENTS, Table
from segmentation.warehouse.champions import find_champion
from segmentation.warehouse.lake import Lake

SHOWN = (ASSIGNMENTS, SEGMENTS, PROFILES)  # what ``CURRENT`` shows of the newest published run


def show_run(lake: Lake, row: dict[str, Any], table: Table) -> None:
    """Make ``current_<table>`` show a run, given as its published row of ``tables.RUNS``, by one commit."""
    lake.copy(table, CURRENT[table.name], run_id=row["run_id"], rows=row["customers"], published_seq=row["published_seq"])


def find_newest(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the newest published of some rows of ``tables.RUNS``."""
    published = [row for row in rows if row["status"] == PUBLISHED]
    return max(published, key=lambda row: int(row["published_seq"]), default=None)


def find_shown(rows: Sequence[dict[str, Any]], *, champion: str | None) -> dict[str, Any] | None:
    """Return which of some rows of ``tables.RUNS`` the ``current_*`` tables show.

    The newest published run; with a champion the newest of its own: the run itself or what was scored with its model.
    """
    return find_newest([row for row in rows if champion in (None, row["run_id"], row.get("scored_with"))])


def finish_if_free(lake: Lake) -> None:
    """Finish what a killed publication left, for a command that only reads: where it may write and no run is at work."""
    if lake.store.exists(RUNS) and (lake.session is not None or _find_stragglers(lake)):
        with suppress(PublishError), lake.locked("a reader that finishes what a killed run left"):
            finish_publication(lake)


def finish_publication(lake: Lake) -> list[str]:
    """Finish what a killed publication left, and say in a line each what was done; the caller holds the warehouse.

    The commit to ``runs`` is the point of no return: after it the ``current_*`` tables are brought to the run.
    """
    done = _bring(lake)
    if lake.session is not None:
        from segmentation.warehouse.models import restore_models

        done += [
            f"model of run {run_id}: put back, its exchange was cut short" for run_id in restore_models(lake.spark, lake.models)
        ]
    return done


def _bring(lake: Lake) -> list[str]:
    """Make ``current_*`` show the run that they are to show, and say in a line each what was done."""
    if lake.has_views:
        from segmentation.warehouse.views import make_views

        return make_views(lake) if _read_shown(lake) is not None else []
    done = []
    for table, newest in _find_stragglers(lake):
        show_run(lake, newest, table)
        done.append(f"{CURRENT[table.name].name}: brought to run {newest['run_id']}, which they were to show")
    return done


def _find_stragglers(lake: Lake) -> list[tuple[Table, dict[str, Any]]]:
    """Return the tables whose current one does not show the run it is to show, and that run's row."""
    newest = _read_shown(lake)
    if newest is None:
        return []
    behind = (table for table in SHOWN if lake.store.published_seq(CURRENT[table.name]) != newest["published_seq"])
    return [(table, newest) for table in behind]


def _read_shown(lake: Lake) -> dict[str, Any] | None:
    return find_shown(lake.read_rows(RUNS), champion=find_champion(lake))
