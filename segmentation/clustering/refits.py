"""Is a K found again on resampled customers, and is it more than chance: small refits of every K. Feeds ``grid``.

All refits work on one weighted sample of the customers, a coreset, so that their cost does not grow with the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from segmentation.clustering.agreement import Labels, adjusted_rand, cross_tabulate, matched_jaccards, nearest
from segmentation.clustering.borders import Parting, count_parts, find_parting, spread_ties
from segmentation.clustering.crowd import draw_crowd
from segmentation.clustering.lloyd import Descent, descend
from segmentation.clustering.measures import evaluate_grid
from segmentation.clustering.points import Array, ArrayPoints, Block, Points
from segmentation.clustering.seeding import choose_coreset, spread_centers
from segmentation.clustering.sweeps import total_moments

SAMPLE_ROWS = 10_000
_FRESH_STARTS = 2
_GAIN = 1e-4
# What separates the random numbers of resamples from those of permuted tables.
RESAMPLE, PERMUTE, CROWD, PART = 1, 2, 3, 4


CrossTable = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Chance:
    """What K centres find where there are no groups, over the tables of one kind.

    Attributes
    ----------
    explained : largest share of the variance, 0 to 1
    silhouette : mean; None where undefined
    parts : largest count of segments that valleys part
    """

    explained: float
    silhouette: float | None
    parts: int


@dataclass(frozen=True)
class Support:
    """What refits say of one K.

    Attributes
    ----------
    adjusted_rand : mean over the resamples
    jaccards, lowest_jaccards : per centre, mean and lowest over the resamples
    permuted, crowds : what K centres find on tables with permuted columns, and on tables that are one crowd
    parting : how the published segments lie to each other
    onward : customers by segment of this K (rows) and of the next (columns); empty of the last K
    """

    adjusted_rand: float
    jaccards: tuple[float, ...]
    lowest_jaccards: tuple[float, ...]
    permuted: Chance
    crowds: Chance
    parting: Parting
    onward: CrossTable

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
    K is fitted anew, and its segments are matched to the published ones. A table of permuted columns keeps every column's
    values and breaks what holds them together: does anything? A table that is one crowd (``draw_crowd``) keeps what holds them
    together as well, and has no groups: are there any? A table of one column is drawn evenly over its range instead of
    permuted (Tibshirani, Walther, Hastie 2001).

    Parameters
    ----------
    points : where the work is done: one refit a task
    sample : of ``draw_sample``
    centers : by K, shape (k, dimensions), scaled units
        The published ones, from whichever solver.
    """
    permuted, crowds = count_nulls(refits.null_tables)
    items = [(RESAMPLE, number) for number in range(refits.resamples)]
    items += [(PERMUTE, number) for number in range(permuted)] + [(CROWD, number) for number in range(crowds)] + [(PART, 0)]
    found = points.each(partial(_refit, sample, dict(centers), refits), items)
    tables = [one for one in found if isinstance(one, Comparisons)]
    chances = [one for one in found if isinstance(one, Chances)]
    parted = next(one for one in found if isinstance(one, Parted))
    return {
        k: summarise(
            [one.tables[k] for one in tables],
            permuted=[one.by_k[k] for one in chances[:permuted]],
            crowds=[one.by_k[k] for one in chances[permuted:]],
            parting=parted.partings[k],
            onward=parted.onward[k],
        )
        for k in centers
    }


