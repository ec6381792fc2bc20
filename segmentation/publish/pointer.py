"""One commit to ``runs`` makes a run the current one; ``current_*`` follow: views with it, tables after it."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from segmentation.parallel import side_by_side
from segmentation.redaction import redact
from segmentation.run import Run, check_begun, facts_of
from segmentation.tables import CURRENT, PUBLISHED, RUNS, Table
from segmentation.warehouse.champions import find_champion
from segmentation.warehouse.mending import SHOWN, find_shown, show_run
from segmentation.warehouse.views import make_views


def publish_run(run: Run, *, facts: dict[str, Any], tables: Sequence[Table], published_at: datetime) -> None:
    """Check the protocol of ``tables``, publish the run by one commit to ``runs``, then refresh ``current_*``.

    A crash before the commit leaves the former run current; after one that comes later the next command that opens the
    warehouse brings ``current_*`` to this run (``finish_publication``). Where ``current_*`` are views, they are there before
    the commit, which then is all of the publication.
    """
    spark, store = run.lake.spark, run.lake.store
    side_by_side(spark, store.check_protocol, tables)
    known = check_begun(run)
    found = side_by_side(spark, store.version, tables)
    versions = {table.name: version for table, version in zip(tables, found, strict=True)}
    row = known | {
        **{name: value for name, value in facts_of(run).items() if value is not None},
        **facts,
        "started_at": run.started_at if known["status"] == PUBLISHED else known["started_at"],
        "status": PUBLISHED,
        "finished_stage": "publish",
        "failure": None,
        "published_seq": max((one["published_seq"] or 0 for one in run.lake.read_rows(RUNS)), default=0) + 1,
        "table_versions": json.dumps(versions, sort_keys=True),
        "model_path": redact(run.model_path),
        "published_at": published_at,
    }
    if run.lake.has_views:
        make_views(run.lake)
    run.write_rows(([row], RUNS))
    if run.lake.has_views:
        store.check_protocol(RUNS)
        return
    shown = find_shown(run.lake.read_rows(RUNS), champion=find_champion(run.lake))
    if shown is not None and shown["run_id"] == run.run_id:  # a challenger is published without being shown
        side_by_side(spark, partial(show_run, run.lake, row), SHOWN)
        side_by_side(spark, store.check_protocol, [RUNS, *(CURRENT[table.name] for table in SHOWN)])
