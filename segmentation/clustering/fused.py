"""Every K in one solver: coreset seeds, exact Lloyd and evaluation, each sweep for all K together. Floor 2.

A table that fits into one task is solved by one task of one Spark job; a larger one by a job a sweep over packed blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pyspark.sql import DataFrame

from segmentation.blocks import ArrayPoints, Block, PackedPoints, Points, Precision, pack, pack_and_keep, run_in_one_task
from segmentation.clustering.grid import Fit
from segmentation.clustering.lloyd import descend
from segmentation.clustering.seeding import CORESET_ROWS, choose_coreset, seed_grid
from segmentation.evaluation import Evaluation, evaluate_grid
from segmentation.kernels import total_moments

# Packed bytes up to which one task takes the whole grid: 400,000 customers with ten features.
ONE_TASK_BYTES = 16 * 2**20

Solution = tuple[Fit, Evaluation]


@dataclass(frozen=True)
class Settings:
    """What the solver is asked; see ``config.Clustering``."""

    k_values: tuple[int, ...]
    seeds: tuple[int, ...]
    max_iterations: int
    min_gain: float
    sampled: bool = False
    coreset_rows: int = CORESET_ROWS


def fit_grid_fused(
    prepared: DataFrame, settings: Settings, *, customers: int, dimensions: int, precision: Precision = "float32"
) -> list[Solution]:
    """Fit and evaluate every K.

    Parameters
    ----------
    prepared : DataFrame
        ``customer_id`` (unique) and ``features``, a vector or an array of numbers without nulls.
    customers, dimensions : rows of ``prepared`` and length of ``features``
        Tell whether one task will do.
    precision : of the packed points; sums, distances and measures are float64

    Returns
    -------
    list of (Fit, Evaluation)
        In the order of ``k_values``; the same for any order of rows, number of partitions and cores, up to the last bits.

    Raises
    ------
    ValueError
        If a feature is not finite.
    """
    if customers * dimensions * np.dtype(precision).itemsize <= ONE_TASK_BYTES:
        packed = pack(prepared, seed=settings.seeds[0], precision=precision)
        solved = run_in_one_task(packed, partial(_solve_in_task, settings), dimensions=dimensions, precision=precision)
        return solved
    points = pack_and_keep(prepared, dimensions=dimensions, seed=settings.seeds[0], precision=precision)
    try:
        moments = points.total(total_moments)
        coreset = points.gather(partial(choose_coreset, moments=moments, rows=settings.coreset_rows))
        return _solve(settings, points, coreset, moments)
    finally:
        points.packed.unpersist()


def _solve_in_task(settings: Settings, points: ArrayPoints) -> list[Solution]:
    moments = points.total(total_moments)
    coreset = choose_coreset(points.block, moments, rows=settings.coreset_rows)
    return _solve(settings, points, coreset, moments)


def _solve(settings: Settings, points: Points, coreset: Block, moments: np.ndarray) -> list[Solution]:
    if not np.isfinite(moments).all():
        raise ValueError("features: finite numbers are expected, found NaN or infinity")
    seeded = seed_grid(
        points, coreset, k_values=settings.k_values, seeds=settings.seeds, max_iterations=settings.max_iterations
    )
    starts = {k: centers for k, (_, centers) in seeded.items()}
    ends = descend(points, starts, max_iterations=settings.max_iterations, min_gain=settings.min_gain)
    centers = {k: end.centers for k, end in ends.items()}
    tallies = {k: end.tally for k, end in ends.items()}
    is_sample = settings.sampled and len(coreset.points) < moments[-1]
    judged: Points = ArrayPoints(coreset) if is_sample else points
    found = evaluate_grid(judged, centers, tallies, coreset_rows=settings.coreset_rows if is_sample else None)
    return [
        (Fit(k, seeded[k][0], end.centers, end.iterations, end.converged, end.gain), found[k]) for k, end in ends.items()
    ]
