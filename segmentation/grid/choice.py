"""The rule that picks K among those that pass the gates, and how much structure there is. Feeds ``grid`` and ``decision``.

The sources of gates, rule and verdict, and what they do on planted groups, are in docs/choice_of_k.md.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from segmentation.errors import pick
from segmentation.grid.gates import Candidate, Gate, Thresholds, find_traps, has_giant, judge_candidate

Structure = Literal["strong", "moderate", "weak", "continuum", "none"]

# Jaccard of the least stable segment (Hennig): from here on "highly stable", and "a valid, stable cluster".
_HIGHLY_STABLE, _STABLE = 0.85, 0.75
# A valley is deep where its bottom holds less than half of the lower of its banks.
_DEEP = 0.5
_DIGITS = 9


@dataclass(frozen=True)
class Choice:
    """What was decided.

    Attributes
    ----------
    k, rule_k : the K taken, and what the rule took; they differ where a K was asked for
    second_k : the rule's next best, None where there is no other
    gates : by K, in order
    traps : by K, why a high silhouette was struck out
    scores : by K, what the rule went by, larger is better
    pool : the K that the rule chose from: those that pass every gate, or, where none does, those that fail fewest
    knee : where WSSSE bends; None where it bends nowhere
    structure : how much structure there is at ``k``
    by : what ``scores`` are; ``groups`` falls back on ``balanced`` where no valley parts any segments
    """

    k: int
    rule_k: int
    second_k: int | None
    gates: dict[int, tuple[Gate, ...]]
    traps: dict[int, str]
    scores: dict[int, float | None]
    pool: tuple[int, ...]
    knee: int | None
    structure: Structure
    by: str

    def passes(self, k: int) -> bool:
        """Return whether a K fails no gate."""
        return all(gate.is_passed is not False for gate in self.gates[k])


def choose_k(
    candidates: Sequence[Candidate],
    *,
    thresholds: Thresholds,
    rule: str,
    total: float,
    asked_k: int | None,
) -> Choice:
    """Choose a K by ``rule`` among those that pass every gate; where none does, among those that fail fewest.

    Parameters
    ----------
    candidates : one per K
    total : float
        WSSSE of a single segment, where the curve that the knee is looked for begins.
    asked_k : int or None
        Take this K; what the rule would have taken is kept.

    Raises
    ------
    ValueError
        If no K has as many segments as asked.
    """
    gates = {one.k: judge_candidate(one, thresholds) for one in candidates}
    usable = [one for one in candidates if one.is_usable]
    if not usable:
        raise ValueError("no K has as many segments as asked")
    pool = _find_pool(usable, gates)
    knee = find_knee(candidates, total)
    by = _settle_rule(rule, pool, knee)
    score = pick(RULES, by, place="clustering.rule").score
    scores = {one.k: score(one, knee) for one in candidates}
    ranked = _rank(pool, scores)
    chosen = next(one for one in candidates if one.k == (asked_k or ranked[0]))
    return Choice(
        k=chosen.k,
        rule_k=ranked[0],
        second_k=ranked[1] if len(ranked) > 1 else None,
        gates=gates,
        traps=find_traps(usable, thresholds),
        scores=scores,
        pool=tuple(one.k for one in pool),
        knee=knee,
        structure=judge_structure(chosen, thresholds),
        by=by,
    )


def _settle_rule(rule: str, pool: Sequence[Candidate], knee: int | None) -> str:
    """Return the rule, or the balanced one where it has nothing to go by."""
    has_groups = any(one.groups > 1 and one.clarity > 0 for one in pool)
    has_knee = any(one.k == knee for one in pool)
    return "balanced" if (rule == "groups" and not has_groups) or (rule == "elbow" and not has_knee) else rule


def _find_pool(usable: Sequence[Candidate], gates: dict[int, tuple[Gate, ...]]) -> list[Candidate]:
    """Return the K without a giant segment that fail fewest gates; those with one only where there is no other."""

    def objections(one: Candidate) -> tuple[bool, int]:
        return has_giant(one), sum(gate.is_passed is False for gate in gates[one.k])

    passing = [one for one in usable if objections(one)[1] == 0]
    fewest = min(map(objections, usable))
    return passing or [one for one in usable if objections(one) == fewest]


def find_knee(candidates: Sequence[Candidate], total: float) -> int | None:
    """Return the knee of WSSSE from K = 1 on, None where it has none (Satopaa et al. 2011)."""
    curve = {1: total, **{one.k: one.wssse for one in sorted(candidates, key=lambda one: one.k)}}
    if len(curve) < 3 or len(set(curve.values())) < 3:
        return None
    from kneed import KneeLocator  # takes a second to import, on executors too

    knee = KneeLocator(list(curve), list(curve.values()), curve="convex", direction="decreasing").knee
    return None if knee is None or int(knee) == 1 else int(knee)


def judge_structure(one: Candidate, thresholds: Thresholds) -> Structure:
    """Say how much structure there is.

    Groups are what valleys part, see ``clustering.borders``; they must come back on resampled customers, at the Jaccard that
    Hennig (2007) calls highly stable or stable. Without any, what is left is a continuum, or noise where not even shuffled
    columns do worse.
    """
    if one.groups < 2:
        is_noise = one.null_gain is not None and one.null_gain < thresholds.min_null_gain
        return "none" if is_noise else "continuum"
    stable = one.weakest_stability
    if one.groups < one.k or stable is None or stable < _STABLE:
        return "weak"
    return "strong" if stable >= _HIGHLY_STABLE and (one.shallowest or 0.0) >= _DEEP else "moderate"


@dataclass(frozen=True)
class RuleForK:
    """A way to choose among the K that pass every gate: in words, and by what (larger is better; takes the knee as well)."""

    words: str
    score: Callable[[Candidate, int | None], float | None]


RULES: Mapping[str, RuleForK] = {
    "groups": RuleForK("segments that stand apart less those that are cut from another", lambda one, _: float(one.clarity)),
    "balanced": RuleForK(
        "root of the gap to permuted columns x silhouette x Jaccard of the least stable segment", lambda one, _: one.score
    ),
    "silhouette": RuleForK("silhouette", lambda one, _: one.silhouette),
    "elbow": RuleForK("the knee of WSSSE", lambda one, knee: float(one.k == knee)),
    "davies_bouldin": RuleForK(
        "Davies-Bouldin, less is better", lambda one, _: None if one.davies_bouldin is None else -one.davies_bouldin
    ),
    "calinski_harabasz": RuleForK("Calinski-Harabasz", lambda one, _: one.calinski_harabasz),
    "stability": RuleForK("Jaccard of the least stable segment", lambda one, _: one.weakest_stability),
}


def _rank(pool: Sequence[Candidate], scores: dict[int, float | None]) -> list[int]:
    """Return the K of ``pool``, best score first. Segments with a valley inside, silhouette and size break ties."""
    by_k = {one.k: one for one in pool}

    def place(k: int) -> tuple[float, int, float, int]:
        score, one = scores[k], by_k[k]
        best = -math.inf if score is None else round(score, _DIGITS)
        return -best, one.splittable, -round(one.silhouette or 0.0, _DIGITS), k

    return sorted(by_k, key=place)
