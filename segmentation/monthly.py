"""What is done from month to month beside a run: promote, roll back, the model as SQL, and scoring a stream."""

import argparse
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from segmentation.errors import ModelError
from segmentation.log import Log
from segmentation.score_sql import SOURCE, check_sql, read_centers, write_sql
from segmentation.tables import CENTROIDS, COMPONENTS, GRID, PREPARATION, SEGMENTS
from segmentation.warehouse.champions import CHAMPION, find_champion, find_model, promote, roll_back
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.mending import finish_publication

# What a scheduler can branch on, by the first word of the verdict.
EXIT_CODES = {"keep": 0, "re-score": 10, "refit": 11, "new segmentation": 12}
TOLD = {
    "promote": "make a published run the champion",
    "rollback": "take the last promotion back",
    "sql": "print the model of a run as one query",
    "stream": "score what is new in a Delta table of features",
}


def add_options(name: str, command: argparse.ArgumentParser) -> None:
    """Give a command of ``TOLD`` its options."""
    if name == "promote":
        command.add_argument("--run-id", required=True, metavar="ID", help="the run to promote")
    elif name == "rollback":
        command.add_argument("--run-id", metavar="ID", help="do nothing unless this is the champion")
    elif name == "sql":
        command.add_argument("--run-id", default=CHAMPION, metavar="ID", help="run of the model; the champion by default")
        command.add_argument("--source", default=SOURCE, metavar="SQL", help="table or subquery of features to read from")
    else:
        command.add_argument("--source", required=True, metavar="PATH", help="Delta table of features")
        command.add_argument("--checkpoint", required=True, metavar="PATH", help="folder that remembers what was scored")
        command.add_argument("--model", default=CHAMPION, metavar="RUN", help="run of the model; the champion by default")
        command.add_argument("--files-per-batch", type=int, default=1000, metavar="N", help="files of the source per batch")


def needs_spark(name: str) -> bool:
    """Say whether a command scores, and does not only read and write small tables."""
    return name == "stream"


def measure_source(options: argparse.Namespace) -> int | None:
    """Return how much a command reads, counted as ``measure_sources`` does; None where that cannot be known."""
    from segmentation.ingest.files import measure_files

    size = measure_files(options.source) if needs_spark(options.command) else None
    return None if size is None else size // 4


def carry_out(options: argparse.Namespace, lake: Lake, log: Log) -> None:
    """Do what a command of ``TOLD`` asks for, and tell what was done."""
    _COMMANDS[options.command](options, lake, log)


def exit_code_of(verdict: str | None) -> int:
    """Return the exit code of a verdict on drift; 0 where there is none."""
    return EXIT_CODES.get((verdict or "").partition(":")[0], 0)


def _promote(options: argparse.Namespace, lake: Lake, log: Log) -> None:
    with lake.locked("promote"):
        told = promote(lake, options.run_id, at=datetime.now(UTC))
        finish_publication(lake)
    log.tell("promoted", told)


def _roll_back(options: argparse.Namespace, lake: Lake, log: Log) -> None:
    with lake.locked("rollback"):
        told = roll_back(lake, options.run_id, at=datetime.now(UTC))
        finish_publication(lake)
    log.tell("rolled_back", told)


def _tell_sql(options: argparse.Namespace, lake: Lake, log: Log) -> None:
    run_id = find_model(lake, options.run_id)
    rows = {table.name: lake.read_rows(table, run_ids=[run_id]) for table in (GRID, PREPARATION, COMPONENTS, CENTROIDS)}
    check_sql(next((row for row in rows["grid"] if row["is_chosen"]), None), run_id)
    if not rows["preparation"]:
        raise ModelError(f"run {run_id}", expected="rows of the table preparation", found="none; run it again")
    centers = read_centers(rows["centroids"])
    print(write_sql(rows["preparation"], rows["components"], centers, run_id=run_id, source=options.source), end="")


def _stream(options: argparse.Namespace, lake: Lake, log: Log) -> None:
    from segmentation.assign.stream import Frozen, score_stream
    from segmentation.readings import read_constants, read_limits, steps_of
    from segmentation.warehouse.models import load_model

    run_id = find_model(lake, options.model)
    model = read_constants(lake, run_id)
    steps, centers = steps_of(model), model.centers
    segments = sorted(lake.read_rows(SEGMENTS, run_ids=[run_id]), key=lambda row: int(row["segment_id"]))
    limits = read_limits(lake, run_id, segments=len(centers))
    frozen = Frozen(run_id, limits, tuple(row["segment_key"] for row in segments))
    if steps is not None:
        place = frozen.by_steps(steps)
    else:
        place = frozen.by_model(load_model(lake.spark, f"{lake.models}/{run_id}"), centers)
    with lake.locked("stream"):
        how = {"needed": model.columns, "files": options.files_per_batch}
        rows = score_stream(lake, place, options.source, options.checkpoint, **how)
    log.about(run_id=run_id)
    log.tell("streamed", f"{rows:,} rows scored with the model of {run_id}", rows=rows)


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Lake, Log], Any]] = {
    "promote": _promote,
    "rollback": _roll_back,
    "sql": _tell_sql,
    "stream": _stream,
}


def tell_challenger(lake: Lake, run_id: str) -> str | None:
    """Return what to say of a run that was published beside a champion, None where it is shown."""
    champion = find_champion(lake)
    if champion in (None, run_id):
        return None
    return f"{run_id} is a challenger: current_* stay with the champion {champion}; segmentation promote --run-id {run_id}"
