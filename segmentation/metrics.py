"""What a stage of a run took, to a row of ``run_metrics``: rows, seconds, and what Spark did; no Spark job is run for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from segmentation.errors import SegmentationError
from segmentation.gauge import measure_jobs, named_jobs
from segmentation.run import Run, read_run
from segmentation.tables import KEPT, ROW_COUNTS, RUN_METRICS, RUNS

_SOURCES = ("transactions", "customers")


@contextmanager
def measured(run: Run, stage: str, group: str) -> Iterator[dict[str, Any]]:
    """Write down what the block took, whose Spark jobs are those of a group; what was found is in the yielded dict then."""
    run.hands.written.clear()
    figures: dict[str, Any] = {}
    started, cpu = time.monotonic(), time.process_time()
    yield figures
    times = {"seconds": round(time.monotonic() - started, 6), "driver_cpu_seconds": round(time.process_time() - cpu, 6)}
    taken = asdict(measure_jobs(run.lake.spark.sparkContext, group))
    by_spark = taken.pop("rows_written")
    written = sum(rows for name, rows in run.hands.written.items() if name != RUNS.name)
    figures |= {"rows_in": _rows_in(run, stage), "rows_out": written if run.lake.is_plain else by_spark, **times, **taken}
    others = [row for row in run.read_rows(RUN_METRICS) if row["stage"] != stage]
    run.hands.rows[RUN_METRICS.name] = [*others, {"run_id": run.run_id, "stage": stage, "ended_at": datetime.now(UTC), **figures}]
    if run.lake.is_plain:
        _write(run)


@contextmanager
def gathered(run: Run) -> Iterator[None]:
    """In a catalog, where a commit is several Spark jobs, write at the end of the block what all its stages took."""
    try:
        yield
    except BaseException:
        with suppress(SegmentationError):  # a warehouse that cannot be written is what the error tells already
            _write_gathered(run)
        raise
    _write_gathered(run)


def _write_gathered(run: Run) -> None:
    if not run.lake.is_plain and RUN_METRICS.name in run.hands.rows:
        with named_jobs(run.lake.spark.sparkContext, "end"):
            _write(run)


def _write(run: Run) -> None:
    run.write_rows((run.hands.rows[RUN_METRICS.name], RUN_METRICS))


def _rows_in(run: Run, stage: str) -> int | None:
    """Return how many rows a stage worked on, as the tables at hand have it."""
    if stage in ("ingest", "features"):
        counts = run.read_rows(ROW_COUNTS)
        return sum(int(row["rows"]) for row in counts if stage == "ingest" or _is_kept(row))
    known = read_run(run)
    customers: int | None = known["customers"] if known else None
    return customers


def _is_kept(row: dict[str, Any]) -> bool:
    return bool(row["outcome"] == KEPT and row["source"] in _SOURCES)
