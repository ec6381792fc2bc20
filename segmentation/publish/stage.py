"""Tables of a run, checked against each other, to the current ones: names laid over, one commit, ``current_*`` after it."""

import json
from datetime import UTC, datetime
from typing import Any

from segmentation.looks import lay_over
from segmentation.publish.audit import check_members, check_rows, check_silhouette, find_chosen
from segmentation.publish.pointer import publish_run
from segmentation.readings import read_described
from segmentation.run import Run, check_featured
from segmentation.tables import (
    ASSIGNMENTS,
    CUSTOMERS,
    DECISION,
    EVERY,
    FEATURES,
    GRID,
    QUARANTINE,
    ROW_COUNTS,
    RUNS,
    SEGMENTS,
    TRANSACTIONS,
    Rows,
    Table,
)
from segmentation.warehouse.questions import count_members
from segmentation.warehouse.spark_store import delta_version_of


def publish(run: Run) -> str:
    """Check that the run's tables agree, lay the configuration's names over the segments, and make the run the current one."""
    known = check_featured(run)
    described = read_described(run, SEGMENTS)
    facts = _audit(run, known, described)
    looks = run.config.segments
    segments = lay_over(described, names=looks.names, colors=looks.colors)
    if segments != described:
        run.write_rows((segments, SEGMENTS))
    publish_run(run, facts=facts, tables=_tables(run), published_at=datetime.now(UTC))
    there = {row[name] for row in segments for name in ("segment_id", "segment_key")}
    unknown = sorted(map(str, {*looks.names, *looks.colors} - there))
    ignored = f"; segments {', '.join(unknown)} of the configuration are not there" if unknown else ""
    return f"{len(segments)} segments of {known['customers']:,} customers published{ignored}"


def _tables(run: Run) -> list[Table]:
    """Return the tables that a run of this configuration fills, but ``runs`` itself."""
    sources = run.config.sources
    absent = [table for table, source in ((TRANSACTIONS, sources.transactions), (CUSTOMERS, sources.customers)) if source is None]
    return [table for table in EVERY if table is not RUNS and table not in absent]


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
    chosen = find_chosen(run.read_rows(GRID), segments=len(segments))
    check_silhouette(chosen, known)
    verdicts = {row["gate"]: row for row in run.read_rows(DECISION) if row["gate"] == "structure" or row["is_passed"]}
    versions = {
        name: version
        for name, spec in run.config.sources.declared().items()
        if (version := delta_version_of(lake.spark, spec.format, spec.paths[0])) is not None
    }
    return {
        "k": chosen["k"],
        "decision": chosen["decision"],
        "structure": verdicts["structure"]["verdict"],
        "rule_k": verdicts["rule"]["k"],
        **check_rows(run.read_rows(ROW_COUNTS), stored),
        "customers": customers,
        "source_versions": json.dumps(versions, sort_keys=True),
    }
