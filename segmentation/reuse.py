"""A published run of the same sources and the same configuration: which one that is, and its tables taken over.

Rows and features would come out the same again, and for another K the grid too. What is the same is told by the configuration's
fingerprint, the versions, and a stamp of the sources' files; no source is opened for it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import segmentation
from segmentation.config.schema import Config
from segmentation.errors import PublishError
from segmentation.features.checks import OF_COUNTS
from segmentation.features.stage import compare_counts
from segmentation.grid.solve import choose_k_values
from segmentation.grid.stage import take_another_k
from segmentation.ingest.files import stamp_sources
from segmentation.ingest.reasons import OBJECTION
from segmentation.readings import customers_table
from segmentation.run import Run, begin_run, note
from segmentation.tables import (
    CHECKS,
    FEATURES,
    GRID,
    GRID_CENTROIDS,
    KEPT,
    NO_RECORD,
    PUBLISHED,
    QUARANTINE,
    ROW_COUNTS,
    RUNS,
    TRANSACTIONS,
    Table,
)
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.layout import by_run
from segmentation.warehouse.models import has_model

NOTHING = "none"  # what --from calls no run at all


@dataclass(frozen=True)
class Former:
    """The run that another takes over: its rows and features, and where a K is asked for that it fitted, its grid."""

    run_id: str
    has_grid: bool

    @property
    def stages(self) -> dict[str, Callable[[Run], str]]:
        """What is done in place of the stages of these names: each leaves what they leave, for a run cut short to be resumed."""
        taken: dict[str, Callable[[Run], str]] = {"ingest": _take_rows, "features": _take_features}
        return taken | ({"grid": take_another_k} if self.has_grid else {})

    def __str__(self) -> str:
        what = "rows, features and every K fitted" if self.has_grid else "rows and features"
        return f"source files, configuration and versions are unchanged: {what} are taken over from run {self.run_id}"


def find_former(lake: Lake, config: Config, *, run_id: str, asked: str | None, model: str | None) -> Former | None:
    """Return the published run to take over, one with a grid of the K asked for before any other; None to do everything anew.

    Parameters
    ----------
    run_id : of the run to come
    asked : a run, or ``NOTHING``; None is the newest that fits, for a score and where a K is asked for
    model : the run whose model scores; None of a run that trains its own

    Raises
    ------
    PublishError
        If the run asked for does not fit; in one line why.
    """
    if asked == NOTHING or (asked is None and config.k is None and model is None):
        return None
    place, rows = f"--from {asked}", lake.read_rows(RUNS)
    if any(row["run_id"] == run_id for row in rows):  # a run is repeated by doing it again
        if asked is None:
            return None
        raise PublishError(place, expected="a new --run-id", found=run_id)
    published = [row for row in rows if row["status"] == PUBLISHED and asked in (None, row["run_id"])]
    if asked is not None and not published:
        raise PublishError(place, expected="a published run of this warehouse", found="none")
    wanted, found = _Wanted(lake, config, model), None
    for row in sorted(published, key=lambda row: int(row["published_seq"]), reverse=True):
        differs = next(wanted.differences(row), None)
        if differs is not None and asked is not None:
            raise PublishError(place, expected=differs[0], found=f"{differs[1]}; without --from the whole run is done")
        if differs is None:
            has_grid = model is None and config.k is not None and next(wanted.differences_of_grid(row), None) is None
            if has_grid or found is None:
                found = Former(str(row["run_id"]), has_grid)
            if has_grid or model is not None or config.k is None:
                break
    return found


@dataclass(frozen=True)
class _Wanted:
    """What a run must be for another to take it over."""

    lake: Lake
    config: Config
    model: str | None

    @cached_property
    def stamp(self) -> str | None:
        """What the sources' files look like now."""
        return stamp_sources(self.lake.spark, self.config.sources)

    def differences(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what was expected and found of a published row of ``tables.RUNS`` whose rows do not fit, the cheapest first."""
        versions = (segmentation.__version__, self.lake.spark.version)
        if row["config_hash"] != self.config.fingerprint():
            yield f"a run of this configuration ({self.config.fingerprint()[:12]})", str(row["config_hash"])[:12]
        if (row["package_version"], row["spark_version"]) != versions:
            yield f"a run of {versions[0]} on Spark {versions[1]}", f"{row['package_version']} on {row['spark_version']}"
        if self.config.features.category_shares is not None:
            yield from self._differences_of_shares(row)
        if row.get("source_files") is None or self.stamp is None:
            yield "sources whose files can be told to be unchanged", "a table of a catalog, or a run of an earlier version"
        elif row["source_files"] != self.stamp:
            yield "the source files that it read", "other files, sizes or times of change"
        yield from self._differences_of_rows(row)

    def _differences_of_shares(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield whose categories have a column: a run that trains chooses its own, its scores have the same."""
        former = row.get("scored_with") or row["run_id"]
        if self.model is None and row.get("scored_with"):
            yield "a run that chose its own categories", f"a score with those of {former}"
        if self.model is not None and former != self.model:
            yield f"a run with the categories of {self.model}", f"one with those of {former}"

    def _differences_of_rows(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        run_id, lake = row["run_id"], self.lake
        counts = lake.read_rows(ROW_COUNTS, run_ids=[run_id])
        kept = {one["source"]: one["rows"] for one in counts if one["outcome"] == KEPT}
        aside = [one for one in counts if one["outcome"] != KEPT]
        held = {FEATURES: row["customers"], QUARANTINE: sum(one["rows"] for one in aside)}
        held |= {table: kept.get(table.name, 0) for table in _sources_of(self.config)}
        for table, rows in held.items():
            if (found := lake.store.count(table, run_id)) != rows:  # persons were taken out of it
                yield f"its {rows:,} rows of {table.name}", f"{found:,}"
        hidden = sum(one["rows"] for one in aside if one["outcome"] == OBJECTION or one["source"] == "objections")
        records = held[QUARANTINE] - hidden if self.config.privacy.raw_records == "keep" else 0
        is_kept = f"length(raw_record) > {len(NO_RECORD)}"  # whose braces a question cannot hold
        question = f"SELECT count(*) AS rows FROM {{slice}} WHERE {by_run(run_id)} AND {is_kept}"
        if aside and (found := lake.store.query(QUARANTINE, question)[0]["rows"]) != records:
            yield f"{records:,} records as they were read, as privacy.raw_records asks", f"{found:,}"

    def differences_of_grid(self, row: dict[str, Any]) -> Iterator[str]:
        """Yield what keeps the K asked for from being taken from the grid of a run whose rows fit."""
        run_id, lake = row["run_id"], self.lake
        grid = [one for one in lake.read_rows(GRID, run_ids=[run_id]) if one["k"] > 1]
        fitted = {one["k"] for one in lake.read_rows(GRID_CENTROIDS, run_ids=[run_id])}
        needed = set(choose_k_values(self.config.clustering, asked_k=self.config.k, customers=row["customers"]))
        if row.get("scored_with"):
            yield "a score has none"
        if {one["k"] for one in grid} != needed or fitted != needed:
            yield "other K, or centres that were not kept"
        if any(one["smallest_share"] is None for one in grid):  # which the gates would need
            yield "segments smaller than privacy.min_cell, whose shares are not kept"
        if not has_model(lake.spark, f"{lake.models}/{run_id}"):
            yield "no model, which prepares the features"


def _sources_of(config: Config) -> list[Table]:
    """Return the tables of rows kept, of the sources that a configuration has."""
    customers = [customers_table(config.sources.customers)] if config.sources.customers else []
    return [*customers, *([TRANSACTIONS] if config.sources.transactions else [])]


def _take_rows(run: Run) -> str:
    """Take over what ``ingest`` makes."""
    begin_run(run)
    former = run.read_former(RUNS)[0]
    for table in (*_sources_of(run.config), QUARANTINE):
        run.take_over(table)
    counts = run.read_former(ROW_COUNTS)
    run.write_rows((counts, ROW_COUNTS), ([row for row in run.read_former(CHECKS) if row["stage"] == "ingest"], CHECKS))
    note(run, taken_from=run.taken_from, **{name: former[name] for name in ("input_fingerprint", "source_files")})
    rows, kept = sum(row["rows"] for row in counts), sum(row["rows"] for row in counts if row["outcome"] == KEPT)
    return f"{kept:,} of {rows:,} rows kept, {rows - kept:,} set aside, as in {run.taken_from}"


def _take_features(run: Run) -> str:
    """Take over what ``features`` makes; the rows are held against those of the run that is shown now."""
    former = run.read_former(RUNS)[0]
    run.take_over(FEATURES)
    checks = [row for row in run.read_former(CHECKS) if row["check"] not in OF_COUNTS]
    run.write_rows(([*checks, *compare_counts(run)], CHECKS))
    note(run, **{name: former[name] for name in ("customers", "layout_partitions", "category_shares")})
    return f"{former['customers']:,} customers, as in {run.taken_from}"
