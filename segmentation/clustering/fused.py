"""Every K in one solver: coreset seeds, exact Lloyd and evaluation, each sweep for all K together. Feeds ``grid``."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from segmentation.clustering.fits import Fit
from segmentation.clustering.lloyd import descend
from segmentation.clustering.measures import Evaluation, evaluate_grid
from segmentation.clustering.points import Array, ArrayPoints, Block, Points
from segmentation.clustering.seeding import CORESET_ROWS, choose_coreset, seed_grid
from segmentation.clustering.sweeps import total_moments
from segmentation.errors import ModelError

Solution = tuple[Fit, Evaluation]


@dataclass(frozen=True)
class Settings:
    """What the solver is asked; see ``config.Clustering``."""

    k_values: tuple[int, ...]
    seeds: tuple[int, ...]
    max_iterations: int
    min_gain: float
    silhouette: Literal["exact", "sampled"] = "exact"
    coreset_rows: int = CORESET_ROWS


def solve_grid(points: Points, settings: Settings) -> list[Solution]:
    """Fit and evaluate every K.

    The result is the same for any order of rows, number of partitions and cores, up to the last bits of a sum.

    Returns
    -------
    list of (Fit, Evaluation)
        In the order of ``settings.k_values``.

    Raises
    ------
    ModelError
        If a feature is not finite.
    """
    customers, coreset, seeded = _seed(points, settings)
    starts = {k: centers for k, (_, centers) in seeded.items()}
    ends = descend(points, starts, max_iterations=settings.max_iterations, min_gain=settings.min_gain)
    centers = {k: end.centers for k, end in ends.items()}
    tallies = {k: end.tally for k, end in ends.items()}
    if settings.silhouette == "sampled" and len(coreset.points) < customers:
        found = evaluate_grid(ArrayPoints(coreset), centers, tallies, coreset_rows=settings.coreset_rows)
    else:
        found = evaluate_grid(points, centers, tallies)
    return [(Fit(k, seeded[k][0], end.centers, end.iterations, end.converged, end.gain), found[k]) for k, end in ends.items()]


def find_starts(points: Points, settings: Settings) -> dict[int, tuple[int, Array]]:
    """Return (seed, centres) of every K from which another solver may go on; see ``solve_grid``."""
    return _seed(points, settings)[2]


def _seed(points: Points, settings: Settings) -> tuple[float, Block, dict[int, tuple[int, Array]]]:
    """Return the number of rows, the coreset, and the seed and centres of every K on it."""
    moments = points.total(total_moments)
    if not np.isfinite(moments).all():
        raise ModelError("features", expected="finite numbers", found="NaN or infinity")
    coreset = points.gather(partial(choose_coreset, moments=moments, rows=settings.coreset_rows))
    # In this process even where the points are not: the coreset is here, and three Spark jobs cost more than the work.
    with threadpool_limits(1, "blas"):
        seeded = seed_grid(coreset, k_values=settings.k_values, seeds=settings.seeds, max_iterations=settings.max_iterations)
    return float(moments[-1]), coreset, seeded
