"""``features`` and ``assignments`` to ``profiles`` and ``segments``; then publication. Floor 3."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import functions as F

from segmentation.clustering.grid import count_partitions
from segmentation.errors import QualityError
from segmentation.lake import delta_version_of
from segmentation.naming import Trait, describe_segment, name_segments
from segmentation.preparation import MISSING_LEVEL
from segmentation.profiles import (
    SegmentSize,
    Statistic,
    build_profiles,
    read_sizes,
    summarise_levels,
    summarise_numbers,
)
from segmentation.quality import KEPT
from segmentation.stages.clustering import computed_shares
from segmentation.stages.run import Run, check_begun, publish_run
from segmentation.tables import (
    ASSIGNMENTS,
    CENTROIDS,
    CUSTOMERS,
    DECISION,
    FEATURES,
    GRID,
    PROFILES,
    QUARANTINE,
    ROW_COUNTS,
    SEGMENTS,
    STABILITY,
    TRANSACTIONS,
    Table,
)


def profile_segments(run: Run) -> str:
    """Describe the segments, check that the run's tables agree, and publish it."""
    check_begun(run)
    features = run.read(FEATURES)
    customers = features.count()
    numbers, categories = _described(run)
    numbers += computed_shares(features)
    members = features.join(run.read(ASSIGNMENTS).select("customer_id", "segment_id"), on="customer_id", how="inner")
    revenue = run.config.revenue_feature
    summary = summarise_numbers(members, numbers=numbers, revenue=revenue, customers=customers).collect()
    levels = summarise_levels(members, categories=categories, missing=MISSING_LEVEL).collect() if categories else []
    profiles = build_profiles(summary, levels, numbers=numbers)
    sizes = read_sizes(summary)
    facts = _audit(run, sizes, customers)
    run.write(
        (run.frame([vars(row) for row in profiles], PROFILES), PROFILES),
        (run.frame(_segment_rows(sizes, profiles), SEGMENTS), SEGMENTS),
    )
    publish_run(run, facts=facts, tables=_tables(run), published_at=datetime.now(UTC))
    return f"{len(sizes)} segments of {customers:,} customers published"


def _tables(run: Run) -> list[Table]:
    sources = run.config.sources
    optional = [(TRANSACTIONS, sources.transactions), (CUSTOMERS, sources.customers)]
    present = [table for table, source in optional if source is not None]
    return [*present, FEATURES, GRID, DECISION, STABILITY, CENTROIDS, ASSIGNMENTS, PROFILES, SEGMENTS, ROW_COUNTS, QUARANTINE]


def _described(run: Run) -> tuple[list[str], list[str]]:
    """Return the numeric and the categorical features that profiles show."""
    attributes = run.config.sources.customers.attributes if run.config.sources.customers else {}
    texts = [name for name in run.config.features.use if name in attributes and attributes[name].type != "number"]
    return [name for name in run.config.features.use if name not in texts], texts


def _audit(run: Run, sizes: list[SegmentSize], customers: int) -> dict[str, Any]:
    """Return the run's totals, once every customer has one segment and the chosen K agrees.

    Raises
    ------
    QualityError
        If tables of the run contradict each other.
    """
    chosen = run.read(GRID).where("is_chosen").collect()
    assigned = run.read(ASSIGNMENTS).agg(F.count(F.lit(1)).alias("rows"), F.count_distinct("customer_id").alias("ids"))
    found = assigned.collect()[0]
    placed = sum(size.customers for size in sizes)
    if not found["rows"] == found["ids"] == placed == customers:
        raise QualityError(
            "assignments",
            expected=f"each of {customers:,} customers once",
            found=f"{found['rows']:,} rows, {found['ids']:,} customers, {placed:,} of them with features",
        )
    if len(chosen) != 1 or chosen[0]["k"] != len(sizes):
        raise QualityError("grid", expected=f"one chosen K of {len(sizes)}", found=str([row["k"] for row in chosen]))
    verdicts = {
        row["gate"]: row for row in run.read(DECISION).where("gate = 'structure' OR gate = 'rule' AND is_passed").collect()
    }
    counts = run.read(ROW_COUNTS).collect()
    aside = sum(row["rows"] for row in counts if row["outcome"] != KEPT)
    quarantined = run.read(QUARANTINE).count()
    if quarantined != aside:
        raise QualityError("quarantine", expected=f"{aside:,} rows set aside", found=f"{quarantined:,}")
    versions = {
        name: version
        for name, spec in run.config.sources.declared().items()
        if (version := delta_version_of(run.lake.spark, spec.format, str(spec.path))) is not None
    }
    return {
        "k": chosen[0]["k"],
        "decision": chosen[0]["verdict"].removeprefix("chosen: "),
        "structure": verdicts["structure"]["verdict"],
        "rule_k": verdicts["rule"]["k"],
        "rows_read": sum(row["rows"] for row in counts),
        "rows_kept": sum(row["rows"] for row in counts) - aside,
        "rows_set_aside": aside,
        "customers": customers,
        "layout_partitions": run.config.clustering.partitions or count_partitions(customers),
        "source_versions": json.dumps(versions, sort_keys=True),
    }


def _segment_rows(sizes: list[SegmentSize], profiles: list[Statistic]) -> list[dict[str, Any]]:
    traits = {size.segment_id: _traits(profiles, size.segment_id) for size in sizes}
    names = name_segments(traits)
    customers = sum(size.customers for size in sizes)
    revenue = sum((size.revenue or Decimal(0) for size in sizes), Decimal(0))
    return [
        {
            "segment_id": size.segment_id,
            "segment_name": names[size.segment_id],
            "customers": size.customers,
            "customer_share": size.customers / customers,
            "revenue": size.revenue,
            "revenue_share": float(size.revenue / revenue) if size.revenue is not None and revenue > 0 else None,
            "sets_apart": describe_segment(traits[size.segment_id]),
        }
        for size in sizes
    ]


def _traits(profiles: list[Statistic], segment_id: int) -> list[Trait]:
    values: dict[str, dict[str, float | None]] = {}
    for row in profiles:
        if row.segment_id == segment_id:
            values.setdefault(row.feature, {})[row.statistic] = row.value
    traits = []
    for feature, found in values.items():
        own = found.get("mean", found.get("share"))
        everyone = found.get("population_mean", found.get("population_share"))
        z = found["z"]
        # Who is missing a value says more of the data than of the customer.
        is_missing = feature.endswith(f"={MISSING_LEVEL}")
        if own is not None and everyone is not None and z is not None and not is_missing:
            traits.append(Trait(feature, own, everyone, z))
    return traits
