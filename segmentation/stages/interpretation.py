"""``features``, ``assignments`` and the model to all that describes the segments; then publication. Floor 3."""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from segmentation.clustering.grid import count_partitions
from segmentation.errors import ConfigError, QualityError
from segmentation.exemplars import pseudonymise
from segmentation.lake import delta_version_of
from segmentation.naming import Portrait
from segmentation.parallel import side_by_side
from segmentation.preparation import MISSING_LEVEL
from segmentation.profiles import (
    SegmentSize,
    build_profiles,
    read_sizes,
    summarise_levels,
    summarise_numbers,
)
from segmentation.quality import KEPT
from segmentation.stages.advice import Measured, measure
from segmentation.stages.clustering import choose_ingredients, computed_shares
from segmentation.stages.explanation import (
    ORDER_DIMENSIONS,
    Findings,
    Summary,
    explore,
    find_traits,
    name_all,
    paint_portraits,
)
from segmentation.stages.run import Run, check_begun, publish_run
from segmentation.store import load_model
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
    Table,
)
from segmentation.traits import MOST_TRAITS, Trait, describe_segment, rank_traits

KEY_VARIABLE = "SEGMENTATION_PSEUDONYM_KEY"
_SHORTEST_KEY = 16
_EXPLAINING = (TRAITS, EXEMPLARS, SEGMENT_RULES, ACTIONS, HISTOGRAMS, SEGMENT_MAP, MAP_AXES)


def profile_segments(run: Run) -> str:
    """Describe, name and explain the segments, check that the run's tables agree, and publish it."""
    check_begun(run)
    name_exemplar = exemplar_names(run)
    features = run.read(FEATURES)
    numbers, categories = _described(run)
    numbers += computed_shares(features)
    members = features.join(run.read(ASSIGNMENTS).select("customer_id", "segment_id"), on="customer_id", how="inner")
    members = members.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        customers = features.count()
        work: list[Callable[[], Any]] = [
            partial(_summarise, run, members, numbers, categories, customers),
            partial(load_model, run.lake.spark, run.model_path),
            partial(_read_totals, run),
        ]
        summary, model, totals = side_by_side(run.lake.spark, lambda job: job(), work)
        facts = _audit(run, totals, summary.sizes, customers)
        profiles = build_profiles(summary.rows, summary.levels, numbers=numbers)
        ingredients = choose_ingredients(run, members)
        findings = explore(run, members, summary, model, ingredients=ingredients, shown=numbers, name=name_exemplar)
        traits = find_traits(summary, profiles)
        clustered = [one.name for one in ingredients]
        portraits = paint_portraits(run, summary, traits, clustered)
        measured = measure(run, members, summary, findings.rules, traits, clustered)
    finally:
        members.unpersist()
    run.write(
        (run.frame([vars(row) for row in profiles], PROFILES), PROFILES),
        (run.frame(_segment_rows(run, summary.sizes, traits, portraits), SEGMENTS), SEGMENTS),
        *_explaining_frames(run, traits, findings, measured),
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
    rows = summarise_numbers(members, numbers=asked, revenue=revenue, customers=customers).collect()
    levels = summarise_levels(members, categories=categories, missing=MISSING_LEVEL).collect() if categories else []
    return Summary(rows, levels, tuple(asked), tuple(read_sizes(rows)))


def _tables(run: Run) -> list[Table]:
    sources = run.config.sources
    optional = [(TRANSACTIONS, sources.transactions), (CUSTOMERS, sources.customers)]
    present = [table for table, source in optional if source is not None]
    described = [PROFILES, SEGMENTS, *_EXPLAINING]
    return [*present, FEATURES, GRID, DECISION, STABILITY, CENTROIDS, ASSIGNMENTS, *described, ROW_COUNTS, QUARANTINE]


def _explaining_frames(
    run: Run, traits: Mapping[int, Sequence[Trait]], findings: Findings, measured: Measured
) -> list[tuple[DataFrame, Table]]:
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
    rows: list[tuple[list[dict[str, Any]], Table]] = [
        (ranked, TRAITS),
        ([asdict(one) for one in findings.exemplars], EXEMPLARS),
        (measured.rules, SEGMENT_RULES),
        ([asdict(one) for one in measured.actions], ACTIONS),
        ([asdict(one) for one in findings.bars], HISTOGRAMS),
        (findings.points, SEGMENT_MAP),
        (findings.axes, MAP_AXES),
    ]
    return [(run.frame(own, table), table) for own, table in rows]


def _described(run: Run) -> tuple[list[str], list[str]]:
    """Return the numeric and the categorical features that profiles show."""
    attributes = run.config.sources.customers.attributes if run.config.sources.customers else {}
    texts = [name for name in run.config.features.use if name in attributes and attributes[name].type != "number"]
    return [name for name in run.config.features.use if name not in texts], texts


@dataclass(frozen=True)
class Totals:
    """What the run's other tables say of rows and customers."""

    chosen: list[Row]
    assigned: Row
    verdicts: dict[str, Row]
    counts: list[Row]
    quarantined: int


def _read_totals(run: Run) -> Totals:
    assigned = run.read(ASSIGNMENTS).agg(F.count(F.lit(1)).alias("rows"), F.count_distinct("customer_id").alias("ids"))
    decided = run.read(DECISION).where("gate = 'structure' OR gate = 'rule' AND is_passed")
    return Totals(
        chosen=run.read(GRID).where("is_chosen").collect(),
        assigned=assigned.collect()[0],
        verdicts={row["gate"]: row for row in decided.collect()},
        counts=run.read(ROW_COUNTS).collect(),
        quarantined=run.read(QUARANTINE).count(),
    )


def _audit(run: Run, totals: Totals, sizes: Sequence[SegmentSize], customers: int) -> dict[str, Any]:
    """Return the run's totals, once every customer has one segment and the chosen K agrees.

    Raises
    ------
    QualityError
        If tables of the run contradict each other.
    """
    chosen, found = totals.chosen, totals.assigned
    placed = sum(size.customers for size in sizes)
    if not found["rows"] == found["ids"] == placed == customers:
        raise QualityError(
            "assignments",
            expected=f"each of {customers:,} customers once",
            found=f"{found['rows']:,} rows, {found['ids']:,} customers, {placed:,} of them with features",
        )
    if len(chosen) != 1 or chosen[0]["k"] != len(sizes):
        raise QualityError("grid", expected=f"one chosen K of {len(sizes)}", found=str([row["k"] for row in chosen]))
    rows = sum(row["rows"] for row in totals.counts)
    aside = sum(row["rows"] for row in totals.counts if row["outcome"] != KEPT)
    if totals.quarantined != aside:
        raise QualityError("quarantine", expected=f"{aside:,} rows set aside", found=f"{totals.quarantined:,}")
    versions = {
        name: version
        for name, spec in run.config.sources.declared().items()
        if (version := delta_version_of(run.lake.spark, spec.format, str(spec.path))) is not None
    }
    return {
        "k": chosen[0]["k"],
        "decision": chosen[0]["verdict"].removeprefix("chosen: "),
        "structure": totals.verdicts["structure"]["verdict"],
        "rule_k": totals.verdicts["rule"]["k"],
        "rows_read": rows,
        "rows_kept": rows - aside,
        "rows_set_aside": aside,
        "customers": customers,
        "layout_partitions": run.config.clustering.partitions or count_partitions(customers),
        "source_versions": json.dumps(versions, sort_keys=True),
    }


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
