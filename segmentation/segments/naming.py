"""A segment's archetype, or what sets it apart, becomes a name that no other segment of the run has."""

from collections.abc import Mapping
from dataclasses import dataclass

from segmentation.catalogue import spell_category
from segmentation.segments.levels import find_focus
from segmentation.segments.naming_rules import ARCHETYPES
from segmentation.traits import Trait, number_name, one_a_feature, rank_traits, sentence, tell_apart


@dataclass(frozen=True)
class Portrait:
    """What a name is made from: the archetype, None without purchases, and all traits of the clustered features."""

    archetype: str | None
    traits: tuple[Trait, ...]


def name_segments(portraits: Mapping[int, Portrait]) -> dict[int, str]:
    """Return a name per segment, unique in the run.

    It is the archetype's, or made from the one or two strongest traits where there is no archetype. Segments of one
    name get what tells them apart, their number at last.
    """
    bases = {segment: _base(portrait) for segment, portrait in portraits.items()}
    names = dict(bases)
    groups = {
        base: tell_apart({segment: portraits[segment].traits for segment in bases if bases[segment] == base})
        for base in set(bases.values())
    }
    for length in range(1, max((len(portrait.traits) for portrait in portraits.values()), default=0) + 1):
        shared = _shared(names)
        if not shared:
            break
        for segment in shared:
            names[segment] = ", ".join([bases[segment], *groups[bases[segment]][segment][:length]])
    for segment in _shared(names):
        names[segment] = number_name(names[segment], segment, taken=names.values())
    return names


def _base(portrait: Portrait) -> str:
    if portrait.archetype is None:
        strongest = one_a_feature(rank_traits(portrait.traits))
        return sentence([trait.words for trait in strongest[:2]]) or "Average customers"
    name = ARCHETYPES[portrait.archetype].name
    focus = find_focus(portrait.traits) if portrait.archetype == "category_specialists" else None
    return f"{name}: {spell_category(focus.feature, focus.categories)}" if focus else name


def _shared(names: Mapping[int, str]) -> list[int]:
    """Return the segments whose name is another's too."""
    taken = list(names.values())
    return [segment for segment, name in names.items() if taken.count(name) > 1]
