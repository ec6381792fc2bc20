"""What every stage knows of its run, and the ``runs`` table. Floor 3."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

import segmentation
from segmentation.config import Config
from segmentation.errors import ConfigError, PublishError
from segmentation.lake import Lake
from segmentation.parallel import side_by_side
from segmentation.session import delta_version
from segmentation.tables import CURRENT, RUNS, Table, conform

RUNNING, PUBLISHED = "RUNNING", "PUBLISHED"


@dataclass(frozen=True)
class Run:
    """One execution: who it is, what it was asked, and where it writes."""

    run_id: str
    config: Config
    lake: Lake
    started_at: datetime

    @property
    def model_path(self) -> str:
        return f"{self.lake.models}/{self.run_id}"

    def read(self, table: Table) -> DataFrame:
        """Return this run's slice of a table.

        Raises
        ------
        PublishError
            If an earlier stage has not written it.
        """
        return self.lake.read(table, run_id=self.run_id)

    def write(self, *outputs: tuple[DataFrame, Table]) -> None:
        """Replace this run's slice of each table."""
        side_by_side(self.lake.spark, lambda output: self.lake.replace_run(*output, run_id=self.run_id), outputs)

    def frame(self, rows: Sequence[dict[str, Any]], table: Table) -> DataFrame:
        """Return a small frame of ``table``'s rows, in one partition; ``run_id`` is filled in."""
        names = [field.name for field in table.columns]
        tuples = [tuple({"run_id": self.run_id, **row}[name] for name in names) for row in rows]
        return self.lake.spark.createDataFrame(tuples, table.schema).coalesce(1).transform(conform, table)


def read_run(run: Run) -> Row | None:
    """Return the run's row of ``runs``, None before its first stage."""
    if not run.lake.exists(RUNS):
        return None
    return run.read(RUNS).first()


def open_run(run: Run) -> Row | None:
    """Make the ``runs`` table where there is none yet, and return the run's row."""
    run.lake.create(RUNS)
    return read_run(run)


def begin_run(run: Run, known: Row | None, *, input_fingerprint: str) -> None:
    """Write the run as RUNNING, unless it is published: then it stays current until it is published again.

    ``known`` is the row of ``open_run``.

    Raises
    ------
    PublishError
        If the run is published from other rows or another configuration.
    """
    if known is None or known["status"] != PUBLISHED:
        run.write((run.frame([_facts(run) | {"input_fingerprint": input_fingerprint}], RUNS), RUNS))
        return
    for what, found in (("input_fingerprint", input_fingerprint), ("config_hash", run.config.fingerprint())):
        if known[what] != found:
            raise PublishError(
                f"--run-id {run.run_id}",
                expected=f"the {what.replace('_', ' ')} it was published with, {known[what][:12]}, or a new run id",
                found=found[:12],
            )


def check_begun(run: Run) -> Row:
    """Return the run's row of ``runs``.

    Raises
    ------
    PublishError
        If ``ingest`` has not begun the run.
    ConfigError
        If it began it with another configuration.
    """
    known = read_run(run)
    if known is None:
        raise PublishError(f"--run-id {run.run_id}", expected="a run that ingest began", found="none")
    if known["config_hash"] != run.config.fingerprint():
        raise ConfigError(
            "--config",
            expected=f"the configuration that run {run.run_id} began with ({known['config_hash'][:12]})",
            found=run.config.fingerprint()[:12],
        )
    return known


def publish_run(run: Run, *, facts: dict[str, Any], tables: Sequence[Table], published_at: datetime) -> None:
    """Check the protocol of ``tables``, publish the run by one commit to ``runs``, then refresh ``current_*``.

    A crash before the commit leaves the former run current; one after it leaves ``current_*`` at the former run,
    whole, until the next publication.
    """
    side_by_side(run.lake.spark, run.lake.check_protocol, tables)
    known = check_begun(run)
    found = side_by_side(run.lake.spark, run.lake.version, tables)
    versions = {table.name: version for table, version in zip(tables, found, strict=True)}
    last = run.lake.read(RUNS).agg(F.max("published_seq")).first()
    row = _facts(run) | {
        **facts,
        "started_at": known["started_at"] if known["status"] == RUNNING else run.started_at,
        "status": PUBLISHED,
        "published_seq": ((last[0] if last else None) or 0) + 1,
        "table_versions": json.dumps(versions, sort_keys=True),
        "input_fingerprint": known["input_fingerprint"],
        "model_path": run.model_path,
        "published_at": published_at,
    }
    run.write((run.frame([row], RUNS), RUNS))
    copied = [table for table in tables if table.name in CURRENT]
    side_by_side(run.lake.spark, lambda table: run.lake.replace_all(run.read(table), CURRENT[table.name]), copied)
    side_by_side(run.lake.spark, run.lake.check_protocol, [RUNS, *(CURRENT[table.name] for table in copied)])


def _facts(run: Run) -> dict[str, Any]:
    empty = dict.fromkeys(field.name for field in RUNS.columns)
    return empty | {
        "run_id": run.run_id,
        "status": RUNNING,
        "as_of": run.config.as_of,
        "seeds": ",".join(map(str, run.config.clustering.seeds)),
        "rule": run.config.clustering.rule,
        "config_hash": run.config.fingerprint(),
        "spark_version": run.lake.spark.version,
        "delta_version": delta_version(),
        "package_version": segmentation.__version__,
        "started_at": run.started_at,
    }
