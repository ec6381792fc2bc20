"""Advice: it fires on numbers, quotes them, changes with them, and says how to know that it failed."""

import re
from dataclasses import fields
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import pytest
from pyspark.sql import SparkSession

from segmentation.advice.actions import Action, Addressed, Advice, build_actions, find_advice
from segmentation.advice.figures import Figures, read_figures
from segmentation.advice.holdout import plan_holdout, size_arm
from segmentation.advice.rules import RULES
from segmentation.audiences import count_audiences, read_audiences
from segmentation.catalogue import spell
from segmentation.tables import ACTIONS
from segmentation.traits import Trait

EVERYONE = {
    "recency_days": 50.0,
    "frequency_orders": 2.0,
    "monetary_total": 670.0,
    "tenure_days": 250.0,
    "average_order_value": 290.0,
    "days_between_orders": 53.0,
    "discount_share": 0.1,
    "return_rate": 0.02,
    "category_share_wine": 0.2,
}


def figures(patience: float | None = 160.0, **changed: float) -> Figures:
    values = EVERYONE | changed
    return Figures(values, values, patience)


def advise(traits: tuple[Trait, ...] = (), **changed: float) -> list[Advice]:
    return find_advice(3, figures(**changed), figures(), traits, revenue="monetary_total")


# what the segment's figures are -> the actions that fire
CASES: list[tuple[dict[str, float], list[str]]] = [
    ({}, []),
    ({"recency_days": 159}, []),
    ({"recency_days": 160}, ["win_back", "spare_cost"]),
    ({"frequency_orders": 1}, ["second_order", "more_visits"]),
    ({"monetary_total": 1339}, []),
    ({"monetary_total": 1341}, ["keep_best"]),
    ({"average_order_value": 231}, ["larger_baskets"]),
    ({"average_order_value": 233}, []),
    ({"discount_share": 0.121}, ["less_discount"]),
    ({"return_rate": 0.031}, ["fewer_returns"]),
    ({"category_share_wine": 0.31}, ["lead_with_category"]),
]


@pytest.mark.parametrize(("changed", "actions"), CASES)
def test_other_data_other_advice(changed: dict[str, float], actions: list[str]) -> None:
    assert [one.rule.action for one in advise((), **changed)] == actions


def test_every_rule_fires_for_some_segment_and_none_for_the_average_one() -> None:
    level = Trait("plan=gold", 0.8, 0.4, 0.9)
    fired = {one.rule.action for changed, _ in CASES for one in advise((level,), **changed)}

    assert fired == {rule.action for rule in RULES}
    assert advise() == []
    assert len({rule.action for rule in RULES}) == len(RULES)


def test_a_level_that_most_have_and_few_elsewhere_is_looked_into() -> None:
    rare, common, all_of_it = (Trait("plan=gold", own, other, 0.9) for own, other in ((0.8, 0.4), (0.8, 0.7), (0.99, 0.4)))

    (found,) = advise((rare,))
    assert found.metric == "plan=gold"
    assert found.threshold == pytest.approx(0.6)
    assert advise((common,)) == advise((all_of_it,)) == []


def test_without_orders_the_rules_about_orders_are_silent() -> None:
    own, everyone = (Figures({"charges": value}, {"charges": value}) for value in (500.0, 200.0))

    assert [one.rule.action for one in find_advice(0, own, everyone, [], revenue="charges")] == ["keep_best"]
    assert find_advice(0, own, everyone, [], revenue=None) == []


# patience of the population -> threshold of long absent, with a median of 50 days
@pytest.mark.parametrize(("patience", "threshold"), [(None, 75), (1.0, 75), (75.5, 76), (160.0, 160)])
def test_long_absent_is_beyond_the_patience_and_well_beyond_the_median(patience: float | None, threshold: float) -> None:
    everyone = figures(patience)

    found = find_advice(0, figures(recency_days=threshold), everyone, [], revenue=None)

    assert [one.threshold for one in found] == [threshold, threshold]
    assert find_advice(0, figures(recency_days=threshold - 1), everyone, [], revenue=None) == []


