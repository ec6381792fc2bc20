"""Gates and rule that pick K, and the reason in words. Floor 2."""

from collections.abc import Sequence
from dataclasses import dataclass

_SILHOUETTE_DIGITS = 9


@dataclass(frozen=True)
class Candidate:
    """What the choice looks at, of one K; shares are 0 to 1."""

    k: int
    silhouette: float | None
    smallest_share: float
    largest_share: float
    effective_k: int


@dataclass(frozen=True)
class Choice:
    """The K chosen, the reason, and per K whether it passed and a verdict."""

    k: int
    decision: str
    eligible: dict[int, bool]
    verdicts: dict[int, str]


def choose_k(candidates: Sequence[Candidate], *, min_share: float, max_share: float, asked_k: int | None) -> Choice:
    """Choose the best silhouette among the K that pass every gate; a smaller K breaks a tie.

    Where no K passes, the best silhouette of those with as many segments as asked is taken, and said to be.

    Parameters
    ----------
    candidates : one per K
    min_share, max_share : float
        Bounds of the share of customers that a segment may hold, 0 to 1.
    asked_k : int or None
        Take this K, and record what the rule would have taken.

    Raises
    ------
    ValueError
        If no K has as many segments as asked.
    """
    objections = {one.k: _objection(one, min_share, max_share) for one in candidates}
    usable = [one for one in candidates if one.effective_k == one.k and one.silhouette is not None]
    if not usable:
        raise ValueError("no K has as many segments as asked")
    passing = [one for one in usable if objections[one.k] is None]
    best = max(passing or usable, key=lambda one: (round(one.silhouette or 0.0, _SILHOUETTE_DIGITS), -one.k))
    decision = (
        f"K = {best.k}: the best silhouette ({best.silhouette:.3f}) of {len(passing)} of {len(candidates)} K whose "
        f"segments each hold {min_share:.0%} to {max_share:.0%} of the customers"
        if passing
        else f"K = {best.k}: no K keeps every segment between {min_share:.0%} and {max_share:.0%} of the customers, "
        f"so the best silhouette ({best.silhouette:.3f}) was taken; read the segments with care"
    )
    chosen = best.k
    if asked_k is not None:
        chosen = asked_k
        decision = f"K = {asked_k}: asked for; the rule would have taken {decision}"
    verdicts = {one.k: _verdict(one, objections[one.k], best) for one in candidates}
    verdicts[chosen] = f"chosen: {decision}"
    return Choice(chosen, decision, {one.k: objections[one.k] is None for one in candidates}, verdicts)


def _objection(one: Candidate, min_share: float, max_share: float) -> str | None:
    if one.effective_k < one.k:
        return f"only {one.effective_k} of {one.k} segments hold customers"
    if one.silhouette is None:
        return "silhouette is undefined"
    if one.smallest_share < min_share:
        return f"smallest segment holds {one.smallest_share:.2%} of the customers, less than {min_share:.0%}"
    if one.largest_share > max_share:
        return f"largest segment holds {one.largest_share:.1%} of the customers, more than {max_share:.0%}"
    return None


def _verdict(one: Candidate, objection: str | None, best: Candidate) -> str:
    if objection is not None:
        return f"ruled out: {objection}"
    return f"passed over: silhouette {one.silhouette:.3f} against {best.silhouette:.3f} of K = {best.k}"
