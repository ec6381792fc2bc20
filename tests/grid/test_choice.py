"""Gates, rules, traps, the verdict on structure, and the decision in words."""

from dataclasses import replace
from typing import Any

import pytest

from segmentation.grid.choice import Choice, choose_k, find_knee
from segmentation.grid.choice_in_words import explain_choice, explain_others
from segmentation.grid.gates import Candidate, Dominant, Thresholds, judge_candidate

THRESHOLDS = Thresholds(min_share=0.05, max_share=0.8, min_stability=0.6, min_null_gain=0.05, max_iterations=100)
SPEND = Dominant("monetary_total", 0.97, 0.4)


def candidate(k: int, silhouette: float | None = 0.5, **others: Any) -> Candidate:
    facts: dict[str, Any] = {
        "wssse": {2: 600.0, 3: 150.0, 4: 130.0, 5: 115.0, 6: 100.0}[k],
        "calinski_harabasz": 100.0,
        "davies_bouldin": 1.0,
        "smallest_share": 0.1,
        "largest_share": 0.4,
        "effective_k": k,
        "iterations": 7,
        "converged": True,
        "stability": 0.9,
        "weakest_stability": 0.9,
        "null_gain": 0.5,
        "null_silhouette": 0.3,
        "dominant": SPEND,
    }
    return Candidate(k=k, silhouette=silhouette, **(facts | others))


GRID = [
    candidate(2, 0.95, smallest_share=0.01, largest_share=0.99),
    candidate(3, 0.60, weakest_stability=0.7, calinski_harabasz=300.0),
    candidate(4, 0.55, weakest_stability=0.95, davies_bouldin=0.8),
    candidate(5, 0.54, weakest_stability=0.5),
    candidate(6, None, effective_k=5),
]


def choose(candidates: list[Candidate] | None = None, rule: str = "balanced", asked_k: int | None = None) -> Choice:
    return choose_k(candidates or GRID, thresholds=THRESHOLDS, rule=rule, total=1000.0, asked_k=asked_k)


def test_the_balanced_rule_weighs_gap_silhouette_and_stability_among_those_that_pass() -> None:
    choice = choose()

    assert (choice.k, choice.rule_k, choice.second_k, choice.pool) == (4, 4, 3, (3, 4))
    assert choice.scores[4] == pytest.approx(0.8326 * 0.55 * 0.95, abs=1e-4)  # sqrt(ln 2) = 0.8326
    assert [choice.passes(k) for k in (2, 3, 4, 5, 6)] == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("rule", "k"),
    [("silhouette", 3), ("davies_bouldin", 4), ("calinski_harabasz", 3), ("stability", 4), ("elbow", 3), ("balanced", 4)],
)
def test_every_rule_chooses_among_those_that_pass(rule: str, k: int) -> None:
    assert choose(rule=rule).k == k


def test_the_elbow_rule_without_a_usable_knee_falls_back_and_says_so() -> None:
    straight = [replace(one, wssse=1000.0 - 100 * (one.k - 1)) for one in GRID]

    choice = choose(straight, rule="elbow")

    assert (choice.knee, choice.k) == (None, 4)
    told = explain_choice(straight, choice, rule="elbow")
    assert "WSSSE has no knee; the balanced rule took K = 4" in told


@pytest.mark.parametrize(
    ("gate", "broken", "value"),
    [
        ("converged", {"converged": False, "iterations": 100}, 100),
        ("effective_k", {"effective_k": 3}, 3),
        ("smallest_share", {"smallest_share": 0.049}, 0.049),
        ("largest_share", {"largest_share": 0.801}, 0.801),
        ("stability", {"weakest_stability": 0.599}, 0.599),
        ("better_than_null", {"null_gain": 0.049}, 0.049),
    ],
)
def test_each_gate_stands_alone_at_its_threshold(gate: str, broken: dict[str, Any], value: float) -> None:
    at_the_edge = candidate(4, smallest_share=0.05, largest_share=0.8, weakest_stability=0.6, null_gain=0.05)

    failed = [one for one in judge_candidate(replace(at_the_edge, **broken), THRESHOLDS) if one.is_passed is False]

    assert all(one.is_passed for one in judge_candidate(at_the_edge, THRESHOLDS))
    assert [(one.name, one.value) for one in failed] == [(gate, value)]


