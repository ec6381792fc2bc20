"""Is a K found again on resampled customers, and is it more than chance: small refits of every K. Feeds ``grid``.

All refits work on one weighted sample of the customers, a coreset, so that their cost does not grow with the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from segmentation.clustering.agreement import Labels, adjusted_rand, cross_tabulate, matched_jaccards
from segmentation.clustering.lloyd import Descent, descend
from segmentation.clustering.measures import evaluate_grid
from segmentation.clustering.points import Array, ArrayPoints, Block, Points
from segmentation.clustering.seeding import choose_coreset, spread_centers
from segmentation.clustering.sweeps import total_moments

SAMPLE_ROWS = 10_000
_FRESH_STARTS = 2
_GAIN = 1e-4
# What separates the random numbers of resamples from those of permuted tables.
RESAMPLE, PERMUTE = 1, 2


@dataclass(frozen=True)
class Support:
    """What refits say of one K.

    Attributes
    ----------
    adjusted_rand : mean over the resamples
    jaccards, lowest_jaccards : per centre, mean and lowest over the resamples
    null_explained : largest share of the variance that K centres explain on a permuted table, 0 to 1
    null_silhouette : mean silhouette of K centres on the permuted tables; None where undefined
    """

    adjusted_rand: float
    jaccards: tuple[float, ...]
    lowest_jaccards: tuple[float, ...]
    null_explained: float
    null_silhouette: float | None

    @property
    def weakest(self) -> float:
        """The Jaccard of the segment that is found again least."""
        return min(self.jaccards)


@dataclass(frozen=True)
class Refits:
    """How many refits, of what.

    ``columns`` names the column that each coordinate belongs to; coordinates of one column (a category's levels, a
    number and its missing-flag) are permuted together.
    """

    columns: tuple[str, ...]
    seed: int
    resamples: int
    null_tables: int
    max_iterations: int


def draw_sample(points: Points, rows: int = SAMPLE_ROWS) -> Block:
    """Return a weighted sample of about ``rows`` rows that stands for the table, whatever its partitions and order."""
    return points.gather(partial(choose_coreset, moments=points.total(total_moments), rows=rows))


def support_grid(points: Points, sample: Block, centers: Mapping[int, Array], refits: Refits) -> dict[int, Support]:
    """Refit every K on resampled customers and on permuted tables; all of it one Spark job.

    Stability follows Hennig (2007): customers are drawn with replacement (here each counts a Poisson number of times),
    K is fitted anew, and its segments are matched to the published ones. The null table keeps every column's values and
    breaks what holds them together, so that only what columns say together counts as structure; a table of one column
    is drawn evenly over its range instead (Tibshirani, Walther, Hastie 2001).

    Parameters
    ----------
    points : where the work is done: one refit a task
    sample : of ``draw_sample``
    centers : by K, shape (k, dimensions), scaled units
        The published ones, from whichever solver.
    """
    resamples = [(RESAMPLE, number) for number in range(refits.resamples)]
    nulls = [(PERMUTE, number) for number in range(refits.null_tables)]
    found = points.each(partial(_refit, sample, dict(centers), refits), resamples + nulls)
    tables = [one for one in found if isinstance(one, Comparisons)]
    chances = [one for one in found if isinstance(one, Chances)]
    return {
        k: summarise(
            [one.tables[k] for one in tables], [one.explained[k] for one in chances], [one.silhouettes[k] for one in chances]
        )
        for k in centers
    }


def summarise(tables: Sequence[Array], explained: Sequence[float], silhouettes: Sequence[float | None]) -> Support:
    """Put together one K: cross tables of published and refitted segments, and what permuted tables gave."""
    jaccards = np.array([matched_jaccards(table) for table in tables])
    defined = [one for one in silhouettes if one is not None]
    return Support(
        adjusted_rand=float(np.mean([adjusted_rand(table) for table in tables])),
        jaccards=tuple(jaccards.mean(0).tolist()),
        lowest_jaccards=tuple(jaccards.min(0).tolist()),
        null_explained=max(explained),
        null_silhouette=float(np.mean(defined)) if defined else None,
    )


@dataclass(frozen=True)
class Comparisons:
    """Of one resample, by K: the sample's customers by published and by refitted segment."""

    tables: dict[int, Array]


