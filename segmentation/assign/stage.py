"""``features`` and the model to ``assignments``; ``lineage`` and ``transitions`` beside the run published before."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.assign.assignments import Keys, build_assignments, measure_assignments
from segmentation.assign.beside import add_history, count_moves_here
from segmentation.assign.hidden import guard_matches, guard_reach, guard_transitions
from segmentation.assign.identity import (
    Match,
    Thresholds,
    match_segments,
    name_first,
    overlaps_of,
    repeat_matches,
    spare_keys,
    tell,
)
from segmentation.assign.label import carry, label_again, label_alike, label_own
from segmentation.assign.lineage import find_shifts, lineage_rows, transition_rows
from segmentation.assign.movement import HANDED_ON, Former, count_moves, read_history
from segmentation.clustering.members import Members, evaluate_by_spark, measure_members, measure_points
from segmentation.clustering.placing import read_points
from segmentation.frames import Customers
from segmentation.readings import constants_of, find_members, load_model_of, place_members, read_limits
from segmentation.run import Run, check_featured, note
from segmentation.score_sql import read_centers
from segmentation.small_groups import find_hidden
from segmentation.tables import (
    ASSIGNMENTS,
    CENTROIDS,
    FEATURES,
    LINEAGE,
    PROFILES,
    PUBLISHED,
    REACH,
    RUNS,
    SEGMENTS,
    TRANSITIONS,
    Rows,
)
from segmentation.warehouse.champions import find_champion
from segmentation.warehouse.mending import find_newest, find_shown


def assign_customers(run: Run) -> str:
    """Let the model place every customer, measure how clearly, and say which segment is which of the run before."""
    known = check_featured(run)
    run.step("place customers")
    former = _find_former(run, known)
    stands = former is None and _has_looked_back(run, known)
    looked_at = former.run_id if former else run.run_id if stands else None
    members = _place(run, known, former, looked_at)
    centers = read_centers(run.read_model_rows(CENTROIDS))
    run.step("match with the run before")
    labelled, basis = _label(run, members, former)
    here = _collect(run, known, labelled, looked_at, coordinates=len(centers[0]))
    earlier = _read_earlier(run, looked_at, is_here=here is not None)
    moves = _count_moves(run, former, labelled if here is None else here, earlier) if former else []
    matches = _match(run, known, former, moves, basis=basis, segments=len(centers))
    run.step("measure how clearly customers are placed")
    keys = Keys(tuple(one.key for one in matches if one.segment_id is not None), _day(run, known))
    measured = _measure(members, len(centers))
    limits = read_limits(run.lake, run.scored_with, segments=len(centers)) if run.scored_with else None
    how: dict[str, Any] = {"members": measured, "keys": keys, "run_id": run.run_id, "limits": limits}
    reach = _write_assignments(run, members if here is None else here, earlier, centers, how, is_own=stands)
    min_cell = run.config.privacy.min_cell
    hidden = find_hidden({row["segment_id"]: row["customers"] for row in reach}, min_cell)
    transitions: Rows = []
    if former is not None:
        matches = guard_matches(matches, overlaps_of(moves, basis=str(basis)), former, hidden=hidden, min_cell=min_cell)
        lost = ({keys.of[one] for one in hidden}, {former.keys[one] for one in former.hidden})
        transitions = transition_rows(moves, former, keys=keys.of, basis=basis)
        transitions = guard_transitions(transitions, hidden=lost[0], former_hidden=lost[1], min_cell=min_cell)
    shifts = find_shifts(matches, former, _centers_of(run, run.run_id), *_of_former(run, former))
    lineage = lineage_rows(matches, former, basis=basis, shifts=shifts)
    run.write_rows(
        *([] if stands else [(lineage, LINEAGE), (transitions, TRANSITIONS)]),
        (guard_reach([{**row, "segment_key": keys.of[row["segment_id"]]} for row in reach], hidden), REACH),
    )
    if run.scored_with:  # the silhouette judges a choice of K, and none was made
        return f"{known['customers']:,} customers scored with the model of {run.scored_with}"
    run.step("silhouette by ClusteringEvaluator")
    silhouette, evaluated = evaluate_by_spark(
        _predicted(place_members(run, known)), customers=known["customers"], segments=len(centers)
    )
    note(run, spark_silhouette=silhouette, spark_silhouette_customers=evaluated)
    changes = [tell(one) for one in matches if one.verdict not in ("first", "survived")]
    return "; ".join([f"{len(centers)} segments", *changes])


def _find_former(run: Run, known: Mapping[str, Any]) -> Former | None:
    """Return the run published before this one, None of the first; a run that is repeated looks back as it did."""
    rows = [row for row in run.lake.read_rows(RUNS) if row["run_id"] != run.run_id and row["status"] == PUBLISHED]
    if known["status"] == PUBLISHED:
        before = {row["previous_run_id"] for row in _own_lineage(run)}
        rows = [row for row in rows if row["run_id"] in before]
    newest = find_newest(rows) if known["status"] == PUBLISHED else find_shown(rows, champion=find_champion(run.lake))
    if newest is None:
        return None
    model_run_id = newest["scored_with"] or newest["run_id"]
    segments = run.lake.read_rows(SEGMENTS, run_ids=[model_run_id, newest["run_id"]])
    reach = {row["segment_id"]: row["distance_p99"] for row in run.lake.read_rows(REACH, run_ids=[model_run_id])}
    if None in reach.values():  # of segments too small to be shown, whose customers tell it
        limits = read_limits(run.lake, model_run_id, segments=max(reach) + 1)
        reach = {segment: limits[segment] if far is None else far for segment, far in reach.items()}
    return Former(
        newest["run_id"],
        model_run_id,
        {row["segment_id"]: row["segment_key"] for row in segments if row["run_id"] == model_run_id},
        reach,
        frozenset(row["segment_id"] for row in segments if row["run_id"] == newest["run_id"] and row["customers"] is None),
    )


def _place(run: Run, known: dict[str, Any], former: Former | None, looked_at: str | None) -> Customers:
    """Return ``find_members``, as a frame where this process cannot tell what is to be known of the run before."""
    if not _fits(run, known, looked_at, numbers=len(HANDED_ON)):
        return place_members(run, known)
    members = find_members(run, known)
    if isinstance(members, pa.Table) and former is not None and run.scored_with != former.model_run_id:
        before = constants_of(run, former.model_run_id)
        if not before.is_nearest or not before.columns <= set(members.column_names):  # only Spark has all features at hand
            return place_members(run, known)
    return members


def _label(run: Run, members: Customers, former: Former | None) -> tuple[Customers, str | None]:
    """Return customers as this run and the model of the run before place them, and what the two have in common."""
    now = carry(members, revenue=run.config.revenue_feature)
    if former is None:
        return label_own(now), None
    if run.scored_with == former.model_run_id:
        return label_alike(now, is_known=True), "models"
    load = partial(load_model_of, run, former.model_run_id)
    again = label_again(now, constants_of(run, former.model_run_id), load, former.reach)
    return (label_alike(now, is_known=False), "customers") if again is None else (again, "models")


def _collect(
    run: Run, known: Mapping[str, Any], labelled: Customers, looked_at: str | None, *, coordinates: int
) -> pa.Table | None:
    """Return the customers of ``_label`` in this process, None where they, or those to look back at, are too many."""
    if isinstance(labelled, pa.Table):
        return labelled
    return labelled.toArrow() if _fits(run, known, looked_at, numbers=coordinates) else None


def _fits(run: Run, known: Mapping[str, Any], looked_at: str | None, *, numbers: int) -> bool:
    """Say whether the customers, and those to look back at, are few enough for this process."""
    customers = known["customers"]
    if looked_at is not None and run.lake.is_plain:
        customers = max(customers, run.lake.store.count(ASSIGNMENTS, looked_at))
    return run.lake.is_plain and run.fits(customers, numbers=numbers)


def _measure(members: Customers, segments: int) -> list[Members | None]:
    """Return the members of each segment; a Spark job where they are not in this process."""
    if isinstance(members, pa.Table):
        return measure_points(read_points(members), members["segment_id"].to_numpy(), segments)
    return measure_members(_predicted(members), segments)


def _predicted(members: DataFrame) -> DataFrame:
    """Return what Spark's own classes ask for."""
    return members.select("customer_id", "features", F.col("segment_id").alias("prediction"))


