"""Tables of a run, checked against each other, to the current ones: names laid over, one commit, ``current_*`` after it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from segmentation.clustering.points import Array
from segmentation.looks import lay_over
from segmentation.publish.audit import check_members, check_rows, check_silhouette, find_chosen
from segmentation.publish.drift import Placed, drift_rows, find_drift, hide_few, judge_drift
from segmentation.publish.excess import measure_excess
from segmentation.publish.placed import collect_now, collect_then, pick_now, pick_then
from segmentation.publish.pointer import publish_run
from segmentation.readings import constants_of, find_members, place_with, read_described, read_laid_out
from segmentation.run import Run, check_featured
from segmentation.tables import (
    ASSIGNMENTS,
    BORDERS,
    CENTROIDS,
    CHAMPIONS,
    COMPARE,
    COMPONENTS,
    CUSTOMERS,
    DECISION,
    DRIFT,
    EVERY,
    FEATURES,
    GRID,
    GRID_CENTROIDS,
    NEIGHBOURS,
    PREPARATION,
    PUBLISHED,
    QUARANTINE,
    REPRESENTATION,
    ROW_COUNTS,
    RUN_METRICS,
    RUNS,
    SEGMENT_RULES,
    SEGMENTS,
    STABILITY,
    STREAMED_ASSIGNMENTS,
    TRANSACTIONS,
    Rows,
    Table,
)
from segmentation.warehouse.champions import find_champion
from segmentation.warehouse.forgetting import take_out_records
from segmentation.warehouse.leftovers import drop_run, find_old
from segmentation.warehouse.mending import find_shown
from segmentation.warehouse.questions import count_members
from segmentation.warehouse.spark_store import delta_version_of

# What only a run that trains its model fills.
_OF_MODEL = (
    BORDERS,
    CENTROIDS,
    COMPARE,
    COMPONENTS,
    DECISION,
    GRID,
    GRID_CENTROIDS,
    NEIGHBOURS,
    PREPARATION,
    SEGMENT_RULES,
    STABILITY,
)


def publish(run: Run) -> str:
    """Check that the run's tables agree, lay the configuration's names over the segments, and make the run the current one."""
    known = check_featured(run)
    described = read_described(run, SEGMENTS)
    run.step("check the tables against each other")
    facts = _audit(run, known, described)
    looks = run.config.segments
    # A score is called and painted as its model's run.
    segments = described if run.scored_with else lay_over(described, names=looks.names, colors=looks.colors)
    run.step("drift")
    judged = _judge(run, known)
    run.write_rows((judged[1] if judged else [], DRIFT))
    facts["drift_verdict"] = judged[0] if judged else None
    if segments != described:
        run.write_rows((segments, SEGMENTS))
    run.step("publish")
    publish_run(run, facts=facts, tables=_tables(run), published_at=datetime.now(UTC))
    _drop_old(run)
    _take_out_records(run)
    there = {row[name] for row in segments for name in ("segment_id", "segment_key")}
    unknown = sorted(map(str, {*looks.names, *looks.colors} - there))
    is_told = unknown and not run.scored_with
    ignored = f"; segments {', '.join(unknown)} of the configuration are not there" if is_told else ""
    told = f"; {judged[0]}" if judged else ""
    return f"{len(segments)} segments of {known['customers']:,} customers published{ignored}{told}"


def _drop_old(run: Run) -> None:
    """Drop the runs beyond those that the configuration keeps, but for this one, the champion and what is shown."""
    keep, lake = run.config.warehouse.keep_runs, run.lake
    if keep is None:
        return
    rows = {row["run_id"]: row for row in lake.read_rows(RUNS)}
    champion = find_champion(lake)
    shown = find_shown(list(rows.values()), champion=champion)
    used = {row["scored_with"] for row in rows.values() if row["status"] == PUBLISHED}
    spared = {run.run_id, champion, shown["run_id"] if shown else None, *used} - {None}
    for old in find_old(list(rows.values()), keep=keep, spared={str(one) for one in spared}):
        drop_run(lake, rows[old])


def _take_out_records(run: Run) -> None:
    """Take the records of other runs, as they were read, out of quarantine once they are old enough."""
    days = run.config.privacy.raw_records_days
    if days is not None:
        latest = run.started_at - timedelta(days=days)
        rows = run.lake.read_rows(RUNS)
        take_out_records(run.lake, [row["run_id"] for row in rows if row["run_id"] != run.run_id and row["started_at"] <= latest])


def _judge(run: Run, known: dict[str, Any]) -> tuple[str, Rows] | None:
    """Return the verdict on drift and the rows of ``tables.DRIFT``: of a score, or of a challenger beside the champion.

    None where there is nothing to compare with.
    """
    model_run_id = run.scored_with or find_champion(run.lake)
    if model_run_id in (None, run.run_id):
        return None
    assert model_run_id is not None
    model = constants_of(run, model_run_id)
    kinds = {row["source_column"]: row["kind"] for row in model.preparation if row["kind"] != "missing"}
    own = find_members(run, known) if run.scored_with else read_laid_out(run, known)
    if lacking := sorted(set(kinds) - set(own.column_names if isinstance(own, pa.Table) else own.columns)):
        return f"not compared with the champion {model_run_id}: there is no {', '.join(lacking)}", []
    centers = model.centers
    if isinstance(own, pa.Table):
        now, points = pick_now(own, centers, kinds)
    else:
        members = own if run.scored_with else place_with(run, model_run_id, own)
        now, points = collect_now(members, centers, kinds, customers=known["customers"])
    then, before = _read_trained(run, model_run_id, kinds)
    excess = measure_excess(before, points, np.asarray(centers))
    found = find_drift(then, now, segments=len(centers), excess=excess)
    found = hide_few(found, then, now, segments=len(centers), min_cell=run.config.privacy.min_cell)
    return judge_drift(found), [{"model_run_id": model_run_id, **row} for row in drift_rows(found)]


def _read_trained(run: Run, model_run_id: str, kinds: Mapping[str, str]) -> tuple[Placed, Array]:
    """Return the customers of a model's training, where its run placed them, and their points."""
    model, lake = constants_of(run, model_run_id), run.lake
    customers = lake.store.count(ASSIGNMENTS, model_run_id)
    if model.is_nearest and lake.is_plain and run.fits(customers, numbers=len(kinds) + len(model.centers[0])):
        names = ("customer_id", *model.columns)
        features = lake.read_arrow(FEATURES, names, run_id=model_run_id)
        assignments = lake.read_arrow(ASSIGNMENTS, ("customer_id", "segment_id", "distance"), run_id=model_run_id)
        return pick_then(features, assignments, model, kinds)
    frames = [lake.read(table, run_id=model_run_id) for table in (FEATURES, ASSIGNMENTS)]
    return collect_then(place_with(run, model_run_id, frames[0]), frames[1], kinds, customers=customers)


