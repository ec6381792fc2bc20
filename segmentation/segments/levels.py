"""Where a segment stands in the population becomes a level in each dimension."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segmentation.traits import Trait, rank_traits

Levels = Mapping[str, str]


@dataclass(frozen=True)
class Dimension:
    """How the median of a feature becomes a level: by its position in the population, if it differs enough.

    A median in the lowest third of the customers, and at most ``low`` times the population's median, is the first
    level; in the highest third and at least ``high`` times, the last; else the middle one. Position alone would call
    segments different that hardly are; the ratio alone would not see that a population is narrow.

    ``is_falling``: less is better, so that the levels run the other way. ``patience``: a quantile of
    ``days_between_orders``: only a median beyond it counts as high; so who buys once in a while is not yet gone. The
    quantile is the population's: were it the segment's own, buying more often could look like being longer absent.
    """

    name: str
    feature: str
    levels: tuple[str, str, str]
    low: float = 1 / 1.2
    high: float = 1.2
    is_falling: bool = False
    patience: float | None = None


PACE, PATIENCE = "days_between_orders", 0.9
DIMENSIONS = (
    Dimension("recency", "recency_days", ("long_ago", "middle", "recent"), is_falling=True, patience=PATIENCE),
    Dimension("frequency", "frequency_orders", ("low", "middle", "high")),
    Dimension("monetary", "monetary_total", ("low", "middle", "high")),
    Dimension("tenure", "tenure_days", ("short", "middle", "long"), low=0.5),
    Dimension("discount", "discount_share", ("low", "middle", "high")),
    Dimension("basket", "average_order_value", ("low", "middle", "high")),
)
# The customers of a segment whose median has no order at all have no recency, spend or tenure to speak of.
NONE = "none"
LEVELS: dict[str, tuple[str, ...]] = {one.name: one.levels for one in DIMENSIONS} | {
    "frequency": (NONE, "low", "middle", "high"),
    "focus": ("broad", "focused"),
}
# Names and advice look at these wherever there are orders, whatever ``features.use`` shows.
ORDER_DIMENSIONS = (*(one.feature for one in DIMENSIONS), PACE)
FOCUS_EFFECT, FOCUS_LIFT = 0.5, 1.5
FOCUS_PREFIX = "category_share_"


@dataclass(frozen=True)
class Population:
    """Ascending quantiles of each feature over all customers, evenly spaced but for the ends; and their shares."""

    shares: tuple[float, ...]
    quantiles: Mapping[str, tuple[float, ...]]

    def quantile(self, feature: str, share: float) -> float | None:
        """Return the quantile of the nearest share; None of a feature nobody has."""
        known = self.quantiles.get(feature)
        if not known:
            return None
        return known[min(range(len(self.shares)), key=lambda place: abs(self.shares[place] - share))]

    def position(self, feature: str, value: float) -> float:
        """Return the share of customers with less than ``value``, and half of those with as much."""
        known = self.quantiles[feature]
        return sum((one < value) + 0.5 * (one == value) for one in known) / len(known)


def find_levels(medians: Mapping[str, float | None], traits: Sequence[Trait], population: Population) -> dict[str, str]:
    """Return a segment's level in every dimension from its medians; one that is not known counts as the middle.

    Parameters
    ----------
    medians : by feature, the feature's unit
    traits : of the segment; the category shares among them give the focus
    """
    levels = {one.name: _find_level(one, medians, population) for one in DIMENSIONS}
    orders = medians.get("frequency_orders")
    if orders is not None and orders <= 1:
        levels["frequency"] = NONE if orders < 1 else "low"  # one order is few, also where most have no more
    return levels | {"focus": "focused" if find_focus(traits) else "broad"}


def _find_level(one: Dimension, medians: Mapping[str, float | None], population: Population) -> str:
    own, everyone = medians.get(one.feature), population.quantile(one.feature, 0.5)
    first, middle, last = reversed(one.levels) if one.is_falling else one.levels
    if own is None or everyone is None:
        return middle
    position = population.position(one.feature, own)
    if position <= 1 / 3 and own < everyone and own <= one.low * everyone:
        return first
    bound = population.quantile(PACE, one.patience) if one.patience is not None else None
    if position >= 2 / 3 and own > everyone and own >= one.high * everyone and (bound is None or own > bound):
        return last
    return middle


def find_focus(traits: Sequence[Trait]) -> str | None:
    """Return the category share by which a segment stands out, if one does."""
    shares = [
        trait
        for trait in rank_traits(traits, least=FOCUS_EFFECT)
        if trait.feature.startswith(FOCUS_PREFIX) and trait.effect > 0 and trait.own >= FOCUS_LIFT * trait.population
    ]
    return shares[0].feature if shares else None