def _read_earlier(run: Run, looked_at: str | None, *, is_here: bool) -> Customers | None:
    """Return ``assignments`` of the run to look back at, in this process as its customers are; None without one."""
    if looked_at is None:
        return None
    if is_here:
        return run.lake.read_arrow(ASSIGNMENTS, ("customer_id", "segment_id", *HANDED_ON), run_id=looked_at)
    return run.lake.read(ASSIGNMENTS, run_id=looked_at)


def _count_moves(run: Run, former: Former, labelled: Customers, earlier: Customers) -> Rows:
    """Return the rows of ``movement.count_moves``; a Spark job where the customers are not in this process."""
    revenue = run.config.revenue_feature
    if isinstance(labelled, pa.Table):
        paid = None if revenue is None else run.lake.read_arrow(FEATURES, ("customer_id", revenue), run_id=former.run_id)
        has_paid = paid is not None and revenue in paid.column_names
        return count_moves_here(labelled, earlier, paid if has_paid else None)
    features = run.lake.read(FEATURES, run_id=former.run_id)
    return [row.asDict() for row in count_moves(labelled, earlier, features, revenue=revenue).collect()]


def _write_assignments(
    run: Run,
    placed: Customers,
    earlier: Customers | None,
    centers: list[list[float]],
    how: Mapping[str, Any],
    *,
    is_own: bool,
) -> Rows:
    """Write ``assignments``, with what the run looked back at hands on; return customers and reach of each segment."""
    if isinstance(placed, pa.Table):
        points = placed.select(["customer_id", "point", "segment_id"])
        if earlier is not None:
            points = add_history(points, earlier, is_own=is_own)
        rows = measure_assignments(points, centers, **how)
        run.write_arrow(rows, ASSIGNMENTS)
        return _measure_reach(rows)
    labelled = _predicted(placed)
    if earlier is not None:
        labelled = labelled.join(read_history(earlier, is_own=is_own), on="customer_id", how="left")
    run.write_frame(build_assignments(labelled, centers, **how), ASSIGNMENTS, rows=None)
    return _collect_reach(run.read(ASSIGNMENTS))