@dataclass(frozen=True)
class Chances:
    """Of one permuted table, by K: share of the variance explained, 0 to 1, and silhouette."""

    explained: dict[int, float]
    silhouettes: dict[int, float | None]


def _refit(sample: Block, centers: dict[int, Array], refits: Refits, item: tuple[int, int]) -> Comparisons | Chances:
    kind, number = item
    rng = np.random.default_rng((refits.seed, kind, number))
    if kind == RESAMPLE:
        return _compare(sample, centers, refits, rng)
    return _try_chance(permute_columns(sample, refits.columns, rng), sorted(centers), refits, rng)


def _compare(sample: Block, centers: dict[int, Array], refits: Refits, rng: np.random.Generator) -> Comparisons:
    weights = customers_of(sample)
    again = fit_anew(resample(sample, rng), sorted(centers), refits.max_iterations, rng, also=centers)
    tables = {
        k: cross_tabulate(
            nearest(published, sample.points),
            nearest(again[k].centers, sample.points),
            weights,
            shape=(len(published), len(again[k].centers)),
        )
        for k, published in centers.items()
    }
    return Comparisons(tables)


def _try_chance(table: Block, k_values: Sequence[int], refits: Refits, rng: np.random.Generator) -> Chances:
    fits = fit_anew(table, k_values, refits.max_iterations, rng)
    measured = evaluate_grid(
        ArrayPoints(table), {k: fit.centers for k, fit in fits.items()}, {k: fit.tally for k, fit in fits.items()}
    )
    return Chances({k: one.explained_share for k, one in measured.items()}, {k: one.silhouette for k, one in measured.items()})


def fit_anew(
    block: Block,
    k_values: Sequence[int],
    max_iterations: int,
    rng: np.random.Generator,
    *,
    also: Mapping[int, Array] | None = None,
) -> dict[int, Descent]:
    """Return the cheapest of a few fresh starts of every K, and of ``also`` as one more."""
    points = ArrayPoints(block)
    sequences = [spread_centers(block, max(k_values), rng) for _ in range(_FRESH_STARTS)]
    starts = [{k: one[:k] for k in k_values} for one in sequences] + ([dict(also)] if also else [])
    fits = [descend(points, one, max_iterations=max_iterations, min_gain=_GAIN) for one in starts]
    return {k: min((fit[k] for fit in fits), key=lambda one: one.wssse) for k in k_values}


def resample(sample: Block, rng: np.random.Generator) -> Block:
    """Return the sample with each customer counted a Poisson(1) number of times: the bootstrap, row by row."""
    times = rng.poisson(1.0, len(sample.points))
    kept = times > 0
    return Block(sample.hashes[kept], sample.points[kept], (customers_of(sample) * times)[kept])


def permute_columns(sample: Block, columns: Sequence[str], rng: np.random.Generator) -> Block:
    """Return an unweighted table with the sample's columns, each in an order of its own."""
    rows, weights = len(sample.points), customers_of(sample)
    places = (rng.random() + np.arange(rows)) / rows * weights.sum()
    points = sample.points[np.minimum(np.searchsorted(np.cumsum(weights), places), rows - 1)].astype(np.float64)
    names = np.array(columns)
    if len(set(columns)) == 1:
        low, high = points.min(0), points.max(0)
        return Block(sample.hashes, low + (high - low) * rng.random(points.shape), None)
    for name in dict.fromkeys(columns):
        own = names == name
        points[:, own] = points[rng.permutation(rows)][:, own]
    return Block(sample.hashes, points, None)


def nearest(centers: Array, points: Array) -> Labels:
    """Return each point's nearest centre, the first in a tie."""
    labels: Labels = ((centers * centers).sum(1) - 2 * points @ centers.T).argmin(1)
    return labels


def customers_of(block: Block) -> Array:
    """Return how many customers each row stands for."""
    return np.ones(len(block.points)) if block.weights is None else block.weights


def variance_shares(sample: Block) -> tuple[float, ...]:
    """Return each coordinate's share of the total variance."""
    weights = customers_of(sample)
    points = sample.points.astype(np.float64)
    mean = weights @ points / weights.sum()
    inertia = weights @ (points - mean) ** 2
    return tuple((inertia / max(float(inertia.sum()), 1e-300)).tolist())
