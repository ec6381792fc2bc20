"""Every K of the grid fitted, measured, and tried on resampled customers and permuted columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

import numpy as np
from pyspark.sql import DataFrame

from segmentation.clustering.alternates import SAMPLE_ROWS, AlternateFit, fit_alternates, support_alternates
from segmentation.clustering.fits import Fit
from segmentation.clustering.fused import Settings, Solution, find_starts, solve_grid
from segmentation.clustering.lloyd import descend
from segmentation.clustering.measures import evaluate_grid, measure_grid
from segmentation.clustering.members import evaluate_labels
from segmentation.clustering.mllib import evaluate_fits, fit_kmeans
from segmentation.clustering.points import Points, work_on_points
from segmentation.clustering.preparation import Prepared
from segmentation.clustering.refits import Refits, Support, draw_sample, support_grid, variance_shares
from segmentation.config.schema import Clustering
from segmentation.errors import ModelError

Solver = Literal["mllib", "fused"]
Result = TypeVar("Result")
# The same for every configuration: other solver seeds must not be judged by other resamples.
REFIT_SEED = 1


@dataclass(frozen=True)
class Solved:
    """The grid with its evidence.

    Attributes
    ----------
    solutions : one per K, in order
    supports : what refits say of each K
    variance_shares : each coordinate's share of the total variance, 0 to 1
    alternates : by K, the models of another algorithm than k-means; empty for k-means
    """

    solver: Solver
    solutions: list[Solution]
    supports: dict[int, Support]
    variance_shares: tuple[float, ...]
    alternates: dict[int, AlternateFit] = field(default_factory=dict)


def choose_solver(clustering: Clustering) -> Solver:
    """Return the solver: the fused one where it can and nobody asked for MLlib's."""
    if clustering.algorithm != "kmeans" or clustering.solver == "mllib":
        return "mllib"
    return "fused"


def choose_k_values(clustering: Clustering, *, asked_k: int | None, customers: int) -> list[int]:
    """Return the K to try.

    Raises
    ------
    ModelError
        If there are fewer customers than K.
    """
    largest = max(clustering.k_max, asked_k or 0)
    if largest > customers:
        place = "--k" if asked_k == largest else "clustering.k_max"
        raise ModelError(place, expected=f"at most {customers:,}, the number of customers", found=str(largest))
    return sorted({*range(clustering.k_min, clustering.k_max + 1), *([asked_k] if asked_k else [])})


def solve(
    prepared: DataFrame, columns: tuple[str, ...], clustering: Clustering, *, k_values: list[int], customers: int
) -> Solved:
    """Fit and judge every K.

    Parameters
    ----------
    prepared : DataFrame
        ``customer_id`` and ``features`` (vector), in the canonical layout; cached where MLlib solves.
    columns : what each coordinate belongs to, of ``name_columns``
    k_values : of ``choose_k_values``
    """
    if clustering.algorithm != "kmeans":
        return _solve_alternates(prepared, columns, clustering, k_values=k_values, customers=customers)
    solver = choose_solver(clustering)
    refits = _refits(columns, clustering)
    settings = Settings(
        k_values=tuple(k_values),
        seeds=tuple(clustering.seeds),
        max_iterations=clustering.max_iterations,
        min_gain=clustering.min_gain,
        silhouette=clustering.silhouette,
    )
    on_points = partial(_work_on, prepared, clustering, customers=customers, dimensions=len(columns))
    if solver == "fused":
        return Solved(solver, *on_points(partial(solve_and_support, settings=settings, refits=refits)))
    starts = on_points(partial(find_starts, settings=settings))
    fits = fit_kmeans(prepared, starts, max_iterations=clustering.max_iterations, tolerance=clustering.tolerance)
    solutions, supports, shares = on_points(partial(measure_and_support, fits=fits, refits=refits))
    judged = evaluate_fits(prepared, fits, {fit.k: found for fit, found in solutions})
    return Solved(solver, [(fit, judged[fit.k]) for fit in fits], supports, shares)


