"""Gates and rule that pick K, and how much structure there is. Feeds ``grid`` and ``decision``.

The sources of gates, rule and verdict, and what they do on planted groups, are in docs/choice_of_k.md.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from segmentation.catalogue import label
from segmentation.errors import pick

Structure = Literal["strong", "moderate", "weak", "continuum", "none"]

# One segment with so many of the customers is the rest, not a group.
_GIANT_SHARE = 0.9
# Jaccard of the least stable segment (Hennig): from here on "highly stable", and "a valid, stable cluster".
_HIGHLY_STABLE, _STABLE = 0.85, 0.75
# A valley is deep where its bottom holds less than half of the lower of its banks.
_DEEP = 0.5
_DIGITS = 9
# Segments without any spread would make the gap infinite.
_LEAST = 1e-12


@dataclass(frozen=True)
class Dominant:
    """The feature that most sets the segments of one K apart; shares are 0 to 1.

    ``between_share`` is its part of the variance between the segments, ``variance_share`` its part of all variance.
    """

    feature: str
    between_share: float
    variance_share: float


@dataclass(frozen=True)
class Candidate:
    """The evidence for one K; None is undefined or not measured, shares are 0 to 1.

    ``stability`` is the mean adjusted Rand index of refits on resampled customers, ``weakest_stability`` the Jaccard of
    the segment that they find again least. ``null_gain`` is the share of WSSSE that is less than on permuted columns,
    ``null_silhouette`` the silhouette there; ``crowd_gain``, ``crowd_silhouette`` and ``crowd_parts`` are the same on tables that
    are one crowd. ``parts`` are the segments that valleys part, ``shallowest`` the least depth of the borders, ``splittable``
    the segments with a valley inside.
    """

    k: int
    wssse: float
    silhouette: float | None
    calinski_harabasz: float | None
    davies_bouldin: float | None
    smallest_share: float
    largest_share: float
    effective_k: int
    iterations: int
    converged: bool | None
    stability: float | None
    weakest_stability: float | None
    null_gain: float | None
    null_silhouette: float | None
    crowd_gain: float | None = None
    crowd_silhouette: float | None = None
    crowd_parts: int = 1
    parts: int = 1
    shallowest: float | None = None
    splittable: int = 0
    dominant: Dominant | None = None

    @property
    def is_usable(self) -> bool:
        """Whether there are K segments to speak of."""
        return self.effective_k == self.k and self.silhouette is not None

    @property
    def gap(self) -> float | None:
        """ln(WSSSE on permuted columns / WSSSE), nought where there is no gain (Tibshirani, Walther, Hastie 2001)."""
        return None if self.null_gain is None else -math.log(max(1 - max(self.null_gain, 0.0), _LEAST))

    @property
    def score(self) -> float | None:
        """The balanced rule's: root of the gap x silhouette x Jaccard of the least stable segment."""
        if self.silhouette is None or self.gap is None or self.weakest_stability is None:
            return None
        return math.sqrt(self.gap) * max(self.silhouette, 0.0) * self.weakest_stability

    @property
    def groups(self) -> int:
        """The segments that valleys part; one where a single crowd, cut as often, seems to fall apart as much."""
        return self.parts if self.parts > self.crowd_parts else 1

    @property
    def clarity(self) -> int:
        """Segments that stand apart less those that are cut from another."""
        return self.groups - (self.k - self.groups)


@dataclass(frozen=True)
class Thresholds:
    """What the gates ask; see ``config.Clustering``."""

    min_share: float
    max_share: float
    min_stability: float
    min_null_gain: float
    max_iterations: int


@dataclass(frozen=True)
class Gate:
    """One question put to one K; ``is_passed`` is None where it was not measured."""

    name: str
    value: float | None
    threshold: float
    is_passed: bool | None
    reason: str


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
        return _has_giant(one), sum(gate.is_passed is False for gate in gates[one.k])

    passing = [one for one in usable if objections(one)[1] == 0]
    fewest = min(map(objections, usable))
    return passing or [one for one in usable if objections(one) == fewest]


