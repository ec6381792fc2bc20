"""Starting centres for every K from a weighted sample that depends on the customers alone.

The sample is a lightweight coreset (Bachem, Lucic, Krause 2018): half of it uniform, half by squared distance to the
mean, so that the few customers with large values are in it. Seeding is greedy k-means++ (Arthur, Vassilvitskii 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from segmentation.clustering.lloyd import Descent, descend
from segmentation.clustering.points import Array, ArrayPoints, Block

CORESET_ROWS = 100_000
# Starts are compared on this many rows of the coreset; what they find is then refined on all of it.
_TRIAL_ROWS = 20_000
_FINALISTS = 5
_TRIAL_GAIN = 1e-4
_REFINE_GAIN = 3e-6
_STARTS_PER_SEED = 3


@dataclass(frozen=True)
class Trial:
    """Where a start of one K led on the trial rows."""

    seed: int
    descent: Descent


def choose_coreset(block: Block, *, moments: Array, rows: int) -> Block:
    """Return the rows of ``block`` that belong to a coreset of about ``rows``, each with its weight.

    A row is kept with probability p = min(1, rows (1/2n + |x - mean|^2 / 2 sum |x - mean|^2)), decided by its hash, and
    stands for 1/p. Everything is kept where the table has no more than ``rows``.

    Parameters
    ----------
    moments : shape (dimensions + 3,)
        ``sweeps.total_moments`` of the whole table.
    """
    if moments[-1] <= rows:
        return block
    # Twelve digits: the order of summation must not decide who is in.
    mean, customers, inertia = (np.array([float(f"{value:.12g}") for value in part]) for part in _center(moments))
    away = ((block.points - mean) ** 2).sum(1)
    weights = np.ones(len(away)) if block.weights is None else block.weights
    share = 0.5 * weights / customers + (0.5 * weights * away / inertia if inertia > 0 else 0.5 * weights / customers)
    kept_with = np.minimum(1.0, rows * share)
    # The low bits: the high ones order the rows, and a row's place must not depend on its weight.
    uniform = (block.hashes & np.uint64(2**53 - 1)).astype(np.float64) / 2.0**53
    kept = uniform < kept_with
    return Block(block.hashes[kept], block.points[kept], (weights / kept_with)[kept])


def seed_grid(
    coreset: Block, *, k_values: Sequence[int], seeds: Sequence[int], max_iterations: int
) -> dict[int, tuple[int, Array]]:
    """Return (seed, centres) of every K, fitted to the coreset.

    Every seed gives a few k-means++ sequences whose first K centres start each K. The best of each K is also compared
    with K - 1 and its worst cluster split, and with K + 1 and its least needed cluster dissolved.

    Parameters
    ----------
    coreset : ordered by hash

    Returns
    -------
    dict of (int, array of shape (k, dimensions))
        Fewer rows than K where the coreset has fewer distinct points.
    """
    whole, trial = ArrayPoints(coreset), ArrayPoints(_head(coreset, _TRIAL_ROWS))
    widest = sorted({*k_values, *(k + 1 for k in k_values)})
    starts = [(seed, start) for seed in seeds for start in range(_STARTS_PER_SEED)]
    tried = whole.each(partial(_try_start, trial, widest, max_iterations), starts)
    fits = {k: [Trial(seed, found[k]) for (seed, _), found in zip(starts, tried, strict=True)] for k in widest}
    chained = _chain(trial, max_iterations, fits)
    refined = whole.each(partial(_refine, whole, max_iterations), [(k, _best(chained[k])) for k in k_values])
    return dict(zip(k_values, refined, strict=True))


def spread_centers(block: Block, k: int, rng: np.random.Generator) -> Array:
    """Return up to ``k`` rows far from each other by greedy k-means++; fewer where there are fewer distinct rows."""
    points = block.points.astype(np.float64)
    weights = np.ones(len(points)) if block.weights is None else block.weights
    candidates = 2 + int(np.log(k))
    nearest = weights
    chosen: list[Array] = []
    distances = np.full(len(points), np.inf)
    while len(chosen) < k and nearest.sum() > 0:
        drawn = np.searchsorted(np.cumsum(nearest), rng.random(candidates if chosen else 1) * nearest.sum(), side="right")
        options = points[np.minimum(drawn, len(points) - 1)]
        away = np.minimum(distances, [_squares_to(points, option) for option in options])
        winner = int(np.argmin(away @ weights))
        chosen.append(options[winner])
        distances = away[winner]
        nearest = weights * distances
    return np.array(chosen)


def _squares_to(points: Array, place: Array) -> Array:
    """Return each point's squared distance to one place: nought where they are one, which a matrix product would not give."""
    apart = points - place
    squares: Array = np.einsum("ij,ij->i", apart, apart)
    return squares


