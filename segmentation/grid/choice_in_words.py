"""The choice of K in words: a paragraph for the run, a sentence for every other K. Feeds ``grid`` and ``runs``."""

import math
from collections.abc import Sequence

from segmentation.grid.choice import RULES, Choice, Structure
from segmentation.grid.gates import Candidate

_STRUCTURES: dict[Structure, str] = {
    "strong": "every segment is a group of its own, parted from the others by deep valleys, and comes back on resamples",
    "moderate": "every segment is a group of its own, but some valleys are shallow, or some segments come back less surely",
    "weak": "some segments are groups of their own, others are cut from a crowd; the borders say which",
    "continuum": "one crowd without gaps, cut where it is convenient: of use for targeting, but no kinds of customers",
    "none": "no more structure than the same columns give when shuffled; do not read these segments as kinds of customers",
}


def explain_choice(candidates: Sequence[Candidate], choice: Choice, *, rule: str) -> str:
    """Return the decision as one paragraph: what was chosen, why, what came second, what ruled out each other K."""
    by_k = {one.k: one for one in candidates}
    sentences = [
        f"K = {choice.k}.",
        _explain_override(choice),
        _explain_pool(candidates, choice),
        _explain_rule(by_k, choice, rule),
        _explain_second(by_k, choice, choice.by),
        _list_ruled_out(candidates, choice),
        _tell_ruled_out_groups(candidates, choice),
        *(f"K = {k}: {trap}." for k, trap in choice.traps.items()),
        _list_other_measures(candidates, choice),
        _explain_structure(by_k[choice.k], choice),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def explain_others(candidates: Sequence[Candidate], choice: Choice, *, rule: str) -> dict[int, str]:
    """Return why each K was chosen, passed over or ruled out."""
    best = max((score for k in choice.pool if (score := choice.scores[k]) is not None), default=0.0)
    verdicts = {}
    for one in candidates:
        score = choice.scores[one.k]
        if one.k == choice.k:
            verdicts[one.k] = "chosen"
        elif not choice.passes(one.k):
            verdicts[one.k] = f"ruled out: {_failures(choice, one.k)}"
        elif score is None:
            verdicts[one.k] = f"passed over: {RULES[choice.by].words} is undefined"
        elif choice.by == "groups":
            verdicts[one.k] = f"passed over: {_tell_groups(one)}"
        else:
            verdicts[one.k] = f"passed over: {RULES[choice.by].words} {score:.3f} against {best:.3f}"
    return verdicts


def _explain_override(choice: Choice) -> str:
    if choice.k == choice.rule_k:
        return ""
    failed = "" if choice.passes(choice.k) else f" It fails a gate: {_failures(choice, choice.k)}."
    return f"It was asked for and overrides the rule, which would have taken K = {choice.rule_k}.{failed}"


def _explain_pool(candidates: Sequence[Candidate], choice: Choice) -> str:
    passing = [one.k for one in candidates if choice.passes(one.k)]
    if passing:
        return f"{len(passing)} of the {len(candidates)} K tried pass every gate: {_list(passing)}."
    return f"No K passes every gate; of those that fail fewest, {_list(choice.pool)}, one was taken. Read it with care."


def _explain_rule(by_k: dict[int, Candidate], choice: Choice, rule: str) -> str:
    k, score = choice.rule_k, choice.scores[choice.rule_k]
    if rule == "elbow":
        if choice.knee == k:
            return f"WSSSE has its knee at K = {k}."
        place = "has no knee" if choice.knee is None else f"has its knee at K = {choice.knee}, which is ruled out"
        return f"WSSSE {place}; the balanced rule took K = {k}."
    lead = "At no K do valleys part the segments, so the balanced rule decides. " if rule != choice.by else ""
    return lead + _tell_best(by_k[k], score, choice.by)


def _tell_best(best: Candidate, score: float | None, by: str) -> str:
    k, rule = best.k, by
    if score is None:
        return f"{_capital(RULES[rule].words)} is undefined, so the smallest K was taken."
    if rule == "groups":
        return f"Of those K = {k} has most {RULES[rule].words}: {_tell_groups(best)}."
    if rule != "balanced":
        return f"Of those K = {k} is best by {RULES[rule].words} ({score:.3f})."
    return f"Of those K = {k} has the best score ({RULES[rule].words}), {_score_of(best)}."


def _explain_second(by_k: dict[int, Candidate], choice: Choice, rule: str) -> str:
    if choice.second_k is None:
        return ""
    score = choice.scores[choice.second_k]
    second = by_k[choice.second_k]
    told = f"{score:.3f}" if score is not None else "undefined"
    if rule in ("groups", "balanced"):
        told = _tell_groups(second) if rule == "groups" else _score_of(second)
    return f"Second came K = {choice.second_k}, {told}."


def _list_ruled_out(candidates: Sequence[Candidate], choice: Choice) -> str:
    parts = [f"K = {one.k} ({_failures(choice, one.k)})" for one in candidates if not choice.passes(one.k)]
    return f"Ruled out: {'; '.join(parts)}." if parts else ""


def _tell_ruled_out_groups(candidates: Sequence[Candidate], choice: Choice) -> str:
    """Say where a K that is ruled out has more groups than any that is not: small ones far out, say."""
    seen = max((one.groups for one in candidates if one.k in choice.pool), default=1)
    clear = [one for one in candidates if one.k not in choice.pool and one.groups == one.k > seen]
    if not clear:
        return ""
    best = max(clear, key=lambda one: one.k)
    return f"Yet at K = {best.k}, which is ruled out, {_tell_groups(best)}: there are groups that the gates do not let through."


def _list_other_measures(candidates: Sequence[Candidate], choice: Choice) -> str:
    fair = [one for one in candidates if one.k in choice.pool]
    least = min((one for one in fair if one.davies_bouldin is not None), key=lambda one: one.davies_bouldin or 0, default=None)
    told = [f"the knee of WSSSE {'is nowhere' if choice.knee is None else f'is at {choice.knee}'}"]
    if least is not None:
        most = max(fair, key=lambda one: one.calinski_harabasz or 0.0)
        plain = max(fair, key=lambda one: one.silhouette or 0.0)
        told = [f"silhouette alone prefers {plain.k}", f"Calinski-Harabasz {most.k}", f"Davies-Bouldin {least.k}", *told]
    return f"Of the same K, {', '.join(told)}."


def _explain_structure(one: Candidate, choice: Choice) -> str:
    numbers = [_tell_groups(one)]
    if one.silhouette is not None and one.crowd_silhouette is not None:
        numbers.append(f"silhouette {one.silhouette:.3f}, {one.crowd_silhouette:.3f} of one crowd with the same columns")
    if one.null_gain is not None:
        numbers.append(f"{one.null_gain:.0%} less WSSSE than with permuted columns")
    if one.weakest_stability is not None:
        numbers.append(f"least stable segment {one.weakest_stability:.2f}")
    told = f" ({'; '.join(numbers)})" if numbers else ""
    split = ""
    if one.splittable:
        have = "has" if one.splittable == 1 else "have"
        split = f" {_capital(_count(one.splittable))} of the segments {have} a valley inside: K is too small there."
    return f"Structure: {choice.structure}{told}: {_STRUCTURES[choice.structure]}.{split}"


def _tell_groups(one: Candidate) -> str:
    if one.groups == one.k:
        return f"valleys part all {one.k} segments"
    return "no valley parts the segments" if one.groups == 1 else f"valleys part {one.groups} of {one.k} segments"


def _count(number: int) -> str:
    return {1: "one", 2: "two", 3: "three"}.get(number, str(number))


def _score_of(one: Candidate) -> str:
    if one.score is None or one.gap is None:
        return "undefined"
    return f"{one.score:.3f} = {math.sqrt(one.gap):.3f} x {one.silhouette:.3f} x {one.weakest_stability:.3f}"


def _failures(choice: Choice, k: int) -> str:
    return "; ".join(gate.reason for gate in choice.gates[k] if gate.is_passed is False)


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
