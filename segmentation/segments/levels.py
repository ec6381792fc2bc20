"""Where a segment stands in the population becomes a level in each dimension."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segmentation.catalogue import FEATURES, NAMES, SHARE_PREFIX, LevelRule
from segmentation.traits import Trait, rank_traits

Levels = Mapping[str, str]


DIMENSIONS: Mapping[str, tuple[str, LevelRule]] = {
    one.level.dimension: (one.name, one.level) for one in FEATURES if one.level is not None
}
# The customers of a segment whose median has no order at all have no recency, spend or tenure to speak of.
NONE = "none"
LEVELS: dict[str, tuple[str, ...]] = {name: rule.levels for name, (_, rule) in DIMENSIONS.items()} | {
    "frequency": (NONE, "low", "middle", "high"),
    "focus": ("broad", "focused"),
}
FOCUS_EFFECT, FOCUS_LIFT = 0.5, 1.5


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
    levels = {name: _find_level(feature, rule, medians, population) for name, (feature, rule) in DIMENSIONS.items()}
    orders = medians.get(NAMES["frequency"])
    if orders is not None and orders <= 1:
        levels["frequency"] = NONE if orders < 1 else "low"  # one order is few, also where most have no more
    return levels | {"focus": "focused" if find_focus(traits) else "broad"}


def _find_level(feature: str, rule: LevelRule, medians: Mapping[str, float | None], population: Population) -> str:
    own, everyone = medians.get(feature), population.quantile(feature, 0.5)
    first, middle, last = reversed(rule.levels) if rule.is_falling else rule.levels
    if own is None or everyone is None:
        return middle
    position = population.position(feature, own)
    if position <= 1 / 3 and own < everyone and own <= rule.low * everyone:
        return first
    bound = population.quantile(NAMES["pace"], rule.patience) if rule.patience is not None else None
    if position >= 2 / 3 and own > everyone and own >= rule.high * everyone and (bound is None or own > bound):
        return last
    return middle


def find_focus(traits: Sequence[Trait]) -> Trait | None:
    """Return the category share by which a segment stands out, if one does."""
    shares = [
        trait
        for trait in rank_traits(traits, least=FOCUS_EFFECT)
        if trait.feature.startswith(SHARE_PREFIX) and trait.effect > 0 and trait.own >= FOCUS_LIFT * trait.population
    ]
    return shares[0] if shares else None