def _work_on(
    prepared: DataFrame, clustering: Clustering, work: Callable[[Points], Result], *, customers: int, dimensions: int
) -> Result:
    return work_on_points(
        prepared,
        work,
        customers=customers,
        dimensions=dimensions,
        seed=clustering.seeds[0],
        local_bytes=clustering.driver_bytes,
    )


def name_columns(preparation: Prepared) -> tuple[str, ...]:
    """Return the feature that each coordinate belongs to; with PCA each component is a column of its own."""
    if preparation.pca_components is not None:
        return tuple(f"principal_component_{place + 1}" for place in range(preparation.pca_components))
    return tuple(coordinate.feature.split("=", 1)[0] for coordinate in preparation.coordinates)


Found = tuple[list[Solution], dict[int, Support], tuple[float, ...]]


def solve_and_support(points: Points, *, settings: Settings, refits: Refits) -> Found:
    """Fit every K by the fused solver, and support it by refits."""
    return _support(points, solve_grid(points, settings), refits)


def measure_and_support(points: Points, *, fits: Sequence[Fit], refits: Refits) -> Found:
    """Measure what MLlib fitted, and support it by refits."""
    found = measure_grid(points, {fit.k: fit.centers for fit in fits})
    return _support(points, [(fit, found[fit.k]) for fit in fits], refits)


def _support(points: Points, solutions: list[Solution], refits: Refits) -> Found:
    sample = draw_sample(points)
    supports = support_grid(points, sample, {fit.k: fit.centers for fit, _ in solutions}, refits)
    return solutions, supports, variance_shares(sample)


def _refits(columns: tuple[str, ...], clustering: Clustering) -> Refits:
    return Refits(columns, REFIT_SEED, clustering.resamples, clustering.null_tables, clustering.max_iterations)


def solve_single(prepared: DataFrame, clustering: Clustering, *, customers: int, dimensions: int) -> Solution:
    """Return the single segment that holds everybody."""
    work = partial(_fit_single, dimensions=dimensions, seed=clustering.seeds[0])
    return _work_on(prepared, clustering, work, customers=customers, dimensions=dimensions)


def _fit_single(points: Points, *, dimensions: int, seed: int) -> Solution:
    end = descend(points, {1: np.zeros((1, dimensions))}, max_iterations=2, min_gain=0.0)[1]
    found = evaluate_grid(points, {1: end.centers}, {1: end.tally})[1]
    return Fit(1, seed, end.centers, end.iterations, converged=True), found


def _solve_alternates(
    prepared: DataFrame, columns: tuple[str, ...], clustering: Clustering, *, k_values: list[int], customers: int
) -> Solved:
    fits, solutions = fit_other(prepared, clustering, k_values=k_values)
    draw = partial(draw_sample, rows=SAMPLE_ROWS)
    sample = _work_on(prepared, clustering, draw, customers=customers, dimensions=len(columns))
    refits = _refits(columns, clustering)
    supports = support_alternates(
        prepared.sparkSession, sample, fits, refits, algorithm=clustering.algorithm, tolerance=clustering.tolerance
    )
    return Solved("mllib", solutions, supports, variance_shares(sample), {fit.k: fit for fit in fits})


def fit_other(
    prepared: DataFrame, clustering: Clustering, *, k_values: Sequence[int]
) -> tuple[list[AlternateFit], list[Solution]]:
    """Fit each K by another algorithm than k-means, and measure it; the fit of a K is the same whatever others there are."""
    fits = fit_alternates(
        prepared,
        algorithm=clustering.algorithm,
        k_values=k_values,
        seeds=clustering.seeds,
        max_iterations=clustering.max_iterations,
        tolerance=clustering.tolerance,
    )
    solutions = []
    for fit in fits:
        means, found = evaluate_labels(fit.label(prepared), fit.k)
        solutions.append((Fit(fit.k, fit.seed, means, fit.iterations, fit.converged), found))
    return fits, solutions
