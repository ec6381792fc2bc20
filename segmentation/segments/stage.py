"""``features``, ``assignments`` and the model to all that describes the segments; then publication."""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from pyspark.sql import DataFrame

from segmentation.clustering.preparation import MISSING_LEVEL
from segmentation.errors import ConfigError, QualityError
from segmentation.grid.stage import check_featured, choose_ingredients, computed_shares, place_members
from segmentation.run import Run, publish_run
from segmentation.segments.advice import Measured, measure
from segmentation.segments.exemplars import pseudonymise
from segmentation.segments.findings import ORDER_DIMENSIONS, Findings, Summary, explore, find_traits, name_all, paint_portraits
from segmentation.segments.naming import Portrait
from segmentation.segments.profiles import SegmentSize, build_profiles, read_sizes, summarise_levels, summarise_numbers
from segmentation.tables import (
    ACTIONS,
    ASSIGNMENTS,
    CENTROIDS,
    CUSTOMERS,
    DECISION,
    EXEMPLARS,
    FEATURES,
    GRID,
    HISTOGRAMS,
    KEPT,
    MAP_AXES,
    PROFILES,
    QUARANTINE,
    ROW_COUNTS,
    SEGMENT_MAP,
    SEGMENT_RULES,
    SEGMENTS,
    STABILITY,
    TRAITS,
    TRANSACTIONS,
    Rows,
    Table,
)
from segmentation.traits import MOST_TRAITS, Trait, describe_segment, rank_traits
from segmentation.warehouse.questions import count_members
from segmentation.warehouse.spark_store import delta_version_of

KEY_VARIABLE = "SEGMENTATION_PSEUDONYM_KEY"
_SHORTEST_KEY = 16
# How far two ways to the same silhouette may lie apart: blocks are float32 in large tables; a sample has an error.
_AGREES, _SAMPLED = 1e-4, 0.01
_EXPLAINING = (TRAITS, EXEMPLARS, SEGMENT_RULES, ACTIONS, HISTOGRAMS, SEGMENT_MAP, MAP_AXES)


def profile_segments(run: Run) -> str:
    """Describe, name and explain the segments, check that the run's tables agree, and publish it."""
    known = check_featured(run)
    name_exemplar = exemplar_names(run)
    numbers, categories = _described(run)
    numbers += computed_shares(known)
    members = place_members(run, known)
    run.let_go(but=members)
    customers = known["customers"]
    summary = _summarise(run, members, numbers, categories, customers)
    facts = _audit(run, known, summary.sizes)
    profiles = build_profiles(summary.rows, summary.levels, numbers=numbers)
    ingredients = choose_ingredients(run, known)
    findings = explore(run, members, summary, ingredients=ingredients, shown=numbers, name=name_exemplar)
    traits = find_traits(summary, profiles)
    clustered = [one.name for one in ingredients]
    portraits = paint_portraits(run, summary, traits, clustered)
    measured = measure(run, members, summary, findings.rules, traits, clustered)
    run.write_rows(
        ([vars(row) for row in profiles], PROFILES),
        (_segment_rows(run, summary.sizes, traits, portraits), SEGMENTS),
        *_explaining_rows(traits, findings, measured),
    )
    publish_run(run, facts=facts, tables=_tables(run), published_at=datetime.now(UTC))
    unknown = sorted({*run.config.segments.names, *run.config.segments.colors} - set(traits))
    ignored = f"; segments {', '.join(map(str, unknown))} of the configuration are not there" if unknown else ""
    return f"{len(summary.sizes)} segments of {customers:,} customers published{ignored}"


def exemplar_names(run: Run) -> Callable[[str], str] | None:
    """Return what an exemplar is called by its id, None for no exemplars.

    Raises
    ------
    ConfigError
        If the key of the pseudonyms is too short to be one.
    """
    policy = run.config.segments.exemplars
    if policy != "pseudonyms":
        return str if policy == "ids" else None
    # Without a key of the user's, one that nobody keeps: the pseudonyms of two runs have nothing in common.
    given = os.environ.get(KEY_VARIABLE)
    if given is not None and len(given) < _SHORTEST_KEY:
        raise ConfigError(KEY_VARIABLE, expected=f"at least {_SHORTEST_KEY} characters", found=f"{len(given)}")
    return partial(pseudonymise, key=given.encode() if given else secrets.token_bytes(32))


def _summarise(run: Run, members: DataFrame, numbers: list[str], categories: list[str], customers: int) -> Summary:
    extra = [] if run.config.sources.transactions is None else [name for name in ORDER_DIMENSIONS if name not in numbers]
    revenue = run.config.revenue_feature
    # Profiles show the features that are switched on; those come first.
    asked = [*numbers, *extra, *([revenue] if revenue and revenue not in (*numbers, *extra) else [])]
    rows = summarise_numbers(members, numbers=asked, revenue=revenue, customers=customers)
    levels = summarise_levels(members, categories=categories, missing=MISSING_LEVEL).collect() if categories else []
    return Summary(rows, levels, tuple(asked), tuple(read_sizes(rows)))


def _tables(run: Run) -> list[Table]:
    sources = run.config.sources
    optional = [(TRANSACTIONS, sources.transactions), (CUSTOMERS, sources.customers)]
    present = [table for table, source in optional if source is not None]
    described = [PROFILES, SEGMENTS, *_EXPLAINING]
    return [*present, FEATURES, GRID, DECISION, STABILITY, CENTROIDS, ASSIGNMENTS, *described, ROW_COUNTS, QUARANTINE]


