"""What every stage knows of its run, what it hands on, and the ``runs`` table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.storagelevel import StorageLevel

import segmentation
from segmentation.clustering.placing import Constants
from segmentation.config.schema import Config
from segmentation.errors import ConfigError, PublishError
from segmentation.frames import Customers
from segmentation.gauge import name_step, named_step
from segmentation.parallel import in_threads, side_by_side
from segmentation.tables import FAILED, PUBLISHED, RUNNING, RUNS, STRING, Rows, Table
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.session import delta_version

_NUMBER_BYTES = 8
_TEXT_BYTES = 32


@dataclass
class Hands:
    """What the stages of one process hand on, so that nothing is read back that is at hand."""

    frames: dict[str, DataFrame] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)
    models: dict[str, PipelineModel] = field(default_factory=dict)  # by run, made or loaded
    tables: dict[str, pa.Table] = field(default_factory=dict)
    constants: dict[str, Constants] = field(default_factory=dict)  # by run
    held: list[DataFrame] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)  # rows by table, of the stage at work


@dataclass(frozen=True)
class Run:
    """One execution: who it is, what it was asked, where it writes, and what is at hand."""

    run_id: str
    config: Config
    lake: Lake
    started_at: datetime
    hands: Hands = field(default_factory=Hands)
    scored_with: str | None = None  # the run whose frozen model scores this one; None fits its own
    taken_from: str | None = None  # the run whose tables and fits this one takes over; None reads the sources

    @property
    def model_run_id(self) -> str:
        """The run whose model places this run's customers."""
        return self.scored_with or self.run_id

    @property
    def model_path(self) -> str:
        """Where the run's model lies."""
        return f"{self.lake.models}/{self.model_run_id}"

    def step(self, step: str) -> None:
        """Say what the Spark jobs from here on are for, in Spark's UI and event log: "grid: k-means"."""
        name_step(self.lake.spark.sparkContext, step)

    def read(self, table: Table) -> DataFrame:
        """Return this run's slice of a table: the frame at hand, else the stored one.

        Raises
        ------
        PublishError
            If an earlier stage has not written it.
        """
        at_hand = self.hands.frames.get(table.name)
        return self.lake.read(table, run_id=self.run_id) if at_hand is None else at_hand

    def read_rows(self, table: Table) -> Rows:
        """Return this run's rows of a small table: those at hand, else the stored ones."""
        at_hand = self.hands.rows.get(table.name)
        return self.lake.read_rows(table, run_ids=[self.run_id]) if at_hand is None else at_hand

    def read_model_rows(self, table: Table) -> Rows:
        """Return the rows of a small table that belong to the model: this run's own, or those of the run it came from."""
        return self.read_rows(table) if self.scored_with is None else self.lake.read_rows(table, run_ids=[self.scored_with])

    def read_former(self, table: Table) -> Rows:
        """Return the rows of a small table of the run that this one is taken from, without the run."""
        assert self.taken_from is not None
        rows = self.lake.read_rows(table, run_ids=[self.taken_from])
        return [{name: value for name, value in row.items() if name != "run_id"} for row in rows]

    def write_rows(self, *outputs: tuple[Iterable[dict[str, Any]], Table]) -> None:
        """Replace this run's slice of each table by rows that the driver made; ``run_id`` is filled in."""
        for rows, table in outputs:
            self.hands.rows[table.name] = [{"run_id": self.run_id, **row} for row in rows]
            self.hands.written[table.name] = len(self.hands.rows[table.name])

        def write(table: Table) -> None:
            self.lake.write_rows(self.hands.rows[table.name], table, run_id=self.run_id)

        def write_by_spark(table: Table) -> None:
            with named_step(self.lake.spark.sparkContext, f"write {table.name}"):
                write(table)

        tables = [table for _, table in outputs]
        if self.lake.is_plain:  # no Spark job is in it
            in_threads(write, tables)
        else:
            side_by_side(self.lake.spark, write_by_spark, tables)

    def write_frame(self, frame: DataFrame, table: Table, *, rows: int | None) -> None:
        """Replace this run's slice of a table by a frame of so many rows (None: any number), and hand it on as written."""
        with named_step(self.lake.spark.sparkContext, f"write {table.name}"):
            self.hands.frames[table.name] = self.lake.write_frame(frame, table, run_id=self.run_id, rows=rows)
        if self.lake.is_plain:  # its log has the number; elsewhere Spark would have to count
            self.hands.written[table.name] = self.lake.store.count(table, self.run_id)

    def write_arrow(self, rows: pa.Table, table: Table) -> None:
        """Replace this run's slice of a table by rows of Arrow."""
        self.lake.replace(rows, table, run_id=self.run_id)
        self.hands.written[table.name] = rows.num_rows

    def take_over(self, table: Table) -> None:
        """Copy the former run's slice of a table as this run's, for the next stage to read."""
        assert self.taken_from is not None
        rows = self.lake.store.count(table, self.taken_from)
        with named_step(self.lake.spark.sparkContext, f"write {table.name}"):
            self.lake.take_over(table, self.taken_from, run_id=self.run_id, rows=rows)
        self.hands.written[table.name] = rows

    def takes_in(self, size: int) -> bool:
        """Say whether rows of so many bytes come into this process: of a score, which then goes on with them here."""
        return self.scored_with is not None and self.lake.is_plain and size <= self.config.clustering.driver_bytes

    def fits(self, rows: int, *, numbers: int) -> bool:
        """Say whether rows with so many numbers each are few enough for this process."""
        return rows * numbers * _NUMBER_BYTES <= self.config.clustering.driver_bytes

    def hold(self, frame: DataFrame) -> DataFrame:
        """Return ``frame`` cached until ``let_go`` or the end of the run."""
        self.hands.held.append(frame.persist(StorageLevel.MEMORY_AND_DISK))
        return frame

    def let_go(self, *, but: Customers | None = None) -> None:
        """Drop every cached frame, or all ``but`` one."""
        for frame in self.hands.held:
            if frame is not but:
                frame.unpersist()
        self.hands.held[:] = [frame for frame in self.hands.held if frame is but]


