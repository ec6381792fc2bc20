"""Are these customers still those the model was trained on: measures with a bound of chance and one of size, and a verdict.

Every measure must exceed both: what chance alone exceeds in one percent of comparisons, all measures of a comparison taken
together (Bonferroni), and what is too small to matter. See docs/monthly.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from segmentation.clustering.points import Array
from segmentation.publish.excess import Excess
from segmentation.small_groups import NOT_SHOWN, find_hidden, is_any_small

FALSE_ALARMS = 0.01  # of comparisons without drift, all measures together
MOST_BINS, BIN_CUSTOMERS, FEWEST_CUSTOMERS = 10, 20, 100
LIKE_SHARE = 0.99
SMALL = {"psi": 0.1, "beyond": 0.03, "wssse_excess": 0.1, "share_change": 0.05}
# From here on a refit of the same number of segments would not do.
LARGE_BEYOND, LARGE_EXCESS = 0.1, 0.5
KEEP, RE_SCORE, REFIT, NEW = VERDICTS = ("keep", "re-score", "refit", "new segmentation")
# Centres follow the noise of their training: what chance lets pass is wider than for shares that nothing was fitted to.
# Found by simulation; scripts/drift_alarms.py counts the alarms.
_EXCESS_NOISE, _SHARE_NOISE, _BEYOND_NOISE, _DRAWN = 1.25, 1.25, 2.5, 3.0


@dataclass(frozen=True)
class Placed:
    """Customers as one model places them.

    ``segment`` and ``distance`` (scaled units) have shape (customers,), as has each column: numbers, or texts.
    """

    segment: npt.NDArray[np.intp]
    distance: Array
    columns: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Finding:
    """A measure of all customers or of a segment, beside what chance and size let pass.

    ``hides`` says of the training, and of now, whether its customers are too few to be shown.
    """

    measure: str
    value: float
    chance_bound: float
    size_bound: float
    customers: tuple[int, int]  # of the training, and now
    segment_id: int | None = None
    feature: str | None = None
    hides: tuple[bool, bool] = (False, False)

    @property
    def is_drift(self) -> bool:
        """Whether the value exceeds both bounds."""
        return self.value > max(self.chance_bound, self.size_bound)

    @property
    def advice(self) -> str:
        """What this finding alone calls for."""
        if not self.is_drift:
            return KEEP
        if (self.measure == "beyond" and self.value > LARGE_BEYOND) or (
            self.measure == "wssse_excess" and self.value > LARGE_EXCESS
        ):
            return NEW
        is_inside = self.measure == "psi" and self.segment_id is not None
        return REFIT if is_inside or self.measure in ("beyond", "wssse_excess") else RE_SCORE

    def told(self) -> str:
        """Return the finding in words."""
        if any(self.hides):
            return f"{self.measure} of {'all customers' if self.segment_id is None else f'segment {self.segment_id}'} {NOT_SHOWN}"
        where = f" in segment {self.segment_id}" if self.segment_id is not None else ""
        subject = {
            "psi": f"PSI of {self.feature}{where} is {self.value:.3f}",
            "beyond": f"{self.value:.1%} of customers are unlike those of the training",
            "wssse_excess": f"WSSSE is {1 + self.value:.2f} times that of a refit",
            "share_change": f"the share of segment {self.segment_id} changed by {self.value:.1%} of all customers",
        }[self.measure]
        bound = max(self.chance_bound, self.size_bound)
        return f"{subject} (bound {bound:.3f})"


def find_drift(then: Placed, now: Placed, *, segments: int, excess: Excess | None) -> list[Finding]:
    """Return every measure of a comparison.

    Parameters
    ----------
    then, now : the customers of the training, and those of today
    segments : of the model, K
    excess : of ``excess.measure_excess``; None leaves it out
    """
    both = [np.bincount(one.segment, minlength=segments) for one in (then, now)]
    inside = [one for one in range(segments) if min(counts[one] for counts in both) >= FEWEST_CUSTOMERS]
    tests = len(then.columns) * (1 + (len(inside) if segments > 1 else 0)) + segments + 2
    chance = FALSE_ALARMS / tests
    found = list(_find_psi(then, now, None, chance))
    if segments > 1:
        found += [one for segment in inside for one in _find_psi(then, now, segment, chance)]
        found += _find_shares(both[0], both[1], chance)
    found.append(_find_beyond(then, now, segments, chance))
    if excess is not None:
        customers = (len(then.segment), len(now.segment))
        bound = float(_EXCESS_NOISE * stats.norm.ppf(1 - chance) * excess.error + _DRAWN * excess.drawn)
        found.append(Finding("wssse_excess", excess.share, bound, SMALL["wssse_excess"], customers))
    return found


def hide_few(found: Sequence[Finding], then: Placed, now: Placed, *, segments: int, min_cell: int) -> list[Finding]:
    """Return the findings, those marked that would tell of fewer customers than ``min_cell``; the verdict is the same."""
    few = [find_hidden(dict(enumerate(np.bincount(one.segment, minlength=segments).tolist())), min_cell) for one in (then, now)]
    marked = []
    for one in found:
        hides = (one.segment_id in few[0], one.segment_id in few[1])
        if one.measure == "beyond":
            beyond = round(one.value * one.customers[1])
            hides = (False, is_any_small((beyond, one.customers[1] - beyond), min_cell))
        marked.append(replace(one, hides=hides))
    return marked


def judge_drift(found: Sequence[Finding]) -> str:
    """Return the verdict in words: keep, re-score, refit or new segmentation, and the numbers that led to it."""
    verdict = max((one.advice for one in found), key=VERDICTS.index, default=KEEP)
    if verdict == KEEP:
        return f"{KEEP}: none of {len(found)} measures exceeds both what chance and what size let pass"
    led = sorted((one for one in found if one.is_drift), key=lambda one: (-VERDICTS.index(one.advice), -one.value))
    more = f"; and {len(led) - 3} more" if len(led) > 3 else ""
    return f"{verdict}: {'; '.join(one.told() for one in led[:3])}{more}"


def drift_rows(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return rows of ``tables.DRIFT`` without the run and the model."""
    return [
        {
            "measure": one.measure,
            "segment_id": one.segment_id,
            "feature": one.feature,
            "value": None if any(one.hides) else one.value,
            "chance_bound": one.chance_bound,
            "size_bound": one.size_bound,
            "is_drift": one.is_drift,
            # A share is of all customers, PSI within a segment looks at its own.
            "customers_then": None if one.measure == "psi" and one.hides[0] else one.customers[0],
            "customers_now": None if one.measure == "psi" and one.hides[1] else one.customers[1],
        }
        for one in found
    ]


