"""When to advise what: the rules, kept as data."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from segmentation.catalogue import is_whole

REVENUE = "@revenue"
# A level of a category that was not clustered on, and that most of the segment has; what nearly all have is what the
# segment is, and no news.
ANY_LEVEL = "@level"
LARGEST_SHARE = 0.95
Outcome = Literal["more_orders", "no_fewer_orders", "second_order", "spend", "spared", "difference"]


@dataclass(frozen=True)
class Condition:
    """``metric`` at or beyond a threshold; beyond it where ``is_strict``.

    The threshold is ``times`` the population's value, or ``fixed``. ``is_patience``: or, where that is more, the days within
    which nine in ten of the customers who came back usually do so.
    """

    metric: str
    side: Literal["above", "below"]
    times: float | None = None
    fixed: float | None = None
    is_strict: bool = False
    is_patience: bool = False

    def threshold(self, population: float, patience: float | None) -> float:
        """Return the threshold; of a whole number the nearest whole one with the same meaning."""
        found = self.fixed if self.fixed is not None else float(self.times or 0) * population
        if self.is_patience and patience is not None:
            found = max(found, patience)
        if is_whole(self.metric):
            return float(math.ceil(found) if self.side == "above" else math.floor(found))
        return found

    def is_met(self, value: float, threshold: float) -> bool:
        """Return whether a segment's value lies at or beyond the threshold."""
        return value >= threshold if self.side == "above" else value <= threshold

    def meets(self, value: Any, threshold: float) -> Any:
        """Return the condition on a customer's own value, of ``audiences.Columns``; null is no."""
        if self.side == "above":
            return value > threshold if self.is_strict else value >= threshold
        return value < threshold if self.is_strict else value <= threshold


@dataclass(frozen=True)
class Rule:
    """When to advise what. ``also``: what an addressed customer meets besides, where the metric is known.

    ``unless``: rules that speak of the same customers and go first. ``outcome``: what the hold-out compares.
    """

    action: str
    trigger: Condition
    sentence: str
    outcome: Outcome = "spend"
    also: tuple[Condition, ...] = ()
    unless: tuple[str, ...] = ()


RULES = (
    Rule(
        "win_back",
        Condition("recency_days", "above", times=1.5, is_patience=True),
        "Win back the {customers} customers who stayed away for {threshold} days or more and had spent at least as much as the "
        "median customer: half of the segment has been away for {value} days or more, half of all customers for "
        "{population_value}; these spent {revenue}.",
        also=(Condition("monetary_total", "above", times=1.0),),
    ),
    Rule(
        "spare_cost",
        Condition("recency_days", "above", times=1.5, is_patience=True),
        "Leave the {customers} customers who stayed away for {threshold} days or more and had spent less than the median "
        "customer out of paid campaigns: half of the segment has been away for {value} days or more, half of all customers "
        "for {population_value}; these spent {revenue} in all.",
        outcome="spared",
        also=(Condition("monetary_total", "below", times=1.0, is_strict=True),),
    ),
    Rule(
        "second_order",
        Condition("frequency_orders", "below", fixed=1.0),
        "Ask the {customers} customers with {threshold} order, who bought not long ago, for a second one: the median is {value} "
        "in the segment and {population_value} among all customers.",
        outcome="second_order",
        also=(Condition("recency_days", "below", times=1.0),),
    ),
    Rule(
        "keep_best",
        Condition(REVENUE, "above", times=2.0),
        "Look after the {customers} customers who each brought {threshold} or more before anything else: the median is {value} "
        "in the segment and {population_value} among all customers, and these brought {revenue}.",
        outcome="more_orders",
        unless=("win_back",),
    ),
    Rule(
        "less_discount",
        Condition("discount_share", "above", times=1.2),
        "Try smaller discounts on the {customers} customers who got {threshold} or more off: the mean is {value} in the segment "
        "and {population_value} among all customers.",
        outcome="no_fewer_orders",
    ),
    Rule(
        "more_visits",
        Condition("frequency_orders", "below", times=0.8),
        "Remind the {customers} customers with {threshold} orders or fewer whose baskets are at least of the usual size: the "
        "median is {value} orders in the segment and {population_value} among all customers.",
        outcome="more_orders",
        also=(Condition("average_order_value", "above", times=1.0),),
        unless=("win_back", "spare_cost", "second_order"),
    ),
    Rule(
        "larger_baskets",
        Condition("average_order_value", "below", times=0.8),
        "Give the {customers} customers who come as often as the median customer and pay {threshold} or less an order a reason "
        "to add to the basket: the median order is {value} in the segment and {population_value} among all customers.",
        outcome="more_orders",
        also=(Condition("frequency_orders", "above", times=1.0),),
        unless=("win_back", "spare_cost"),
    ),
    Rule(
        "fewer_returns",
        Condition("return_rate", "above", times=1.5),
        "Ask the {customers} customers who sent back {threshold} of their lines or more for the cause: the mean is {value} in "
        "the segment and {population_value} among all customers.",
    ),
    Rule(
        "lead_with_category",
        Condition("category_share_*", "above", times=1.5),
        "Lead with {subject} when writing to the {customers} customers who spend {threshold} or more of their money on it: the "
        "mean is {value} in the segment and {population_value} among all customers.",
        outcome="more_orders",
    ),
    Rule(
        "look_into",
        Condition(ANY_LEVEL, "above", times=1.5),
        "Look into “{subject}” among these {customers} customers: {value} of the segment have it and {population_value} of all "
        "customers; {threshold} would have been enough to say so.",
        outcome="difference",
    ),
)