def test_a_share_that_tells_of_too_few_customers_fails_without_its_number() -> None:
    few = candidate(2, 0.95, smallest_share=0.01, largest_share=0.99, hidden=frozenset({"smallest_share", "largest_share"}))

    gates = {one.name: one for one in judge_candidate(few, THRESHOLDS)}
    told = explain_choice([few, *GRID[1:]], choose([few, *GRID[1:]]), rule="balanced")

    for name in few.hidden:
        assert (gates[name].is_passed, gates[name].value) == (False, None)
    assert "too few to be shown of the customers" in gates["smallest_share"].reason
    assert not {"99.0%", "99.00%", "1.00%"} & set(told.replace(",", " ").split())


def test_what_was_not_measured_neither_passes_nor_fails() -> None:
    unknown = candidate(4, converged=None, weakest_stability=None, null_gain=None)

    found = {one.name: one.is_passed for one in judge_candidate(unknown, THRESHOLDS)}

    assert [found[name] for name in ("converged", "stability", "better_than_null")] == [None, None, None]
    assert choose([unknown]).passes(4)


def test_a_k_asked_for_is_an_override_with_the_rules_own_choice_beside_it() -> None:
    choice = choose(asked_k=2)
    told = explain_choice(GRID, choice, rule="balanced")

    assert (choice.k, choice.rule_k) == (2, 4)
    assert told.startswith("K = 2. It was asked for and overrides the rule, which would have taken K = 4. It fails a gate: ")


def test_a_giant_segment_is_a_trap_that_names_the_feature() -> None:
    choice = choose()

    assert choice.traps == {
        2: "silhouette 0.950 is struck out: one segment holds 99.00% of the customers; Total spend holds 97% of the "
        "variance between its segments (40% of all variance): a log or a cap would let the others count"
    }


def test_a_handful_is_a_trap_only_where_its_silhouette_beats_the_fair_ones() -> None:
    handful = candidate(2, 0.61, smallest_share=0.002, largest_share=0.7)

    assert "its smallest segment holds 0.20% of the customers" in choose([handful, *GRID[1:]]).traps[2]
    assert choose([replace(handful, silhouette=0.59), *GRID[1:]]).traps == {}


def test_where_no_k_passes_a_giant_is_the_last_resort() -> None:
    poor = [candidate(2, 0.99, smallest_share=0.01, largest_share=0.99)]
    poor += [candidate(k, 0.4, smallest_share=0.01, largest_share=0.85, weakest_stability=0.5) for k in (3, 4)]

    choice = choose(poor)

    assert choice.k == 3
    assert choice.pool == (3, 4)
    assert "No K passes every gate" in explain_choice(poor, choice, rule="balanced")


@pytest.mark.parametrize(
    ("parts", "crowd_parts", "depth", "stability", "gain", "structure"),
    [
        (4, 1, 0.5, 0.85, 0.5, "strong"),
        (4, 1, 0.5, 0.85, 0.0, "strong"),  # groups in the columns themselves outlive the shuffle
        (4, 1, 0.49, 0.99, 0.5, "moderate"),
        (4, 1, 0.9, 0.75, 0.5, "moderate"),
        (4, 1, 0.9, 0.74, 0.5, "weak"),
        (3, 1, 0.0, 0.99, 0.5, "weak"),
        (3, 3, 0.0, 0.99, 0.5, "continuum"),  # one crowd falls apart as much
        (1, 1, 0.0, 0.99, 0.05, "continuum"),
        (1, 1, 0.0, 0.99, 0.04, "none"),
    ],
)
def test_structure_is_what_valleys_part_and_refits_find_again(
    parts: int, crowd_parts: int, depth: float, stability: float, gain: float, structure: str
) -> None:
    one = candidate(4, parts=parts, crowd_parts=crowd_parts, shallowest=depth, weakest_stability=stability, null_gain=gain)

    assert choose([one]).structure == structure


