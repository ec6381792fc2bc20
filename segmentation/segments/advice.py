"""Whom the rules of the segments catch and whom advice speaks to: one Spark job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from segmentation.advice.actions import Action, Addressed, Advice, build_actions, find_advice
from segmentation.clustering.preparation import MISSING_LEVEL
from segmentation.run import Run
from segmentation.segments.findings import Summary
from segmentation.segments.profiles import count_audiences, read_audiences
from segmentation.segments.tree_rules import LEAST_RECALL, MOST_RULES, SegmentRule
from segmentation.traits import Trait

# The period of the baseline rate where nobody ever ordered twice.
_DAYS = 30


@dataclass(frozen=True)
class Measured:
    """Figures of the rules, row by row of ``tables.SEGMENT_RULES``, and the actions."""

    rules: list[dict[str, Any]]
    actions: list[Action]


def measure(
    run: Run,
    members: DataFrame,
    summary: Summary,
    rules: Sequence[SegmentRule],
    traits: Mapping[int, Sequence[Trait]],
    clustered: Sequence[str],
) -> Measured:
    """Count, in one Spark job, whom each rule catches and whom each piece of advice speaks to."""
    everyone, revenue = summary.figures(None), run.config.revenue_feature
    advice = [
        one
        for size in summary.sizes
        for one in find_advice(
            size.segment_id,
            summary.figures(size.segment_id),
            everyone,
            [trait for trait in traits[size.segment_id] if trait.subject not in clustered],
            revenue=revenue,
        )
    ]
    days = run.config.segments.baseline_days or summary.usual_gap() or _DAYS
    conditions = [rule.holds for rule in rules]
    places: dict[tuple[Any, ...], int] = {}
    has_orders = run.config.sources.transactions is not None
    for one in advice:
        if _key(one) not in places:
            places[_key(one)] = len(conditions)
            addressed = one.addresses(MISSING_LEVEL)
            conditions += [addressed, addressed & (F.col("recency_days") <= days if has_orders else F.lit(False))]
    again = len(conditions)
    if has_orders:
        stayed = F.col("tenure_days") >= F.lit(everyone.medians["tenure_days"])
        conditions += [stayed, stayed & (F.col("frequency_orders") >= 2)]
    rows = count_audiences(members, conditions, revenue=revenue).collect() if conditions else []
    back = _rate(rows, again) if has_orders else None
    actions = []
    for size in summary.sizes:
        own = [one for one in advice if one.segment_id == size.segment_id]
        addressed_all = [_addressed(one, rows, places[_key(one)], back) for one in own]
        actions += build_actions(own, addressed_all, size=size.customers, lift=run.config.segments.lift, days=days)
    return Measured(_rule_rows(rules, rows, summary), actions)


def _key(one: Advice) -> tuple[Any, ...]:
    return one.rule.action, one.metric, one.threshold


def _rate(rows: Sequence[Row], place: int) -> float | None:
    whole = sum(one.customers for one in read_audiences(rows, place).values())
    return sum(one.customers for one in read_audiences(rows, place + 1).values()) / whole if whole else None


def _addressed(one: Advice, rows: Sequence[Row], place: int, back: float | None) -> Addressed:
    """Return whom an advice speaks to, and how often such customers did what is hoped for."""
    whom = read_audiences(rows, place)[one.segment_id]
    lately = read_audiences(rows, place + 1)[one.segment_id].customers
    # Without orders ``back`` is None, and nothing can be measured.
    orders = lately / whom.customers if whom.customers and back is not None else None
    rates = {"more_orders": orders, "no_fewer_orders": orders, "second_order": back}
    return Addressed(whom.customers, whom.revenue if whom.customers else None, rates.get(one.rule.outcome))


def _rule_rows(rules: Sequence[SegmentRule], rows: Sequence[Row], summary: Summary) -> list[dict[str, Any]]:
    sizes = {size.segment_id: size.customers for size in summary.sizes}
    found: list[dict[str, Any]] = []
    for place, rule in enumerate(rules):
        caught = {segment: one.customers for segment, one in read_audiences(rows, place).items()}
        own, whole = caught[rule.segment_id], sum(caught.values())
        found.append(
            {
                "segment_id": rule.segment_id,
                "condition": rule.condition,
                "customers": whole,
                "precision": own / whole if whole else None,
                "recall": own / sizes[rule.segment_id],
            }
        )
    found.sort(key=lambda row: (row["segment_id"], -row["recall"], row["condition"]))
    kept: dict[int, list[dict[str, Any]]] = {}
    for row in found:
        own_rules = kept.setdefault(row["segment_id"], [])
        if not own_rules or (row["recall"] >= LEAST_RECALL and len(own_rules) < MOST_RULES):
            own_rules.append({**row, "rule": len(own_rules) + 1})
    return [row for own_rules in kept.values() for row in own_rules]
