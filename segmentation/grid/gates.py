"""The evidence for one K, what is asked of it, and silhouettes that say nothing. Feeds ``grid`` and ``decision``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from segmentation.catalogue import label

# One segment with so many of the customers is the rest, not a group.
_GIANT_SHARE = 0.9
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
    the segments with a valley inside. ``hidden`` names the shares that would tell of fewer customers than may be shown.
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
    hidden: frozenset[str] = frozenset()

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
    """One question put to one K; ``is_passed`` is None where it was not measured, ``value`` also where it is not shown."""

    name: str
    value: float | None
    threshold: float
    is_passed: bool | None
    reason: str


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
            None if "smallest_share" in one.hidden else one.smallest_share,
            small,
            one.smallest_share >= small,
            f"smallest segment holds {_share(one, 'smallest_share', 2)} of the customers, at least {small:.2%} expected",
        ),
        Gate(
            "largest_share",
            None if "largest_share" in one.hidden else one.largest_share,
            large,
            one.largest_share <= large,
            f"largest segment holds {_share(one, 'largest_share', 1)} of the customers, at most {large:.1%} expected",
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


def find_traps(usable: Sequence[Candidate], thresholds: Thresholds) -> dict[int, str]:
    """Return each K whose silhouette beats every fair one only through a giant segment or a handful of customers."""

    def is_lopsided(one: Candidate) -> bool:
        return has_giant(one) or one.smallest_share < thresholds.min_share

    fair = [one.silhouette or 0.0 for one in usable if not is_lopsided(one)]
    if not fair:
        return {one.k: _explain_trap(one) for one in usable if has_giant(one)}
    return {one.k: _explain_trap(one) for one in usable if is_lopsided(one) and (one.silhouette or 0.0) > max(fair)}


def has_giant(one: Candidate) -> bool:
    """Return whether one segment is the rest, not a group."""
    return one.largest_share >= _GIANT_SHARE


def _explain_trap(one: Candidate) -> str:
    carried = (
        f"one segment holds {_share(one, 'largest_share', 2)} of the customers"
        if has_giant(one)
        else f"its smallest segment holds {_share(one, 'smallest_share', 2)} of the customers"
    )
    cause = ""
    if one.dominant is not None:
        cause = (
            f"; {label(one.dominant.feature, {})} holds {one.dominant.between_share:.0%} of the variance between its segments "
            f"({one.dominant.variance_share:.0%} of all variance): a log or a cap would let the others count"
        )
    return f"silhouette {one.silhouette:.3f} is struck out: {carried}{cause}"


def _share(one: Candidate, name: str, digits: int) -> str:
    few, many = "too few to be shown", "nearly all"
    return (few if name == "smallest_share" else many) if name in one.hidden else f"{getattr(one, name):.{digits}%}"


def _number(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1%}"
