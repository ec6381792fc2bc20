"""Profiles in, advice out: each piece with the numbers that led to it and how to know that it failed.

A rule of ``advice.rules`` fires for a segment whose value of the trigger's metric lies beyond the threshold; the advice
speaks to those of its customers who themselves lie beyond it. No rule fires for everybody, and nothing is said of what
an action will bring: that is for the hold-out to show.
"""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from segmentation.advice.figures import Figures
from segmentation.advice.holdout import plan_holdout
from segmentation.advice.rules import ANY_LEVEL, LARGEST_SHARE, REVENUE, RULES, Condition, Outcome, Rule
from segmentation.audiences import OF_SPARK, Columns
from segmentation.catalogue import SHARE_PREFIX, label, spell, spell_category
from segmentation.small_groups import is_small
from segmentation.spelling import whole
from segmentation.traits import Trait

MOST_ACTIONS = 3
LEAST_ADDRESSED = 0.05


@dataclass(frozen=True)
class Advice:
    """A rule that fired for a segment; how many it speaks to is yet to be counted."""

    segment_id: int
    rule: Rule
    metric: str
    value: float
    population_value: float
    threshold: float
    also: tuple[tuple[Condition, float], ...] = ()

    def addresses(self, missing: str, columns: Columns = OF_SPARK) -> Any:
        """Return the condition on a customer to be spoken to; null is no. ``missing`` is the level of no value."""
        if "=" in self.metric:
            feature, level = self.metric.split("=", 1)
            condition = columns.level(feature, missing) == level
        else:
            condition = self.rule.trigger.meets(columns.number(self.metric), self.threshold)
        for one, threshold in self.also:
            condition = condition & one.meets(columns.number(one.metric), threshold)
        return condition


@dataclass(frozen=True)
class Addressed:
    """Who an advice speaks to: customers, their revenue, and the measured rate of the outcome (None without one).

    ``is_hidden`` says that nearly all of the segment are spoken to, and the rest are too few to be shown.
    """

    customers: int
    revenue: Decimal | None
    baseline_rate: float | None
    is_hidden: bool = False


@dataclass(frozen=True)
class Action:
    """One row of ``tables.ACTIONS`` without its run."""

    segment_id: int
    rank: int
    action: str
    advice: str
    metric: str
    value: float
    population_value: float
    threshold: float
    threshold_side: str
    customers: int | None
    revenue: Decimal | None
    holdout_customers: int | None
    baseline_rate: float | None
    lift: float | None
    failure_test: str


def find_advice(
    segment_id: int,
    own: Figures,
    everyone: Figures,
    traits: Sequence[Trait],
    *,
    revenue: str | None,
    rules: Sequence[Rule] = RULES,
) -> list[Advice]:
    """Return the advice whose trigger a segment meets, in the order of the rules; often none.

    Parameters
    ----------
    traits : of what the segment was not formed by; the levels among them that most of it has can trigger
    revenue : the feature that counts as revenue, if any
    """
    found = []
    for rule in rules:
        for metric, value, population in _candidates(rule.trigger.metric, own, everyone, traits, revenue):
            threshold = rule.trigger.threshold(population, everyone.patience)
            if threshold > 0 and rule.trigger.is_met(value, threshold):
                also = tuple(_also(rule, everyone))
                found.append(Advice(segment_id, rule, metric, value, population, threshold, also))
                break
    return found


def _candidates(
    pattern: str, own: Figures, everyone: Figures, traits: Sequence[Trait], revenue: str | None
) -> list[tuple[str, float, float]]:
    """Return the metrics a trigger speaks of with the segment's and the population's value, the largest ratio first."""
    if pattern == ANY_LEVEL:
        pairs = [
            (trait.feature, trait.own, trait.population) for trait in traits if trait.is_typical and trait.own <= LARGEST_SHARE
        ]
    else:
        metric = revenue if pattern == REVENUE else pattern
        names = [] if metric is None else fnmatch.filter(sorted({*own.medians, *own.means}), metric)
        pairs = [
            (name, value, population)
            for name in names
            if (value := own.value(name)) is not None and (population := everyone.value(name)) is not None
        ]
    return sorted(pairs, key=lambda pair: (-(pair[1] / pair[2]) if pair[2] > 0 else 0.0, pair[0]))


def _also(rule: Rule, everyone: Figures) -> list[tuple[Condition, float]]:
    known = ((one, everyone.value(one.metric)) for one in rule.also)
    return [(one, one.threshold(population, everyone.patience)) for one, population in known if population is not None]