def stability_index(then: npt.ArrayLike, now: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return PSI, the population stability index, of counts by bin on the last axis; half a customer stands in each bin.

    Yurdakul and Naranjo 2020: without drift it is about (1/n + 1/m) times a chi-square of bins - 1 degrees of freedom.
    """
    shares = []
    for counts in (np.asarray(then, dtype=float), np.asarray(now, dtype=float)):
        shares.append((counts + 0.5) / (counts.sum(-1, keepdims=True) + 0.5 * counts.shape[-1]))
    return np.asarray(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum(-1))


def chance_bound(then: int, now: int, *, bins: int, chance: float) -> float:
    """Return the PSI that so many customers exceed by chance alone with probability ``chance``."""
    squares = stats.chi2.ppf(1 - chance, max(bins - 1, 1))
    # Edges are the training's own quantiles: far out that makes the tail fatter where bins hold few (scripts/drift_alarms.py).
    fatter = 1 + squares * bins / min(then, now) / 12
    return float((1 / then + 1 / now) * squares * fatter)


def count_bins(then: npt.NDArray[Any], now: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return customers by bin, then and now: quantiles of the training, or its levels; those without a value have their own.

    A bin holds ``BIN_CUSTOMERS`` of the smaller side at least on average; rare levels and new ones share one.
    """
    bins = int(np.clip(min(len(then), len(now)) // BIN_CUSTOMERS, 2, MOST_BINS))
    is_number = then.dtype.kind == "f"
    gone = [np.isnan(one) if is_number else np.array([value is None for value in one], dtype=bool) for one in (then, now)]
    known = [one[~missing] for one, missing in zip((then, now), gone, strict=True)]
    count = _count_numbers if is_number else _count_levels
    counted = count(known[0], known[1], bins)
    ends = [int(missing.sum()) for missing in gone]
    if any(ends):
        counted = [np.append(counts, end) for counts, end in zip(counted, ends, strict=True)]
    return counted[0], counted[1]


def _count_numbers(then: Array, now: Array, bins: int) -> list[npt.NDArray[np.int64]]:
    if not len(then):
        return [np.array([0]), np.array([len(now)])]
    edges = np.unique(np.quantile(then, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    least, kept = len(then) / bins / 2, []
    below = 0
    for edge, upto in zip(edges, np.searchsorted(np.sort(then), edges, side="right"), strict=True):
        if upto - below >= least and len(then) - upto >= least:  # ties leave slivers, which chance alone fills and empties
            kept.append(edge)
            below = upto
    return [np.bincount(np.searchsorted(kept, one, side="left"), minlength=len(kept) + 1) for one in (then, now)]


def _count_levels(then: npt.NDArray[Any], now: npt.NDArray[Any], bins: int) -> list[npt.NDArray[np.int64]]:
    names, sizes = np.unique(then.astype(str), return_counts=True)
    kept = sorted(names[sizes >= len(then) / bins / 2].tolist())
    counted = []
    for one in (then, now):
        own = dict(zip(*np.unique(one.astype(str), return_counts=True), strict=True))
        counts = [int(own.get(name, 0)) for name in kept]
        counted.append(np.array([*counts, len(one) - sum(counts)]))
    if counted[0][-1] + counted[1][-1] == 0 and kept:
        counted = [counts[:-1] for counts in counted]
    return counted


def _find_psi(then: Placed, now: Placed, segment: int | None, chance: float) -> Iterator[Finding]:
    own = [slice(None) if segment is None else one.segment == segment for one in (then, now)]
    for name in then.columns:
        before, after = (one.columns[name][some] for one, some in zip((then, now), own, strict=True))
        counts = count_bins(before, after)
        customers = (len(before), len(after))
        bound = chance_bound(*customers, bins=len(counts[0]), chance=chance)
        yield Finding("psi", float(stability_index(*counts)), bound, SMALL["psi"], customers, segment, name)


def _find_shares(then: npt.NDArray[np.int64], now: npt.NDArray[np.int64], chance: float) -> list[Finding]:
    customers = (int(then.sum()), int(now.sum()))
    pooled = (then + now) / sum(customers)
    error = np.sqrt(pooled * (1 - pooled) * (1 / customers[0] + 1 / customers[1]))
    changes = np.abs(now / customers[1] - then / customers[0])
    bounds = _SHARE_NOISE * stats.norm.ppf(1 - chance / 2) * error + 0.5 / customers[0] + 0.5 / customers[1]
    return [
        Finding("share_change", float(change), float(bound), SMALL["share_change"], customers, segment)
        for segment, (change, bound) in enumerate(zip(changes, bounds, strict=True))
    ]


def _find_beyond(then: Placed, now: Placed, segments: int, chance: float) -> Finding:
    """Count who is farther than the 99th percentile of the segment's training customers.

    Where nothing drifted the count has a beta-binomial distribution, whatever that of the distances.
    """
    beyond, farther = 0, 0
    for segment in range(segments):
        own = np.sort(then.distance[then.segment == segment])
        if len(own) > 1:
            # A centre is nearer to those it is the mean of than to others of the same kind.
            own *= np.sqrt((len(own) + 1) / (len(own) - 1))
            place = int(np.ceil(LIKE_SHARE * len(own))) - 1
            farther += len(own) - 1 - place
            beyond += int((now.distance[now.segment == segment] > own[place]).sum())
        elif not len(own):
            beyond += int((now.segment == segment).sum())
    customers = (len(then.segment), len(now.segment))
    expected = (farther + segments) * (1 + _BEYOND_NOISE * segments / customers[0])
    limit = stats.betabinom.ppf(1 - chance, customers[1], expected, max(customers[0] + 1 - expected, 1))
    return Finding("beyond", beyond / customers[1], float(limit) / customers[1], SMALL["beyond"], customers)