def row_bytes(table: Table) -> int:
    """Return the bytes of a row in this process; an id or a level counts as a text of usual length."""
    return sum(_TEXT_BYTES if one.type == STRING else _NUMBER_BYTES for one in table.columns)


def read_run(run: Run) -> dict[str, Any] | None:
    """Return the run's row of ``runs``, None before its first stage."""
    return next(iter(run.read_rows(RUNS)), None)


def begin_run(run: Run) -> dict[str, Any]:
    """Return the run's row, written as RUNNING unless it is published: then it stays current until published again.

    Raises
    ------
    PublishError
        If the run is published from another configuration.
    """
    known = read_run(run)
    if known is not None and known["status"] == PUBLISHED:
        _check_same(run, known, config_hash=run.config.fingerprint(), scored_with=run.scored_with)
        check_k(run, known)
        return known
    run.write_rows(([facts_of(run)], RUNS))
    return run.read_rows(RUNS)[0]


def check_k(run: Run, known: Mapping[str, Any]) -> None:
    """Refuse to fit a published run again with another K, before any of its tables is written.

    Raises
    ------
    PublishError
    """
    if known["status"] == PUBLISHED and run.scored_with is None and known["k"] != 1:  # a single segment is not the rule's K
        _check_same(run, known, k=run.config.k or known.get("rule_k") or known["k"])


def note(run: Run, **facts: Any) -> None:
    """Add facts to the run's row.

    Raises
    ------
    PublishError
        If the run is published with other facts.
    """
    known = check_begun(run)
    if known["status"] == PUBLISHED:
        _check_same(run, known, **facts)
    else:
        run.write_rows(([known | facts], RUNS))


def end_stage(run: Run, stage: str) -> None:
    """Write down that a stage has ended, for a run to be resumed after it; a published run has ended them all."""
    known = check_begun(run)
    if known["status"] != PUBLISHED:
        run.write_rows(([known | {"status": RUNNING, "finished_stage": stage, "failure": None}], RUNS))


def fail_run(run: Run, stage: str, why: str) -> None:
    """Write down that a run failed and why, if it has begun; one that is published stays so."""
    known = read_run(run)
    if known is not None and known["status"] != PUBLISHED:
        run.write_rows(([known | {"status": FAILED, "failure": f"{stage}: {why}"}], RUNS))


def find_unfinished(lake: Lake, config: Config, run_id: str | None) -> tuple[str, str | None]:
    """Return the run to resume, the newest unpublished one of this configuration where none is asked for, and its last stage.

    Raises
    ------
    PublishError
        If there is none, or the one asked for is published.
    """
    rows = [row for row in lake.read_rows(RUNS) if run_id in (None, row["run_id"]) and row.get("scored_with") is None]
    fitting = [row for row in rows if row["status"] != PUBLISHED and (run_id or row["config_hash"] == config.fingerprint())]
    if not fitting:
        found = "a published one" if run_id and rows else "none"
        raise PublishError(
            f"--resume {run_id or ''}".strip(), expected="a run of this configuration that did not end", found=found
        )
    newest = max(fitting, key=lambda row: (row["started_at"], row["run_id"]))
    return newest["run_id"], newest["finished_stage"]


def _check_same(run: Run, known: Mapping[str, Any], **facts: Any) -> None:
    for what, found in facts.items():
        if known.get(what) != found:  # a table of an earlier version lacks newer columns
            raise PublishError(
                f"--run-id {run.run_id}",
                expected=f"the {what.replace('_', ' ')} it was published with, {str(known.get(what))[:12]}, or a new run id",
                found=str(found)[:12],
            )


def check_begun(run: Run) -> dict[str, Any]:
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


def check_featured(run: Run) -> dict[str, Any]:
    """Return the run's row of ``runs``.

    Raises
    ------
    PublishError
        If the stage ``features`` has not ended.
    """
    known = check_begun(run)
    if known["customers"] is None:
        raise PublishError(f"--run-id {run.run_id}", expected="a run with features", found="none; run features")
    return known


def facts_of(run: Run) -> dict[str, Any]:
    """Return what a row of ``tables.RUNS`` says from its start on; the rest is None."""
    empty: dict[str, Any] = dict.fromkeys(field.name for field in RUNS.columns)
    return empty | {
        "run_id": run.run_id,
        "status": RUNNING,
        "as_of": run.config.as_of,
        "seeds": ",".join(map(str, run.config.clustering.seeds)),
        "rule": run.config.clustering.rule,
        "min_cell": run.config.privacy.min_cell,
        "config_hash": run.config.fingerprint(),
        "scored_with": run.scored_with,
        "spark_version": run.lake.spark.version,
        "delta_version": delta_version(run.lake.spark),
        "package_version": segmentation.__version__,
        "started_at": run.started_at,
    }
