"""What sets a segment apart: features ranked by effect, in words and with their numbers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from segmentation import catalogue
from segmentation.spelling import percent
from segmentation.tables import Rows

NOTABLE_EFFECT = 0.25
MOST_TRAITS = 12
_SETS_APART = 3
_YES, _NO = {"yes", "true", "y", "1"}, {"no", "false", "n", "0"}


@dataclass(frozen=True)
class Trait:
    """How a segment differs in one feature, or in one level of a category.

    ``own`` and ``population`` are means in the feature's unit, or shares of customers for a level; ``effect`` is their
    difference in standard deviations of the population. ``is_flag``: a number that is only ever 0 or 1. ``categories``: the
    category of each share, by column.
    """

    feature: str
    own: float
    population: float
    effect: float
    is_flag: bool = False
    categories: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def kind(self) -> Literal["number", "level"]:
        """Whether it is a number or a level of a category."""
        return "level" if "=" in self.feature else "number"

    @property
    def subject(self) -> str:
        """The feature without its level."""
        return self.feature.split("=", 1)[0]

    @property
    def lift(self) -> float | None:
        """Segment / population of a level, None of a number."""
        return self.own / self.population if self.kind == "level" and self.population > 0 else None

    @property
    def is_typical(self) -> bool:
        """Whether most of the segment has it, and more than elsewhere: then the level names the segment."""
        return self.kind == "level" and self.effect > 0 and self.own >= 0.5

    @property
    def words(self) -> str:
        """The trait in two or three plain words."""
        if self.kind == "level":
            return _level_words(self.feature) if self.is_typical else f"{_more(self.effect > 0)} {_level_words(self.feature)}"
        if self.is_flag:
            return f"{'often' if self.effect > 0 else 'rarely'} {_plain(self.feature)}"
        words = catalogue.words_of(self.feature, self.categories)
        return words.high if self.effect > 0 else words.low

    @property
    def receipt(self) -> str:
        """The trait with the numbers behind it."""
        name = catalogue.label(self.feature, self.categories)
        own, everyone = (
            percent(value) if self.is_flag else catalogue.spell(self.feature, value) for value in (self.own, self.population)
        )
        return f"{name} {own} (all {everyone})"

    def against(self, others: float) -> str:
        """Return the trait in words against segments whose mean effect is ``others``."""
        more = self.effect > others
        if self.kind == "level":
            return f"{_more(more)} {_level_words(self.feature)}"
        if self.is_flag:
            return f"{_more(more)} {_plain(self.feature)}"
        words = catalogue.words_of(self.feature, self.categories)
        return words.higher if more else words.lower


def rank_traits(traits: Sequence[Trait], *, least: float = NOTABLE_EFFECT) -> list[Trait]:
    """Return the traits of at least ``least`` standard deviations, strongest first; names break ties."""
    notable = [trait for trait in traits if abs(trait.effect) >= least]
    return sorted(notable, key=lambda trait: (-round(abs(trait.effect), 9), trait.feature))


def one_a_feature(ranked: Sequence[Trait]) -> list[Trait]:
    """Return one trait a feature, in order: of a category's levels the typical one, else the strongest."""
    kept: dict[str, Trait] = {}
    for trait in ranked:
        first = kept.setdefault(trait.subject, trait)
        if trait.is_typical and not first.is_typical:
            kept[trait.subject] = trait
    return list(kept.values())


def describe_segment(traits: Sequence[Trait]) -> str:
    """Return what sets a segment apart: its strongest traits with the numbers behind them."""
    strongest: dict[str, Trait] = {}
    for trait in rank_traits(traits):
        strongest.setdefault(trait.subject, trait)
    told = [trait.receipt for trait in list(strongest.values())[:_SETS_APART]]
    return "; ".join(told) or "close to the average customer"


def tell_apart(traits: Mapping[int, Sequence[Trait]]) -> dict[int, list[str]]:
    """Return, for segments that share a name, words for where each differs most from the others, strongest first."""
    effects = {segment: {trait.feature: trait.effect for trait in own} for segment, own in traits.items()}
    told = {}
    for segment, own in traits.items():
        found = []
        for trait in own:
            others = [effects[other].get(trait.feature, 0.0) for other in effects if other != segment]
            mean = sum(others) / len(others) if others else 0.0
            found.append((-round(abs(trait.effect - mean), 9), trait.feature, trait.against(mean)))
        told[segment] = [words for _, _, words in sorted(found)]
    return told


def read_traits(profiles: Rows, *, flags: Collection[str], categories: Mapping[str, str]) -> dict[int, list[Trait]]:
    """Return every segment's difference from the population in each feature and level.

    Parameters
    ----------
    profiles : rows of ``tables.PROFILES``
    flags : numbers that are only ever 0 or 1
    categories : the category of each share, by column
    """
    values: dict[int, dict[str, dict[str, float | None]]] = {}
    for row in profiles:
        values.setdefault(row["segment_id"], {}).setdefault(row["feature"], {})[row["statistic"]] = row["value"]
    traits: dict[int, list[Trait]] = {}
    for segment, features in values.items():
        traits[segment] = []
        for feature, found in features.items():
            own = found.get("mean", found.get("share"))
            everyone = found.get("population_mean", found.get("population_share"))
            effect = found["z"]
            is_flag = feature in flags and not catalogue.is_share(feature)
            # Who is missing a value says more of the data than of the customer.
            is_missing = feature.endswith(f"={catalogue.MISSING_LEVEL}")
            if own is not None and everyone is not None and effect is not None and not is_missing:
                traits[segment].append(Trait(feature, own, everyone, effect, is_flag, categories))
    return traits


def rank_rows(traits: Mapping[int, Sequence[Trait]]) -> Rows:
    """Return the rows of ``tables.TRAITS``."""
    return [
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


def number_name(name: str, segment: int, *, taken: Collection[str]) -> str:
    """Return a name that is not taken, with the segment's number."""
    numbered = f"{name} ({segment})"
    while numbered in taken:
        numbered += "'"
    return numbered


def sentence(words: Sequence[str]) -> str:
    """Return the words joined by commas, the first letter a capital."""
    text = ", ".join(words)
    return text[:1].upper() + text[1:]


def _level_words(feature: str) -> str:
    """Return a level as words: ``contract=Two year`` is "two year contract", ``partner=Yes`` is "with partner"."""
    subject, level = feature.split("=", 1)
    if level.lower() in _YES:
        return f"with {_plain(subject)}"
    if level.lower() in _NO:
        return f"no {_plain(subject)}"
    # An abbreviation (DSL) keeps its capitals.
    spoken = level[:1].lower() + level[1:] if level[1:] == level[1:].lower() and len(level) > 1 else level
    return f"{spoken} {_plain(subject)}"


def _more(is_more: bool) -> str:
    return "more often" if is_more else "less often"


def _plain(feature: str) -> str:
    return feature.replace("_", " ")
