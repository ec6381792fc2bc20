"""Spark MLlib's ``KMeans`` for one K: a restart per seed, the cheapest kept. Floor 2."""

from collections.abc import Sequence

import numpy as np
from pyspark.ml.clustering import KMeans
from pyspark.sql import DataFrame

from segmentation.clustering.grid import Fit
from segmentation.parallel import side_by_side

_COST_DIGITS = 9


def fit_kmeans(
    prepared: DataFrame,
    *,
    k_values: Sequence[int],
    seeds: Sequence[int],
    max_iterations: int,
    tolerance: float,
    distinct_points: int,
) -> list[Fit]:
    """Fit every K with every seed, side by side, and keep the cheapest restart of each K.

    Parameters
    ----------
    prepared : DataFrame with ``features``, cached, in the canonical layout
    tolerance : float
        A restart ends when no centre moves farther, scaled units.
    distinct_points : int
        Distinct vectors, counted up to a bound well above the largest K.

    Returns
    -------
    list of Fit
        In the order of ``k_values``.
    """

    def fit(restart: tuple[int, int]) -> tuple[float, Fit]:
        k, seed = restart
        # The block solver fails where seeding finds fewer centres than K; the row solver returns the fewer.
        solver = "block" if distinct_points >= 4 * k else "row"
        estimator = KMeans(k=k, seed=seed, solver=solver, maxIter=max_iterations, tol=tolerance)
        model = estimator.fit(prepared)
        iterations = int(model.summary.numIter)
        # The training cost is of the centres before the last step: good enough to rank restarts, not to publish.
        cost = float(f"{model.summary.trainingCost:.{_COST_DIGITS}g}")
        centers = np.array(model.clusterCenters())
        return cost, Fit(k, seed, centers, iterations, converged=iterations < max_iterations)

    restarts = [(k, seed) for k in k_values for seed in seeds]
    results = side_by_side(prepared.sparkSession, fit, restarts)
    return [
        min((result for result in results if result[1].k == k), key=lambda result: (result[0], result[1].seed))[1]
        for k in k_values
    ]
