"""Where a segment stands in the population becomes levels, levels an archetype, archetypes unique names.

Each dimension has few levels, and each rule names the levels it holds for. The rules tile the whole lattice: every
combination of levels meets exactly one. The tests enumerate all of it, and that no rule can be dropped or changed.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from segmentation.traits import Trait, one_a_feature, plain, rank_traits, sentence, tell_apart

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
# Okabe and Ito's colours and some of Tol's, told apart by the colour-blind too; from the thirteenth on they repeat.
PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#332288", "#999933", "#882255", "#44AA99", "#DDCC77", "#7F7F7F"),
)
FOCUS_EFFECT, FOCUS_LIFT = 0.5, 1.5
FOCUS_PREFIX = "category_share_"


@dataclass(frozen=True)
class Archetype:
    """A kind of customer that a marketer knows. ``worth`` orders them: the larger, the better to have."""

    key: str
    name: str
    worth: int


ARCHETYPES = {
    one.key: one
    for one in (
        Archetype("without_orders", "No orders yet", 0),
        Archetype("lapsed", "Lapsed customers", 0),
        Archetype("at_risk", "At-risk customers", 1),
        Archetype("occasional_buyers", "Occasional buyers", 2),
        Archetype("bargain_hunters", "Bargain hunters", 2),
        Archetype("category_specialists", "Category specialists", 2),
        Archetype("new_customers", "New customers", 3),
        Archetype("promising", "Promising customers", 3),
        # The best two differ in how they are good, not in how good they are.
        Archetype("loyal_patrons", "Loyal patrons", 4),
        Archetype("high_spenders", "High spenders", 4),
    )
}


@dataclass(frozen=True)
class Rule:
    """An archetype and, per dimension, the levels it holds for."""

    archetype: str
    levels: Mapping[str, frozenset[str]]

    def holds(self, levels: Levels) -> bool:
        return all(levels[name] in allowed for name, allowed in self.levels.items())


def _rule(archetype: str, **conditions: str) -> Rule:
    """Return a rule from the levels of each dimension, written with blanks between; of one not named, all but none."""
    every = {name: " ".join(level for level in levels if level != NONE) for name, levels in LEVELS.items()}
    return Rule(archetype, {name: frozenset(words.split()) for name, words in (every | conditions).items()})


_HERE, _STAYED = "middle recent", "middle long"
RULES = (
    _rule("without_orders", frequency=NONE),
    # Long absent: those who were worth much are at risk, the others gone.
    _rule("at_risk", recency="long_ago", frequency="high"),
    _rule("at_risk", recency="long_ago", frequency="low middle", monetary="high"),
    _rule("lapsed", recency="long_ago", frequency="low middle", monetary="low middle"),
    # New and yet with few orders, whatever they paid: a first order is no habit.
    _rule("new_customers", recency=_HERE, frequency="low", tenure="short"),
    # New and soon back.
    _rule("promising", recency=_HERE, frequency="middle high", monetary="low middle", tenure="short"),
    # Much spend. With many orders besides, the size of the basket tells who spends from who comes; and habits take time.
    _rule("high_spenders", recency=_HERE, frequency="low", monetary="high", tenure=_STAYED),
    _rule("high_spenders", recency=_HERE, frequency="middle", monetary="high"),
    _rule("high_spenders", recency=_HERE, frequency="high", monetary="high", basket="high"),
    _rule("high_spenders", recency=_HERE, frequency="high", monetary="high", basket="low middle", tenure="short"),
    _rule("loyal_patrons", recency=_HERE, frequency="high", monetary="high", basket="low middle", tenure=_STAYED),
    _rule("loyal_patrons", recency=_HERE, frequency="high", monetary="middle", tenure=_STAYED),
    _rule("loyal_patrons", recency=_HERE, frequency="high", monetary="low", tenure=_STAYED, discount="low middle"),
    # Many orders, little spend, much discount.
    _rule("bargain_hunters", recency=_HERE, frequency="high", monetary="low", tenure=_STAYED, discount="high"),
    # Neither many orders nor much spend, and not new.
    _rule("bargain_hunters", recency=_HERE, frequency="low middle", monetary="low middle", tenure=_STAYED, discount="high"),
    _rule(
        "category_specialists",
        recency=_HERE,
        frequency="low middle",
        monetary="low middle",
        tenure=_STAYED,
        discount="low middle",
        focus="focused",
    ),
    _rule(
        "promising",
        recency="recent",
        frequency="middle",
        monetary="middle",
        tenure=_STAYED,
        discount="low middle",
        focus="broad",
    ),
    _rule(
        "occasional_buyers",
        recency="recent",
        frequency="middle",
        monetary="low",
        tenure=_STAYED,
        discount="low middle",
        focus="broad",
    ),
    _rule(
        "occasional_buyers",
        recency="recent",
        frequency="low",
        monetary="low middle",
        tenure=_STAYED,
        discount="low middle",
        focus="broad",
    ),
    _rule(
        "occasional_buyers",
        recency="middle",
        frequency="low middle",
        monetary="low middle",
        tenure=_STAYED,
        discount="low middle",
        focus="broad",
    ),
)


def list_levels() -> Iterator[dict[str, str]]:
    """Return every combination of levels there is."""
    for combination in itertools.product(*LEVELS.values()):
        yield dict(zip(LEVELS, combination, strict=True))


def find_archetype(levels: Levels, rules: Sequence[Rule] = RULES) -> str:
    """Return the archetype of the one rule that holds.

    Raises
    ------
    ValueError
        If none holds, or several.
    """
    found = [rule.archetype for rule in rules if rule.holds(levels)]
    if len(found) != 1:
        raise ValueError(f"rules: exactly one is expected to hold for {dict(levels)}, found {found}")
    return found[0]


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


@dataclass(frozen=True)
class Portrait:
    """What a name is made from: the archetype, None without purchases, and all traits of the clustered features."""

    archetype: str | None
    traits: tuple[Trait, ...]


def name_segments(portraits: Mapping[int, Portrait], *, given: Mapping[int, str] | None = None) -> dict[int, str]:
    """Return a name per segment, unique in the run.

    It is the archetype's, or made from the one or two strongest traits where there is no archetype. Segments of one
    name get what tells them apart, their number at last. Names ``given`` by segment id stand as they are.
    """
    fixed = {segment: name for segment, name in (given or {}).items() if segment in portraits}
    open_ones = {segment: portrait for segment, portrait in portraits.items() if segment not in fixed}
    bases = {segment: _base(portrait) for segment, portrait in open_ones.items()}
    names = dict(bases)
    groups = {
        base: tell_apart({segment: open_ones[segment].traits for segment in bases if bases[segment] == base})
        for base in set(bases.values())
    }
    longest = max((len(portrait.traits) for portrait in open_ones.values()), default=0)
    for length in range(1, longest + 1):
        shared = _shared(names, fixed)
        if not shared:
            break
        for segment in shared:
            names[segment] = ", ".join([bases[segment], *groups[bases[segment]][segment][:length]])
    for segment in _shared(names, fixed):
        names[segment] = _numbered(names[segment], segment, {*names.values(), *fixed.values()})
    return names | fixed


def _numbered(name: str, segment: int, taken: set[str]) -> str:
    numbered = f"{name} ({segment})"
    while numbered in taken:
        numbered += "'"
    return numbered


def _base(portrait: Portrait) -> str:
    if portrait.archetype is None:
        strongest = one_a_feature(rank_traits(portrait.traits))
        return sentence([trait.words for trait in strongest[:2]]) or "Average customers"
    name = ARCHETYPES[portrait.archetype].name
    focus = find_focus(portrait.traits) if portrait.archetype == "category_specialists" else None
    return f"{name}: {plain(focus.removeprefix(FOCUS_PREFIX))}" if focus else name


def _shared(names: Mapping[int, str], fixed: Mapping[int, str]) -> list[int]:
    """Return the segments whose name is another's too."""
    taken = [*names.values(), *fixed.values()]
    return [segment for segment, name in names.items() if taken.count(name) > 1]
