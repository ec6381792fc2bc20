"""Levels become an archetype: the rules, kept as data.

Each rule names the levels it holds for. The rules tile the whole lattice: every combination of levels meets exactly one.
The tests enumerate all of it, and that no rule can be dropped or changed.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from segmentation.segments.levels import LEVELS, NONE, Levels


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
        """Return whether the rule holds for a segment of these levels."""
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
