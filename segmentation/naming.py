"""Profiles in, a plain working name per segment out. Floor 2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WORDS = {
    "recency_days": ("recently active", "long absent"),
    "frequency_orders": ("few orders", "frequent orders"),
    "monetary_total": ("low spend", "high spend"),
    "tenure_days": ("new", "long-standing"),
    "average_order_value": ("small orders", "large orders"),
    "days_between_orders": ("quick to return", "slow to return"),
    "items_per_order": ("few items per order", "many items per order"),
    "return_rate": ("few returns", "many returns"),
    "discount_share": ("little discount", "much discount"),
}
_NOTABLE_Z = 0.25
_SETS_APART = 3


@dataclass(frozen=True)
class Trait:
    """How a segment differs in one feature: its mean or share, the population's, and z between them."""

    feature: str
    own: float
    population: float
    z: float

    @property
    def words(self) -> str:
        """The trait in two or three plain words."""
        if "=" in self.feature:
            feature, level = self.feature.split("=", 1)
            return f"{'more' if self.z > 0 else 'less'} {_plain(feature)} {level}"
        low, high = _WORDS.get(self.feature, (f"low {_plain(self.feature)}", f"high {_plain(self.feature)}"))
        return high if self.z > 0 else low

    @property
    def receipt(self) -> str:
        """The trait with the numbers behind it."""
        if "=" in self.feature:
            return f"{_plain(self.feature).replace('=', ' ')} {self.own:.0%} (all {self.population:.0%})"
        return f"{_plain(self.feature)} {_short(self.own)} (all {_short(self.population)})"


def name_segments(traits: Mapping[int, Sequence[Trait]]) -> dict[int, str]:
    """Return a name per segment from its most distinguishing traits, unique in the run.

    Two traits make a name; a third is added, then more, as long as two segments share one.
    """
    ranked = {segment: _notable(own) for segment, own in traits.items()}
    names = dict.fromkeys(ranked, "")
    for length in range(2, 2 + max((len(own) for own in ranked.values()), default=0)):
        for segment in _shared(names):
            names[segment] = _sentence([trait.words for trait in ranked[segment][:length]])
        if not _shared(names):
            return names
    for segment in _shared(names):
        names[segment] = f"{names[segment]} ({segment})"
    return names


def describe_segment(traits: Sequence[Trait]) -> str:
    """Return what sets a segment apart: its strongest traits with the numbers behind them."""
    return "; ".join(trait.receipt for trait in _notable(traits)[:_SETS_APART]) or "close to the average customer"


def _notable(traits: Sequence[Trait]) -> list[Trait]:
    """Return the notable traits, strongest first; of a category's levels only the strongest one."""
    ranked = sorted(traits, key=lambda trait: (-round(abs(trait.z), 9), trait.feature))
    kept: dict[str, Trait] = {}
    for trait in ranked:
        if abs(trait.z) >= _NOTABLE_Z:
            kept.setdefault(trait.feature.split("=", 1)[0], trait)
    return list(kept.values())


def _shared(names: dict[int, str]) -> list[int]:
    """Return the segments whose name is empty or another's too."""
    taken = list(names.values())
    return [segment for segment, name in names.items() if not name or taken.count(name) > 1]


def _sentence(words: Sequence[str]) -> str:
    text = ", ".join(words) or "average customers"
    return text[0].upper() + text[1:]


def _plain(feature: str) -> str:
    return feature.replace("category_share_", "share of ").replace("_", " ")


def _short(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