def test_the_rule_of_groups_takes_most_segments_apart_and_fewest_cuts() -> None:
    grid = [
        candidate(2, 0.9, parts=2, splittable=1),
        candidate(3, 0.6, parts=3),
        candidate(4, 0.7, parts=3),  # a cut too many
        candidate(5, 0.5, parts=4),  # as many apart less cuts as K = 3, but a lower silhouette
    ]

    choice = choose(grid, rule="groups")
    told = explain_choice(grid, choice, rule="groups")

    assert (choice.k, choice.second_k, choice.by) == (3, 5, "groups")
    assert "K = 3 has most segments that stand apart less those that are cut from another: valleys part all 3" in told
    assert "Second came K = 5, valleys part 4 of 5 segments" in told


def test_of_equal_ks_that_without_a_valley_inside_is_taken() -> None:
    grid = [candidate(2, 0.9, parts=2, splittable=1), candidate(4, 0.5, parts=3)]

    assert choose(grid, rule="groups").k == 4


def test_without_groups_the_balanced_rule_decides_and_says_so() -> None:
    choice = choose(rule="groups")

    assert (choice.k, choice.by) == (choose().k, "balanced")
    assert "At no K do valleys part the segments" in explain_choice(GRID, choice, rule="groups")


def test_groups_that_the_gates_do_not_let_through_are_told() -> None:
    handfuls = [candidate(3, parts=1), candidate(4, parts=4, smallest_share=0.01), candidate(5, parts=4)]

    seen, told = (explain_choice(own, choose(own, "groups"), rule="groups") for own in (handfuls, handfuls[:2]))

    assert "Yet at K = 4, which is ruled out, valleys part all 4 segments" in told
    assert "Yet at K" not in seen


def test_a_valley_inside_is_told() -> None:
    grid = [candidate(2, parts=2, splittable=1)]

    assert "One of the segments has a valley inside: K is too small there." in explain_choice(
        grid, choose(grid, rule="groups"), rule="groups"
    )


def test_the_paragraph_says_what_why_what_second_and_what_ruled_out_the_others() -> None:
    choice = choose()
    told = explain_choice(GRID, choice, rule="balanced")
    verdicts = explain_others(GRID, choice, rule="balanced")

    assert told.startswith("K = 4. 2 of the 5 K tried pass every gate: 3, 4. Of those K = 4 has the best score")
    assert "0.435 = 0.833 x 0.550 x 0.950. Second came K = 3, 0.350" in told
    assert "K = 2 (smallest segment holds 1.00% of the customers, at least 5.00% expected; largest segment holds 99.0%" in told
    assert "K = 5 (least stable segment has Jaccard 0.50 over refits, at least 0.60 expected)" in told
    assert "silhouette alone prefers 3, Calinski-Harabasz 3, Davies-Bouldin 4, the knee of WSSSE is at 3" in told
    assert "Structure: continuum (no valley parts the segments; 50% less WSSSE than with permuted columns" in told
    assert verdicts[4] == "chosen"
    assert verdicts[3].startswith("passed over: root of the gap")
    assert verdicts[6] == "ruled out: 5 of 6 segments hold customers"


def test_no_structure_is_said_in_plain_words() -> None:
    noise = [candidate(k, 0.3, null_gain=0.01) for k in (2, 3)]

    assert "do not read these segments as kinds of customers" in explain_choice(noise, choose(noise), rule="balanced")


def test_a_straight_line_has_no_knee_and_a_bend_has_one() -> None:
    bent = [candidate(k) for k in range(2, 7)]
    straight = [replace(one, wssse=1000.0 - 150 * (one.k - 1)) for one in bent]

    assert (find_knee(bent, 1000.0), find_knee(straight, 1000.0)) == (3, None)


def test_no_usable_k_is_an_error() -> None:
    with pytest.raises(ValueError, match="no K has as many segments as asked"):
        choose([GRID[-1]])
