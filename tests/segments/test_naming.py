"""Names: the rules tile the whole lattice of levels, point the right way, and none can be changed unseen."""

import itertools
import random
from collections.abc import Sequence

import pytest

from segmentation.palette import PALETTE
from segmentation.segments.levels import DIMENSIONS, LEVELS, Population, find_focus, find_levels
from segmentation.segments.naming import Portrait, name_segments
from segmentation.segments.naming_rules import ARCHETYPES, RULES, Rule, find_archetype, list_levels
from segmentation.segments.profiles import SHARES
from segmentation.traits import Trait, describe_segment

CELLS = list(list_levels())
EVERY_CELL = (1 << len(CELLS)) - 1
MASKS = {
    (name, level): sum(1 << place for place, cell in enumerate(CELLS) if cell[name] == level)
    for name, levels in LEVELS.items()
    for level in levels
}
LETTERS = {
    "l": "lapsed",
    "r": "at_risk",
    "o": "occasional_buyers",
    "b": "bargain_hunters",
    "c": "category_specialists",
    "n": "new_customers",
    "p": "promising",
    "L": "loyal_patrons",
    "H": "high_spenders",
}
# The truth table. Columns: recency long ago | middle | recent; within each, frequency low, middle, high; within each,
# spend low, middle, high. What is not short, high or focused is any other level. "*" is any level.
TRUTH = [
    # tenure, discount, basket, focus
    ("short *      *     *      ", "llr llr rrr | nnn ppH ppH | nnn ppH ppH"),
    ("other other  other broad  ", "llr llr rrr | ooH ooH LLL | ooH opH LLL"),
    ("other other  other focused", "llr llr rrr | ccH ccH LLL | ccH ccH LLL"),
    ("other other  high  broad  ", "llr llr rrr | ooH ooH LLH | ooH opH LLH"),
    ("other other  high  focused", "llr llr rrr | ccH ccH LLH | ccH ccH LLH"),
    ("other high   other *      ", "llr llr rrr | bbH bbH bLL | bbH bbH bLL"),
    ("other high   high  *      ", "llr llr rrr | bbH bbH bLH | bbH bbH bLH"),
]


def expected_archetype(cell: dict[str, str]) -> str:
    if cell["frequency"] == "none":
        return "without_orders"
    found = {
        "tenure": "short" if cell["tenure"] == "short" else "other",
        "discount": "high" if cell["discount"] == "high" else "other",
        "basket": "high" if cell["basket"] == "high" else "other",
        "focus": cell["focus"],
    }
    rows = [row for context, row in TRUTH if all(a in ("*", b) for a, b in zip(context.split(), found.values(), strict=True))]
    assert len(rows) == 1
    known = {name: [level for level in LEVELS[name] if level != "none"] for name in ("recency", "frequency", "monetary")}
    places = [known[name].index(cell[name]) for name in known]
    return LETTERS[rows[0].replace("|", "").replace(" ", "")[9 * places[0] + 3 * places[1] + places[2]]]


def mask(rule: Rule) -> int:
    """The cells a rule holds for, a bit each."""
    found = EVERY_CELL
    for name, levels in rule.levels.items():
        found &= sum(MASKS[name, level] for level in levels)
    return found


def find_faults(rules: Sequence[Rule]) -> list[str]:
    """Everything that is wrong with a rule table."""
    masks = [mask(rule) for rule in rules]
    faults = [f"{rule.archetype}: holds for nothing" for rule, cells in zip(rules, masks, strict=True) if not cells]
    seen = twice = 0
    for cells in masks:
        twice |= seen & cells
        seen |= cells
    if twice or seen != EVERY_CELL:
        return [*faults, f"{twice.bit_count()} cells twice, {(EVERY_CELL & ~seen).bit_count()} never"]
    named = [""] * len(CELLS)
    for rule, cells in zip(rules, masks, strict=True):
        for place in range(len(CELLS)):
            if cells >> place & 1:
                named[place] = rule.archetype
    wrong = [place for place, cell in enumerate(CELLS) if named[place] != expected_archetype(cell)]
    return faults + ([f"{len(wrong)} cells otherwise than in the truth table"] if wrong else [])


def test_every_combination_of_levels_has_exactly_one_archetype_and_it_is_the_pinned_one() -> None:
    assert len(CELLS) == 3 * 4 * 3 * 3 * 3 * 3 * 2
    assert find_faults(RULES) == []
    assert all(find_archetype(cell) == expected_archetype(cell) for cell in CELLS)


def test_every_archetype_can_be_reached() -> None:
    assert {find_archetype(cell) for cell in CELLS} == set(ARCHETYPES)


def test_more_recent_more_frequent_or_more_spend_never_earns_a_worse_name() -> None:
    for cell in CELLS:
        worth = ARCHETYPES[find_archetype(cell)].worth
        for name in ("recency", "frequency", "monetary"):
            better = LEVELS[name][LEVELS[name].index(cell[name]) + 1 :]
            for level in better:
                assert ARCHETYPES[find_archetype({**cell, name: level})].worth >= worth, (cell, name, level)