def _match(
    run: Run, known: Mapping[str, Any], former: Former | None, moves: Rows, *, basis: str | None, segments: int
) -> list[Match]:
    """Return which segment is which of the run before."""
    if former is None and known["status"] == PUBLISHED:  # repeated; what it looked back at, if anything, was dropped since
        return repeat_matches(_own_lineage(run))
    if run.scored_with:
        return _carry(run)
    if former is None:
        return name_first(segments)
    identity = run.config.identity
    return match_segments(
        overlaps_of(moves, basis=str(basis)),
        former.keys,
        segments=segments,
        spare=_spare_keys(run, known),
        thresholds=Thresholds(identity.survive, identity.part, identity.carry),
    )


def _carry(run: Run) -> list[Match]:
    """Return the segments of a frozen model, which are what they were, whoever is in them."""
    trained = sorted(run.read_model_rows(SEGMENTS), key=lambda row: int(row["segment_id"]))
    return [Match(row["segment_key"], row["segment_id"], "survived", row["segment_key"]) for row in trained]


def _spare_keys(run: Run, known: Mapping[str, Any]) -> Iterator[str]:
    """Return keys that no segment has; a run that is repeated gives those again that it gave."""
    lineage = run.lake.read_rows(LINEAGE)
    taken = {row["segment_key"] for row in lineage if row["run_id"] != run.run_id}
    given = (row for row in lineage if row["run_id"] == run.run_id and row["verdict"] in ("split", "merged", "born"))
    own = {row["segment_key"] for row in given}
    # Where others go on with a key, only the same segments have it again: those of a run that is still published.
    return spare_keys(taken, own=own if known["status"] == PUBLISHED else own - taken)


def _has_looked_back(run: Run, known: Mapping[str, Any]) -> bool:
    """Say whether a run that is repeated had one before it when it was published."""
    return known["status"] == PUBLISHED and any(row["previous_run_id"] for row in _own_lineage(run))


def _own_lineage(run: Run) -> Rows:
    return run.lake.read_rows(LINEAGE, run_ids=[run.run_id])


def _day(run: Run, known: Mapping[str, Any]) -> date:
    started: date = known["started_at"].date()
    return run.config.as_of or started


def _measure_reach(rows: pa.Table) -> Rows:
    segments, distances = rows["segment_id"].to_numpy(), rows["distance"].to_numpy()
    own = {int(one): distances[segments == one] for one in np.unique(segments)}
    return [{"segment_id": one, "customers": len(far), "distance_p99": float(np.quantile(far, 0.99))} for one, far in own.items()]


def _collect_reach(assignments: DataFrame) -> Rows:
    p99 = F.percentile_approx("distance", 0.99, 10_000).alias("distance_p99")
    found = assignments.groupBy("segment_id").agg(F.count("*").alias("customers"), p99)
    return [row.asDict() for row in found.collect()]


def _centers_of(run: Run, run_id: str) -> Rows:
    return run.read_model_rows(CENTROIDS) if run_id == run.run_id else run.lake.read_rows(CENTROIDS, run_ids=[run_id])


def _of_former(run: Run, former: Former | None) -> tuple[Rows, Rows]:
    """Return the former run's centres and profiles."""
    if former is None:
        return [], []
    return _centers_of(run, former.model_run_id), run.lake.read_rows(PROFILES, run_ids=[former.model_run_id])