def build_actions(
    advice: Sequence[Advice],
    addressed: Sequence[Addressed],
    *,
    size: int,
    lift: float,
    days: int,
    categories: Mapping[str, str],
    min_cell: int = 0,
) -> list[Action]:
    """Return a segment's actions, at most three, from its advice and whom each speaks to.

    An advice to fewer than one in twenty of the segment is dropped, one to fewer than ``min_cell``, and one that another of the
    same customers precedes.

    Parameters
    ----------
    size : customers of the segment
    lift : relative change of the rate that the hold-out shall be able to show
    days : period in which an order counts, days
    categories : the category of each share, by column
    """
    actions: list[Action] = []
    for one, whom in zip(advice, addressed, strict=True):
        if whom.customers < max(1, min_cell, LEAST_ADDRESSED * size) or len(actions) == MOST_ACTIONS:
            continue
        if {action.action for action in actions} & set(one.rule.unless):
            continue
        arm = None if whom.is_hidden else plan_holdout(whom.customers, whom.baseline_rate, lift)
        if arm is not None and is_small(arm[0], min_cell):
            arm = None
        actions.append(
            Action(
                segment_id=one.segment_id,
                rank=len(actions) + 1,
                action=one.rule.action,
                advice=_fill(one, whom, categories),
                metric=one.metric,
                value=one.value,
                population_value=one.population_value,
                threshold=one.threshold,
                threshold_side=one.rule.trigger.side,
                customers=None if whom.is_hidden else whom.customers,
                revenue=None if whom.is_hidden else whom.revenue,
                holdout_customers=arm[0] if arm else None,
                baseline_rate=whom.baseline_rate,
                lift=arm[1] if arm else None,
                failure_test=_failure_test(one.rule.outcome, whom, arm, days),
            )
        )
    return actions


def _fill(one: Advice, whom: Addressed, categories: Mapping[str, str]) -> str:
    value, population, threshold = (spell(one.metric, value) for value in (one.value, one.population_value, one.threshold))
    is_category = one.metric.startswith(SHARE_PREFIX)
    return one.rule.sentence.format(
        customers="many" if whom.is_hidden else whole(whom.customers),
        revenue="an unknown sum" if whom.is_hidden or whom.revenue is None else whole(whom.revenue),
        value=value,
        population_value=population,
        threshold=threshold,
        subject=spell_category(one.metric, categories) if is_category else label(one.metric, categories),
    )


# What a hold-out compares, and what the baseline rate is the rate of.
_MEASURES: dict[Outcome, tuple[str, str]] = {
    "more_orders": ("the share that orders within {days} days", "it was {rate} in the last {days} days"),
    "no_fewer_orders": ("the share that orders within {days} days", "it was {rate} in the last {days} days"),
    "second_order": ("the share that orders again", "{rate} of those who came longer ago did"),
    "spend": ("the revenue per customer", ""),
}


_WITHOUT_RATE: dict[Outcome, str] = {
    "spared": "Keep addressing a part of them, chosen by chance, and compare the revenue per customer. If those left out fall "
    "behind by more than the campaigns cost, it failed; no rate could be measured beforehand, so that no size can be given.",
    "difference": "If the difference is gone in the next run, it was chance and there was nothing to look into.",
}


def _failure_test(outcome: Outcome, whom: Addressed, arm: tuple[int, float] | None, days: int) -> str:
    if outcome in _WITHOUT_RATE:
        return _WITHOUT_RATE[outcome]
    if outcome != "spend" and whom.baseline_rate is None:  # there are no orders to compare
        outcome = "spend"
    measure, known = (text.format(days=days, rate=f"{whom.baseline_rate or 0:.1%}") for text in _MEASURES[outcome])
    failed = "those addressed are behind" if outcome == "no_fewer_orders" else "those addressed are not ahead"
    if arm is not None:
        return (
            f"Address {arm[0]:,} and leave out {arm[0]:,}, chosen by chance, and compare {measure} ({known}): so many show a "
            f"change by {arm[1]:.0%} of it. If {failed} by the test at 5%, it failed."
        )
    if whom.is_hidden:
        why = "nearly all of the segment are addressed, so that no size is given"
    elif whom.baseline_rate is None:
        why = "no rate could be measured beforehand, so that no size can be given"
    elif whom.baseline_rate > 0.9:
        why = f"{known}, so that it can hardly rise and no size can be given"
    else:
        why = "they are too few to show any likely change"
    return f"Leave a part out, chosen by chance, and compare {measure}. If {failed}, it failed; {why}."