def mutations() -> list[tuple[str, tuple[Rule, ...]]]:
    """Each rule dropped, each of its levels flipped, each rule under every other archetype."""
    found = []
    for place, rule in enumerate(RULES):
        others: list[tuple[str, Rule | None]] = [("dropped", None)]
        for name, levels in LEVELS.items():
            for level in levels:
                others.append((f"{name} {level}", Rule(rule.archetype, {**rule.levels, name: rule.levels[name] ^ {level}})))
        others += [(key, Rule(key, rule.levels)) for key in ARCHETYPES if key != rule.archetype]
        for told, other in others:
            found.append((f"{place} {told}", (*RULES[:place], *([other] if other else []), *RULES[place + 1 :])))
    return found


def test_no_rule_can_be_dropped_or_changed_unseen() -> None:
    survivors = [told for told, rules in mutations() if not find_faults(rules)]

    assert len(mutations()) == len(RULES) * (1 + sum(map(len, LEVELS.values())) + len(ARCHETYPES) - 1)
    assert survivors == []


def test_an_overlap_or_a_gap_is_an_error_not_a_guess() -> None:
    cell = CELLS[-1]

    with pytest.raises(ValueError, match="exactly one is expected"):
        find_archetype(cell, [*RULES, RULES[0], Rule("lapsed", {"recency": frozenset(LEVELS["recency"])})])
    with pytest.raises(ValueError, match="exactly one is expected"):
        find_archetype(cell, [])


def population(**features: Sequence[float]) -> Population:
    """The quantiles of made-up customers."""
    return Population(
        SHARES,
        {name: tuple(sorted(values)[round(share * (len(values) - 1))] for share in SHARES) for name, values in features.items()},
    )


SHOP = population(
    recency_days=range(1, 400),
    frequency_orders=[1] * 45 + [2] * 20 + list(range(3, 38)),
    monetary_total=[20 * 1.06**n for n in range(100)],
    tenure_days=range(1, 700),
    average_order_value=range(10, 110),
    days_between_orders=range(10, 200),
    discount_share=[0.0] * 60 + [n / 100 for n in range(40)],
)
# customer's recency, orders, spend, tenure, basket, discount -> archetype
PEOPLE = [
    ((1, 1, 30, 1, 30, 0.0), "new_customers"),  # the first order, yesterday
    ((1, 1, 5000, 1, 5000, 0.0), "new_customers"),  # and be it large
    ((20, 2, 90, 40, 45, 0.0), "promising"),
    ((5, 30, 3000, 600, 100, 0.0), "high_spenders"),
    ((5, 30, 3000, 600, 60, 0.0), "loyal_patrons"),
    ((5, 1, 6000, 600, 60, 0.0), "high_spenders"),
    ((180, 2, 300, 500, 60, 0.0), "occasional_buyers"),
    ((350, 2, 300, 500, 60, 0.0), "lapsed"),
    ((350, 30, 300, 500, 60, 0.0), "at_risk"),
    ((180, 2, 300, 500, 60, 0.3), "bargain_hunters"),
    ((None, 0, 0, None, None, None), "without_orders"),
]


def levels_of(person: Sequence[float | None], everyone: Population = SHOP, traits: Sequence[Trait] = ()) -> dict[str, str]:
    order = ("recency_days", "frequency_orders", "monetary_total", "tenure_days", "average_order_value", "discount_share")
    return find_levels(dict(zip(order, person, strict=True)), traits, everyone)


@pytest.mark.parametrize(("person", "archetype"), PEOPLE)
def test_a_person_is_named_as_a_marketer_would(person: Sequence[float | None], archetype: str) -> None:
    assert find_archetype(levels_of(person)) == archetype


def test_better_numbers_never_earn_a_worse_name() -> None:
    rng = random.Random(5)
    for _ in range(3_000):
        person = [rng.randint(1, 399), rng.randint(1, 37), rng.uniform(20, 7000), rng.randint(1, 699), rng.randint(10, 109), 0.0]
        worth = ARCHETYPES[find_archetype(levels_of(person))].worth
        for place, better in ((0, person[0] / 2), (1, person[1] + rng.randint(1, 10)), (2, person[2] * 2)):
            other = [*person[:place], better, *person[place + 1 :]]
            assert ARCHETYPES[find_archetype(levels_of(other))].worth >= worth, (person, other)


def test_a_position_counts_only_with_a_real_difference() -> None:
    alike = population(monetary_total=[100 + n / 10 for n in range(100)], tenure_days=range(600, 700))

    assert find_levels({"monetary_total": 109.9, "tenure_days": 601}, [], alike) == {
        name: "broad" if name == "focus" else "middle" for name in LEVELS
    }


def test_a_difference_counts_only_at_the_edge_of_the_population() -> None:
    spread = population(monetary_total=[1.1**n for n in range(100)])

    found = [find_levels({"monetary_total": 1.1**n}, [], spread)["monetary"] for n in (10, 32, 35, 64, 68, 90)]

    assert found == ["low", "low", "middle", "middle", "high", "high"]