def all_actions() -> list[Action]:
    level = Trait("plan=“gold” </script> 🛒", 0.8123, 0.4, 0.9)
    changes = [{}, {"monetary_total": 12345.678}, {"discount_share": 0.0456 + 0.1}, {"return_rate": 0.0345}]
    actions = []
    for changed in [*(case for case, _ in CASES), *changes]:
        for one in advise((level,), **changed):
            whom = Addressed(
                4321, Decimal("98765.432100"), 0.4 if one.rule.outcome not in ("spend", "spared", "difference") else None
            )
            actions += build_actions([one], [whom], size=5000, lift=0.1, days=54, categories={})
    return actions


def test_every_number_in_an_advice_is_a_column() -> None:
    actions = all_actions()

    assert {action.action for action in actions} == {rule.action for rule in RULES}
    for action in actions:
        values = (action.value, action.population_value, action.threshold)
        known = {f"{action.customers:,}", f"{action.revenue:,.0f}", *(spell(action.metric, value) for value in values)}
        quoted = re.findall(r"[-+]?\d[\d,.]*\d%?|\d%?", action.advice)
        assert quoted, action.advice
        assert set(quoted) <= known, action.advice
        assert spell(action.metric, action.value) in quoted


def test_every_column_of_the_table_is_told() -> None:
    assert [field.name for field in ACTIONS.columns if field.name != "run_id"] == [field.name for field in fields(Action)]


def test_the_value_lies_beyond_the_threshold_on_the_side_named() -> None:
    for action in all_actions():
        if action.threshold_side == "above":
            assert action.value >= action.threshold
        else:
            assert action.value <= action.threshold


def test_an_advice_that_hardly_speaks_to_anybody_is_dropped() -> None:
    (one,) = advise(monetary_total=2000)

    def actions(customers: int) -> list[Action]:
        return build_actions([one], [Addressed(customers, None, None)], size=1000, lift=0.1, days=30, categories={})

    assert len(actions(50)) == 1
    assert actions(49) == []
    assert build_actions([one], [Addressed(0, None, None)], size=0, lift=0.1, days=30, categories={}) == []


def actions_of(advice: list[Advice], customers: dict[str, int] | None = None) -> list[str]:
    addressed = [Addressed((customers or {}).get(one.rule.action, 500), None, None) for one in advice]
    return [action.action for action in build_actions(advice, addressed, size=1000, lift=0.1, days=30, categories={})]


def test_the_same_customers_are_not_told_two_things() -> None:
    advice = advise(recency_days=300, monetary_total=5000)

    assert [one.rule.action for one in advice] == ["win_back", "spare_cost", "keep_best"]
    assert actions_of(advice) == ["win_back", "spare_cost"]
    assert actions_of(advice, {"win_back": 0}) == ["spare_cost", "keep_best"]


def test_a_segment_gets_three_actions_at_most() -> None:
    advice = advise(monetary_total=5000, discount_share=0.5, return_rate=0.5, category_share_wine=0.9)

    assert len(advice) == 4
    assert actions_of(advice) == ["keep_best", "less_discount", "fewer_returns"]


def test_nothing_is_no_trigger() -> None:
    zeros = Figures(dict.fromkeys(EVERYONE, 0.0), dict.fromkeys(EVERYONE, 0.0))

    assert [one.rule.action for one in find_advice(0, zeros, zeros, [], revenue="monetary_total")] == ["second_order"]


def test_customers_and_revenue_are_counted_of_those_who_meet_the_trigger_themselves(spark: SparkSession) -> None:
    rows = [  # segment, recency, orders, spend
        (3, 200, 1, Decimal("700.00")),
        (3, 160, 4, Decimal("670.00")),
        (3, 159, 4, Decimal("900.00")),
        (3, 300, 1, Decimal("669.99")),
        (3, None, 0, None),
        (4, 300, 1, Decimal("5000.00")),
    ]
    members = spark.createDataFrame(
        rows, "segment_id int, recency_days int, frequency_orders bigint, monetary_total decimal(28,6)"
    )
    win_back, spare_cost = advise(recency_days=200)

    found = count_audiences(
        members, [one.addresses("(missing)") for one in (win_back, spare_cost)], revenue="monetary_total"
    ).collect()

    assert vars(read_audiences(found, 0)[3]) == {"customers": 2, "revenue": Decimal("1370.000000")}
    assert vars(read_audiences(found, 1)[3]) == {"customers": 1, "revenue": Decimal("669.990000")}
    assert vars(read_audiences(found, 0)[4]) == {"customers": 1, "revenue": Decimal("5000.000000")}