def count_nulls(null_tables: int) -> tuple[int, int]:
    """Return how many tables have permuted columns, two in five, and how many are one crowd; one of each at least."""
    permuted = max(1, null_tables * 2 // 5)
    return permuted, max(1, null_tables - permuted)


def summarise(
    tables: Sequence[Array], *, permuted: Sequence[Chance], crowds: Sequence[Chance], parting: Parting, onward: CrossTable
) -> Support:
    """Put together one K: cross tables of published and refitted segments, and what tables without groups gave."""
    jaccards = np.array([matched_jaccards(table) for table in tables])
    return Support(
        adjusted_rand=float(np.mean([adjusted_rand(table) for table in tables])),
        jaccards=tuple(jaccards.mean(0).tolist()),
        lowest_jaccards=tuple(jaccards.min(0).tolist()),
        permuted=_sum_up(permuted),
        crowds=_sum_up(crowds),
        parting=parting,
        onward=onward,
    )


def _sum_up(found: Sequence[Chance]) -> Chance:
    defined = [one.silhouette for one in found if one.silhouette is not None]
    return Chance(
        explained=max(one.explained for one in found),
        silhouette=float(np.mean(defined)) if defined else None,
        parts=max(one.parts for one in found),
    )


@dataclass(frozen=True)
class Comparisons:
    """Of one resample, by K: the sample's customers by published and by refitted segment."""

    tables: dict[int, Array]


@dataclass(frozen=True)
class Chances:
    """What was found on one table without groups."""

    by_k: dict[int, Chance]


@dataclass(frozen=True)
class Parted:
    """By K, how the published segments lie to each other, and the cross table with the next K's."""

    partings: dict[int, Parting]
    onward: dict[int, CrossTable]


def _refit(sample: Block, centers: dict[int, Array], refits: Refits, item: tuple[int, int]) -> Comparisons | Chances | Parted:
    kind, number = item
    rng = np.random.default_rng((refits.seed, kind, number))
    if kind == RESAMPLE:
        return _compare(sample, centers, refits, rng)
    if kind == PART:
        return part({k: nearest(some, sample.points) for k, some in centers.items()}, sample, centers, rng)
    table = (permute_columns if kind == PERMUTE else crowd_of)(sample, refits.columns, rng)
    return _try_chance(table, sorted(centers), refits, rng)


def part(labels: Mapping[int, Labels], sample: Block, centers: Mapping[int, Array], rng: np.random.Generator) -> Parted:
    """Look at the published segments of every K: what lies between them, in them, and where their customers are in the next K."""
    weights, points = customers_of(sample), spread_ties(sample.points, rng)
    k_values = sorted(centers)
    onward: dict[int, CrossTable] = {k_values[-1]: ()}
    for k, after in pairwise(k_values):
        table = cross_tabulate(labels[k], labels[after], weights, shape=(len(centers[k]), len(centers[after])))
        onward[k] = tuple(map(tuple, table.tolist()))
    return Parted({k: find_parting(points, weights, centers[k], labels[k], rng) for k in k_values}, onward)


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
    points = spread_ties(table.points, rng)
    parts = {k: count_parts(points, customers_of(table), fits[k].centers) for k in k_values}
    return Chances({k: Chance(one.explained_share, one.silhouette, parts[k]) for k, one in measured.items()})


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
    points, names = _even_out(sample, rng), np.array(columns)
    if len(set(columns)) == 1:
        low, high = points.min(0), points.max(0)
        return Block(sample.hashes, low + (high - low) * rng.random(points.shape), None)
    for name in dict.fromkeys(columns):
        own = names == name
        points[:, own] = points[rng.permutation(len(points))][:, own]
    return Block(sample.hashes, points, None)


def crowd_of(sample: Block, columns: Sequence[str], rng: np.random.Generator) -> Block:
    """Return an unweighted table that is one crowd, see ``draw_crowd``."""
    return Block(sample.hashes, draw_crowd(_even_out(sample, rng), columns, rng), None)


def _even_out(sample: Block, rng: np.random.Generator) -> Array:
    """Return as many points, each standing for as many customers."""
    rows, weights = len(sample.points), customers_of(sample)
    places = (rng.random() + np.arange(rows)) / rows * weights.sum()
    points: Array = sample.points[np.minimum(np.searchsorted(np.cumsum(weights), places), rows - 1)].astype(np.float64)
    return points


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
