"""How good are the centres of every K: sizes, WSSSE, silhouette, Calinski-Harabasz, Davies-Bouldin. Feeds ``grid``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from segmentation.clustering.points import Array, Points
from segmentation.clustering.sweeps import Tally, judge, read_tallies, stack_centers, tally

_SAMPLING_RISK = 0.01


@dataclass(frozen=True)
class Evaluation:
    """Measures of one set of centres.

    ``sizes`` are customers per centre; ``wssse`` is in scaled units squared; ``explained_share`` is what the clusters
    explain of the total sum of squares, 0 to 1, and ``between_shares`` each coordinate's part in that. ``silhouettes`` are
    the members' mean per centre, NaN without members. ``silhouette``, ``davies_bouldin`` and ``calinski_harabasz`` are
    None with one cluster, the last also where each customer is a cluster. ``silhouette_error`` is nought where every
    customer was looked at.
    """

    sizes: tuple[float, ...]
    wssse: float
    explained_share: float
    between_shares: tuple[float, ...]
    silhouette: float | None
    silhouettes: tuple[float, ...]
    silhouette_error: float
    calinski_harabasz: float | None
    davies_bouldin: float | None

    @property
    def effective_k(self) -> int:
        """Segments that hold customers, count."""
        return sum(size > 0 for size in self.sizes)

    @property
    def smallest_share(self) -> float:
        """Customers of the smallest segment / all, 0 to 1."""
        return min(size for size in self.sizes if size > 0) / sum(self.sizes)

    @property
    def largest_share(self) -> float:
        """Customers of the largest segment / all, 0 to 1."""
        return max(self.sizes) / sum(self.sizes)

    @property
    def weakest_silhouette(self) -> float | None:
        """Mean silhouette of the segment with the smallest; None when undefined."""
        return None if self.silhouette is None else min(one for one in self.silhouettes if not math.isnan(one))


def tally_grid(points: Points, centers: Mapping[int, Array]) -> dict[int, Tally]:
    """Return what the members of each centre add up to, for every K, in one sweep."""
    stack = stack_centers(centers)
    return read_tallies(stack, points.total(partial(tally, stack=stack)))


def measure_grid(points: Points, centers: Mapping[int, Array]) -> dict[int, Evaluation]:
    """Evaluate the centres of every K, wherever they came from, in two sweeps."""
    return evaluate_grid(points, centers, tally_grid(points, centers))


def evaluate_grid(
    points: Points, centers: Mapping[int, Array], tallies: Mapping[int, Tally], *, coreset_rows: int | None = None
) -> dict[int, Evaluation]:
    """Evaluate the centres of every K in one sweep over ``points``.

    Silhouette is that of Spark's ``ClusteringEvaluator`` (squared Euclidean), Calinski-Harabasz and Davies-Bouldin
    those of scikit-learn, of the labels that the centres give.

    Parameters
    ----------
    centers : by K, shape (k, dimensions), scaled units
    tallies : by K
        ``tally_grid`` of the whole table.
    coreset_rows : int or None
        The size asked of the coreset that ``points`` is: silhouette and Davies-Bouldin are then unbiased estimates, the
        former with a bound of its error. None where ``points`` is the whole table.
    """
    stack = stack_centers(centers)
    judged = stack.split(points.total(partial(judge, stack=stack, tallies=tallies)))
    error = 0.0 if coreset_rows is None else sampling_error(coreset_rows, len(centers))
    return {k: evaluate_tally(centers[k], tallies[k], judged[k], error) for k in centers}


def sampling_error(coreset_rows: int, grid_size: int) -> float:
    """Return how far the silhouettes of a grid may be off on a coreset, all K together, with a probability of 99 %.

    Bernstein's inequality for rows kept independently with a probability of at least coreset_rows / 2n: each adds at
    most 2 / coreset_rows, and all together a variance of at most that (Boucheron, Lugosi, Massart 2013, section 2.8).
    """
    surprise, most = math.log(2 * grid_size / _SAMPLING_RISK), 2 / coreset_rows
    return most * surprise / 3 + math.sqrt((most * surprise / 3) ** 2 + 2 * most * surprise)


def evaluate_tally(centers: Array, found: Tally, judged: Array, error: float = 0.0) -> Evaluation:
    """Put together one K; ``judged`` has the sums of silhouette and of distance over each centre's members."""
    present = found.counts > 0
    customers = float(found.counts.sum())
    several = int(present.sum()) > 1
    members = np.where(present, found.counts, np.nan)
    means = found.means(otherwise=centers)[present]
    between = found.counts[present] @ (means - found.sums.sum(0) / customers) ** 2
    within = float((found.variances() * found.counts).sum())
    total = float(between.sum()) + within
    return Evaluation(
        sizes=tuple(found.counts.tolist()),
        wssse=found.wssse(centers),
        explained_share=float(between.sum()) / total if total > 0 else 0.0,
        between_shares=tuple((between / max(float(between.sum()), 1e-300)).tolist()),
        silhouette=float(judged[:, 0].sum()) / customers if several else None,
        silhouettes=tuple((judged[:, 0] / members).tolist()),
        silhouette_error=error,
        calinski_harabasz=_calinski_harabasz(float(between.sum()), within, len(means), customers) if several else None,
        davies_bouldin=_davies_bouldin(means, (judged[:, 1] / members)[present]) if several else None,
    )


def _calinski_harabasz(between: float, within: float, clusters: int, customers: float) -> float | None:
    if customers <= clusters:
        return None
    # scikit-learn's value where every cluster is a point.
    return 1.0 if within == 0 else between * (customers - clusters) / (within * (clusters - 1))


def _davies_bouldin(means: Array, distances: Array) -> float:
    apart = np.sqrt(((means[:, None, :] - means[None, :, :]) ** 2).sum(2))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = (distances[:, None] + distances[None, :]) / apart
    np.fill_diagonal(ratios, 0.0)
    # Means on one place are no two clusters; scikit-learn leaves such a pair out too.
    return float(np.where(np.isfinite(ratios), ratios, 0.0).max(1).mean())