def test_customers_with_a_level_are_counted_by_it(spark: SparkSession) -> None:
    members = spark.createDataFrame([(3, "gold"), (3, "gold"), (3, None), (3, "a=b")], "segment_id int, plan string")
    gold, odd = (advise((Trait(f"plan={level}", 0.8, 0.4, 0.9),))[0] for level in ("gold", "a=b"))

    found = count_audiences(members, [gold.addresses("(missing)"), odd.addresses("(missing)")], revenue=None).collect()

    assert vars(read_audiences(found, 0)[3]) == {"customers": 2, "revenue": None}
    assert read_audiences(found, 1)[3].customers == 1


# rate, other, power -> customers per arm, without continuity correction, as R's power.prop.test rounded up
@pytest.mark.parametrize(
    ("rate", "other", "power", "arm"),
    [(0.10, 0.15, 0.8, 686), (0.50, 0.75, 0.9, 77), (0.20, 0.25, 0.8, 1094), (0.15, 0.1, 0.8, 686)],
)
def test_an_arm_has_the_size_of_the_published_formula(rate: float, other: float, power: float, arm: int) -> None:
    assert size_arm(rate, other, power=power) == arm


def test_an_arm_of_that_size_has_the_power_promised() -> None:
    rate, other = 0.3, 0.33
    arm = size_arm(rate, other)
    mean, normal = (rate + other) / 2, NormalDist()
    critical = normal.inv_cdf(0.975) * (2 * mean * (1 - mean) / arm) ** 0.5

    power = 1 - normal.cdf((critical - (other - rate)) / ((rate * (1 - rate) + other * (1 - other)) / arm) ** 0.5)

    assert power == pytest.approx(0.8, abs=0.001)


@pytest.mark.parametrize(
    ("customers", "rate", "expected"),
    [
        (100_000, 0.3, (size_arm(0.3, 0.33), 0.1)),
        (2_000, 0.3, (size_arm(0.3, 0.3 * 1.2), 0.2)),  # the least lift that two thousand can show
        (20, 0.3, None),
        (100_000, None, None),
        (100_000, 0.0, None),
        (100_000, 1.0, None),
        (100_000, 0.95, None),  # it cannot rise by a tenth
    ],
)
def test_a_holdout_shows_the_lift_asked_for_or_the_least_that_the_customers_allow(
    customers: int, rate: float | None, expected: Any
) -> None:
    found = plan_holdout(customers, rate, 0.1)

    assert found == expected
    assert found is None or found[0] * 2 <= customers


@pytest.mark.parametrize(("rate", "other"), [(0.1, 0.1), (-0.1, 0.2), (0.1, 1.2)])
def test_impossible_rates_are_refused(rate: float, other: float) -> None:
    with pytest.raises(ValueError, match="two different ones"):
        size_arm(rate, other)


@pytest.mark.parametrize(
    ("whom", "told"),
    [
        (Addressed(50_000, None, 0.4), "orders within 54 days (it was 40.0% in the last 54 days): so many show a change by 10%"),
        (Addressed(40, None, 0.4), "too few to show any likely change"),
        (Addressed(50_000, None, 0.99), "it was 99.0% in the last 54 days, so that it can hardly rise"),
        (Addressed(50_000, None, None), "no rate could be measured beforehand"),
    ],
)
def test_a_failure_test_says_what_the_numbers_allow(whom: Addressed, told: str) -> None:
    (one,) = advise(monetary_total=2000)
    (action,) = build_actions([one], [whom], size=whom.customers, lift=0.1, days=54, categories={})

    assert told in action.failure_test
    assert (action.holdout_customers is None) == (action.lift is None) == ("leave out" not in action.failure_test)


def test_figures_are_read_by_segment_and_where_there_are_none_only_levels_can_fire() -> None:
    rows = [
        {"segment_id": segment, "feature": feature, "mean": 2.0, "median": 1.5, "p90": p90}
        for segment, p90 in ((0, 40.0), (None, 60.0))
        for feature in ("days_between_orders", "monetary_total")
    ]
    found = read_figures(rows)
    nothing = Figures({}, {})

    assert found.keys() == {0, None}
    assert (found[None].patience, found[None].usual_gap, found[0].patience) == (60.0, 2, 40.0)
    assert read_figures([]) == {}
    level = Trait("plan=gold", 0.8, 0.4, 0.9)
    assert [one.metric for one in find_advice(0, nothing, nothing, [level], revenue=None)] == ["plan=gold"]