def _try_start(trial: ArrayPoints, k_values: list[int], max_iterations: int, start: tuple[int, int]) -> dict[int, Descent]:
    sequence = spread_centers(trial.block, max(k_values), np.random.default_rng(start))
    starts = {k: sequence[:k] for k in k_values}
    return descend(trial, starts, max_iterations=max_iterations, min_gain=_TRIAL_GAIN)


def _chain(trial: ArrayPoints, max_iterations: int, fits: dict[int, list[Trial]]) -> dict[int, list[Trial]]:
    """Let each K try its neighbours' fits, upwards by a split and then downwards by a merge."""
    found = {k: list(some) for k, some in fits.items()}

    def try_from(k: int, centers: Array, seed: int) -> None:
        if len(centers) == k:
            descent = descend(trial, {k: centers}, max_iterations=max_iterations, min_gain=_TRIAL_GAIN)[k]
            found[k].append(Trial(seed, descent))

    for k in sorted(found):
        if k - 1 in found:
            one = _best(found[k - 1])[0]
            try_from(k, _split_worst(trial, one.descent, one.seed), one.seed)
    for k in sorted(found, reverse=True):
        if k + 1 in found:
            one = _best(found[k + 1])[0]
            try_from(k, _dissolve_least(one.descent), one.seed)
    return found


def _best(trials: Sequence[Trial]) -> list[Trial]:
    """Return the cheapest trials, one of each cost: equal costs are one fit found twice."""
    distinct = {float(f"{one.descent.wssse:.3g}"): one for one in sorted(trials, key=lambda one: -one.descent.wssse)}
    return [distinct[cost] for cost in sorted(distinct)][:_FINALISTS]


def _split_worst(trial: ArrayPoints, one: Descent, seed: int) -> Array:
    """Return the centres with two in place of the one whose members cost most."""
    worst = int(np.argmax(one.tally.variances() * one.tally.counts))
    points = trial.block.points
    distances = ((points[:, None, :] - one.centers[None, :, :]) ** 2).sum(2)
    mine = distances.argmin(1) == worst
    weights = None if trial.block.weights is None else trial.block.weights[mine]
    two = spread_centers(Block(trial.block.hashes[mine], points[mine], weights), 2, np.random.default_rng(seed))
    return np.vstack([np.delete(one.centers, worst, axis=0), two])


def _dissolve_least(one: Descent) -> Array:
    """Return the centres without the one whose members lose least by going to the next mean (Ward's distance)."""
    centers, counts = one.centers, one.tally.counts
    apart = ((centers[:, None, :] - centers[None, :, :]) ** 2).sum(2)
    loss = apart * counts[:, None] * counts[None, :] / np.maximum(counts[:, None] + counts[None, :], 1e-300)
    np.fill_diagonal(loss, np.inf)
    one_of, other = np.unravel_index(int(np.argmin(loss)), loss.shape)
    merged = (counts[one_of] * centers[one_of] + counts[other] * centers[other]) / max(counts[one_of] + counts[other], 1e-300)
    return np.vstack([np.delete(centers, [one_of, other], axis=0), merged])


def _refine(coreset: ArrayPoints, max_iterations: int, item: tuple[int, list[Trial]]) -> tuple[int, Array]:
    """Return (seed, centres) of the finalist that costs least on the whole coreset."""
    k, finalists = item
    starts = {place: one.descent.centers for place, one in enumerate(finalists)}
    settled = descend(coreset, starts, max_iterations=max_iterations, min_gain=_TRIAL_GAIN)
    best = min(settled, key=lambda place: settled[place].wssse)
    refined = descend(coreset, {k: settled[best].centers}, max_iterations=max_iterations, min_gain=_REFINE_GAIN)
    return finalists[best].seed, refined[k].centers


def _head(block: Block, rows: int) -> Block:
    weights = None if block.weights is None else block.weights[:rows]
    return Block(block.hashes[:rows], block.points[:rows], weights)


def _center(moments: Array) -> tuple[Array, Array, Array]:
    """Return (mean, [customers], [sum of squared distances to the mean])."""
    customers = moments[-3]
    mean = moments[:-3] / customers
    return mean, moments[-3:-2], np.array([moments[-2] - customers * float(mean @ mean)])