def _tables(run: Run) -> list[Table]:
    """Return the tables that a run of this configuration fills, but ``runs`` itself and what is written after a stage."""
    sources = run.config.sources
    absent = [table for table, source in ((TRANSACTIONS, sources.transactions), (CUSTOMERS, sources.customers)) if source is None]
    absent += [] if run.config.audited else [REPRESENTATION]
    absent += [RUNS, RUN_METRICS, CHAMPIONS, STREAMED_ASSIGNMENTS, *(_OF_MODEL if run.scored_with else ())]
    return [table for table in EVERY if table not in absent]


def _audit(run: Run, known: dict[str, Any], segments: Rows) -> dict[str, Any]:
    """Return the run's totals, once what lies in the tables agrees.

    Raises
    ------
    QualityError
        If tables of the run contradict each other.
    """
    customers, lake = known["customers"], run.lake
    counted = (TRANSACTIONS, CUSTOMERS, FEATURES, ASSIGNMENTS, QUARANTINE)
    stored = {table.name: lake.store.count(table, run.run_id) for table in _tables(run) if table in counted}
    ids, placed = count_members(lake.reader(customers), run.run_id)
    sizes = {row["segment_id"]: row["customers"] for row in segments}
    check_members(customers, rows=stored, ids=ids, placed=placed, sizes=sizes)
    choice = _read_choice(run, known, segments)
    versions = {
        name: version
        for name, spec in run.config.sources.declared().items()
        if (version := delta_version_of(lake.spark, spec.format, spec.paths[0])) is not None
    }
    return {
        **choice,
        **check_rows(run.read_rows(ROW_COUNTS), stored),
        "customers": customers,
        "source_versions": json.dumps(versions, sort_keys=True),
    }


def _read_choice(run: Run, known: dict[str, Any], segments: Rows) -> dict[str, Any]:
    """Return what the run says of K: what its grid chose, or what was chosen for the model that scored it."""
    if run.scored_with:
        row = run.read_model_rows(RUNS)[0]
        return {name: row[name] for name in ("k", "decision", "structure", "rule_k")}
    chosen = find_chosen(run.read_rows(GRID), segments=len(segments))
    check_silhouette(chosen, known)
    verdicts = {row["gate"]: row for row in run.read_rows(DECISION) if row["gate"] == "structure" or row["is_passed"]}
    return {
        "k": chosen["k"],
        "decision": chosen["decision"],
        "structure": verdicts["structure"]["verdict"],
        "rule_k": verdicts["rule"]["k"],
    }