def _explaining_rows(traits: Mapping[int, Sequence[Trait]], findings: Findings, measured: Measured) -> list[tuple[Rows, Table]]:
    ranked = [
        {
            "segment_id": segment,
            "rank": rank,
            "feature": trait.feature,
            "segment_value": trait.own,
            "population_value": trait.population,
            "effect": trait.effect,
            "lift": trait.lift,
            "kind": trait.kind,
        }
        for segment, own in traits.items()
        for rank, trait in enumerate(rank_traits(own)[:MOST_TRAITS], start=1)
    ]
    return [
        (ranked, TRAITS),
        ([asdict(one) for one in findings.exemplars], EXEMPLARS),
        (measured.rules, SEGMENT_RULES),
        ([asdict(one) for one in measured.actions], ACTIONS),
        ([asdict(one) for one in findings.bars], HISTOGRAMS),
        (findings.points, SEGMENT_MAP),
        (findings.axes, MAP_AXES),
    ]


def _described(run: Run) -> tuple[list[str], list[str]]:
    """Return the numeric and the categorical features that profiles show."""
    attributes = run.config.sources.customers.attributes if run.config.sources.customers else {}
    texts = [name for name in run.config.features.use if name in attributes and attributes[name].type != "number"]
    return [name for name in run.config.features.use if name not in texts], texts


def _audit(run: Run, known: dict[str, Any], sizes: Sequence[SegmentSize]) -> dict[str, Any]:
    """Return the run's totals, once what lies in the tables agrees: rows, customers, K and the silhouette.

    Raises
    ------
    QualityError
        If tables of the run contradict each other.
    """
    customers, lake = known["customers"], run.lake
    stored = {table.name: lake.store.count(table, run.run_id) for table in _big_tables(run)}
    placed = {size.segment_id: size.customers for size in sizes}
    ids, sizes_stored = count_members(lake.reader(customers), run.run_id)
    if not (sizes_stored == placed and stored["features"] == stored["assignments"] == ids == customers):
        raise QualityError(
            "assignments",
            expected=f"each of {customers:,} customers once",
            found=f"{stored['assignments']:,} rows, {ids:,} customers, {sum(placed.values()):,} of them with features",
        )
    chosen = [row for row in run.read_rows(GRID) if row["is_chosen"]]
    if len(chosen) != 1 or chosen[0]["k"] != len(sizes):
        raise QualityError("grid", expected=f"one chosen K of {len(sizes)}", found=str([row["k"] for row in chosen]))
    _check_silhouette(chosen[0], known)
    counts = run.read_rows(ROW_COUNTS)
    rows = sum(row["rows"] for row in counts)
    aside = sum(row["rows"] for row in counts if row["outcome"] != KEPT)
    kept = {row["source"]: row["rows"] for row in counts if row["outcome"] == KEPT}
    for name, expected in {"quarantine": aside, **{name: kept.get(name, 0) for name in ("transactions", "customers")}}.items():
        if stored.get(name, expected) != expected:
            raise QualityError(name, expected=f"the {expected:,} rows counted", found=f"{stored[name]:,}")
    verdicts = {row["gate"]: row for row in run.read_rows(DECISION) if row["gate"] == "structure" or row["is_passed"]}
    versions = {
        name: version
        for name, spec in run.config.sources.declared().items()
        if (version := delta_version_of(lake.spark, spec.format, str(spec.path))) is not None
    }
    return {
        "k": chosen[0]["k"],
        "decision": chosen[0]["verdict"].removeprefix("chosen: "),
        "structure": verdicts["structure"]["verdict"],
        "rule_k": verdicts["rule"]["k"],
        "rows_read": rows,
        "rows_kept": rows - aside,
        "rows_set_aside": aside,
        "customers": customers,
        "source_versions": json.dumps(versions, sort_keys=True),
    }


def _big_tables(run: Run) -> list[Table]:
    sources = run.config.sources
    optional = [(TRANSACTIONS, sources.transactions), (CUSTOMERS, sources.customers)]
    return [*(table for table, source in optional if source is not None), FEATURES, ASSIGNMENTS, QUARANTINE]


def _check_silhouette(chosen: dict[str, Any], known: dict[str, Any]) -> None:
    """Hold the silhouette of the grid against that of Spark's ``ClusteringEvaluator`` on the assignments."""
    own, other = chosen["silhouette"], known["spark_silhouette"]
    if own is None or other is None:
        return
    is_sample = known["spark_silhouette_customers"] < known["customers"]
    tolerance = (_SAMPLED if is_sample else _AGREES) + (chosen["silhouette_error"] or 0.0)
    if not abs(own - other) <= tolerance:
        raise QualityError(
            "assignments",
            expected=f"a silhouette of {own:.6f}, as measured in the grid",
            found=f"{other:.6f} by Spark's ClusteringEvaluator",
        )


def _segment_rows(
    run: Run,
    sizes: Sequence[SegmentSize],
    traits: Mapping[int, Sequence[Trait]],
    portraits: Mapping[int, Portrait],
) -> list[dict[str, Any]]:
    looks = name_all(run, portraits)
    customers = sum(size.customers for size in sizes)
    revenue = sum((size.revenue or Decimal(0) for size in sizes), Decimal(0))
    return [
        {
            "segment_id": size.segment_id,
            "segment_name": looks[size.segment_id][0],
            "archetype": portraits[size.segment_id].archetype,
            "color": looks[size.segment_id][1],
            "customers": size.customers,
            "customer_share": size.customers / customers,
            "revenue": size.revenue,
            "revenue_share": float(size.revenue / revenue) if size.revenue is not None and revenue > 0 else None,
            "sets_apart": describe_segment(traits[size.segment_id]),
        }
        for size in sizes
    ]