def test_customers_with_as_much_count_half() -> None:
    tied = population(average_order_value=[10] * 55 + [100] * 45, monetary_total=[10] * 45 + [100] * 55)

    assert find_levels({"average_order_value": 100}, [], tied)["basket"] == "high"
    assert find_levels({"monetary_total": 10}, [], tied)["monetary"] == "low"


def test_who_buys_once_in_a_while_is_not_yet_gone() -> None:
    patient = population(recency_days=range(1, 200), days_between_orders=range(100, 300))
    hasty = population(recency_days=range(1, 200), days_between_orders=range(1, 30))

    assert find_levels({"recency_days": 190}, [], patient)["recency"] == "middle"
    assert find_levels({"recency_days": 190}, [], hasty)["recency"] == "long_ago"


def test_one_order_is_few_where_most_have_no_more() -> None:
    once = population(frequency_orders=[1] * 90 + [2] * 10)

    assert find_levels({"frequency_orders": 1}, [], once)["frequency"] == "low"


def test_without_a_feature_its_level_is_the_middle() -> None:
    assert set(find_levels({}, [], Population(SHARES, {})).values()) == {"middle", "broad"}


def test_a_category_makes_specialists_and_is_named() -> None:
    wine = Trait("category_share_red_wine", 0.6, 0.2, 1.1)
    bread = Trait("category_share_bread", 0.22, 0.2, 0.9)

    assert find_focus([bread, wine]) is wine
    assert find_focus([bread]) is None
    assert levels_of((180, 2, 300, 500, 60, 0.0), traits=[wine])["focus"] == "focused"
    assert name_segments({0: Portrait("category_specialists", (wine,))}) == {0: "Category specialists: red wine"}


def test_without_purchases_the_strongest_traits_name_a_segment() -> None:
    brief = [
        Trait("tenure_months", 9, 32, -0.95),
        Trait("contract=Month-to-month", 0.98, 0.55, 0.87),
        Trait("contract=Two year", 0.0, 0.24, -0.96),
        Trait("partner=Yes", 0.3, 0.5, -0.4),
    ]
    wired = [Trait("internet_service=DSL", 1.0, 0.34, 1.4), Trait("partner=Yes", 0.9, 0.5, 0.8)]
    dull = [Trait("tenure_months", 32, 32, 0.01)]
    flag = [Trait("senior", 0.6, 0.2, 1.0, is_flag=True), Trait("plan=gold", 0.3, 0.1, 0.7)]

    names = name_segments({n: Portrait(None, tuple(own)) for n, own in enumerate((brief, wired, dull, flag))})

    assert names == {
        0: "Month-to-month contract, short tenure",
        1: "DSL internet service, with partner",
        2: "Average customers",
        3: "Often senior, more often gold plan",
    }


def test_segments_of_one_archetype_get_what_tells_them_apart() -> None:
    rich = Portrait("loyal_patrons", (Trait("monetary_total", 900, 100, 2.0), Trait("recency_days", 5, 50, -1.0)))
    poor = Portrait("loyal_patrons", (Trait("monetary_total", 300, 100, 0.6), Trait("recency_days", 4, 50, -1.1)))
    third = Portrait("loyal_patrons", (Trait("monetary_total", 310, 100, 0.62), Trait("recency_days", 40, 50, -0.2)))

    assert name_segments({0: rich, 1: poor}) == {0: "Loyal patrons, higher spend", 1: "Loyal patrons, lower spend"}
    assert name_segments({0: rich, 1: poor, 2: third}) == {
        0: "Loyal patrons, higher spend",
        1: "Loyal patrons, lower spend",
        2: "Loyal patrons, longer absent",
    }


def test_names_are_unique_whatever_the_segments() -> None:
    rng = random.Random(1)
    keys = [*ARCHETYPES, None]
    for _ in range(300):
        portraits = {
            n: Portrait(
                rng.choice(keys),
                tuple(Trait(feature, 1, 1, rng.choice([-1.0, 0.0, 1.0])) for feature in ("a_days", "b", "c=x", "c=y")),
            )
            for n in range(rng.randint(2, 30))
        }

        names = name_segments(portraits)

        assert names.keys() == portraits.keys()
        assert len(set(names.values())) == len(names)
        assert all(names.values())


def test_what_sets_a_segment_apart_is_told_in_numbers() -> None:
    traits = [
        Trait("monetary_total", 900, 100, 2.0),
        Trait("recency_days", 5, 50, -1.0),
        Trait("plan=gold", 0.1, 0.5, -0.8),
        Trait("plan=basic", 0.9, 0.5, 0.8),
        Trait("tenure_days", 9, 9, 0.0),
    ]

    assert describe_segment(traits) == "Total spend 900 (all 100); Days since last order 5 (all 50); Plan: basic 90% (all 50%)"
    assert describe_segment(traits[-1:]) == "close to the average customer"


def test_dimensions_and_colours_are_well_formed() -> None:
    assert {rule.dimension for _, rule in DIMENSIONS.values()} == set(DIMENSIONS)
    assert len(set(PALETTE)) == len(PALETTE)
    assert set(itertools.chain(*(rule.levels for rule in RULES))) == set(LEVELS)