def judge_candidate(one: Candidate, thresholds: Thresholds) -> tuple[Gate, ...]:
    """Return every gate of one K, in the order in which a reader asks them."""
    small, large = thresholds.min_share, thresholds.max_share

    def at_least(value: float | None, threshold: float) -> bool | None:
        return None if value is None else value >= threshold

    return (
        Gate(
            "converged",
            float(one.iterations),
            float(thresholds.max_iterations),
            one.converged,
            f"{'ended' if one.converged else 'did not end'} within {thresholds.max_iterations} iterations",
        ),
        Gate(
            "effective_k",
            float(one.effective_k),
            float(one.k),
            one.effective_k == one.k,
            f"{one.effective_k} of {one.k} segments hold customers",
        ),
        Gate(
            "smallest_share",
            one.smallest_share,
            small,
            one.smallest_share >= small,
            f"smallest segment holds {one.smallest_share:.2%} of the customers, at least {small:.2%} expected",
        ),
        Gate(
            "largest_share",
            one.largest_share,
            large,
            one.largest_share <= large,
            f"largest segment holds {one.largest_share:.1%} of the customers, at most {large:.1%} expected",
        ),
        Gate(
            "stability",
            one.weakest_stability,
            thresholds.min_stability,
            at_least(one.weakest_stability, thresholds.min_stability),
            f"least stable segment has Jaccard {_number(one.weakest_stability, 2)} over refits, "
            f"at least {thresholds.min_stability:.2f} expected",
        ),
        Gate(
            "better_than_null",
            one.null_gain,
            thresholds.min_null_gain,
            one.groups > 1 or at_least(one.null_gain, thresholds.min_null_gain),
            f"{_percent(one.null_gain)} less WSSSE than on permuted columns, at least {thresholds.min_null_gain:.1%} expected "
            "where no valley parts the segments",
        ),
    )


def find_knee(candidates: Sequence[Candidate], total: float) -> int | None:
    """Return the knee of WSSSE from K = 1 on, None where it has none (Satopaa et al. 2011)."""
    curve = {1: total, **{one.k: one.wssse for one in sorted(candidates, key=lambda one: one.k)}}
    if len(curve) < 3 or len(set(curve.values())) < 3:
        return None
    from kneed import KneeLocator  # takes a second to import, on executors too

    knee = KneeLocator(list(curve), list(curve.values()), curve="convex", direction="decreasing").knee
    return None if knee is None or int(knee) == 1 else int(knee)


def find_traps(usable: Sequence[Candidate], thresholds: Thresholds) -> dict[int, str]:
    """Return each K whose silhouette beats every fair one only through a giant segment or a handful of customers."""

    def is_lopsided(one: Candidate) -> bool:
        return _has_giant(one) or one.smallest_share < thresholds.min_share

    fair = [one.silhouette or 0.0 for one in usable if not is_lopsided(one)]
    if not fair:
        return {one.k: _explain_trap(one) for one in usable if _has_giant(one)}
    return {one.k: _explain_trap(one) for one in usable if is_lopsided(one) and (one.silhouette or 0.0) > max(fair)}


def _has_giant(one: Candidate) -> bool:
    return one.largest_share >= _GIANT_SHARE


def _explain_trap(one: Candidate) -> str:
    carried = (
        f"one segment holds {one.largest_share:.2%} of the customers"
        if _has_giant(one)
        else f"its smallest segment holds {one.smallest_share:.2%} of the customers"
    )
    cause = ""
    if one.dominant is not None:
        cause = (
            f"; {label(one.dominant.feature, {})} holds {one.dominant.between_share:.0%} of the variance between its segments "
            f"({one.dominant.variance_share:.0%} of all variance): a log or a cap would let the others count"
        )
    return f"silhouette {one.silhouette:.3f} is struck out: {carried}{cause}"


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


def _number(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1%}"
