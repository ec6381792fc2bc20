"""A table that is one crowd: what the customers would look like if their columns hung together, but without any groups.

Every column keeps its values (ties, zeros, levels, missing flags and skew included) and every two columns their correlation
of normal scores; nothing else is kept: a Gaussian copula (Nelsen 2006, section 2.3). Groups that show in a single column would
survive in its values, so a column of several summits is smoothed until it has one (Silverman 1981).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtri

from segmentation.clustering.points import Array

# A value of so many rows is a level of its own, or a spike such as zero; it is kept, not smoothed.
SPIKE_SHARE = 0.02
_BINS = 512
# A summit is one if the density falls by this share of the highest before it rises again: the tails have many small ones.
_LEAST_FALL = 0.05
_TAIL = 0.005
_ROUNDS = 20


def draw_crowd(points: Array, columns: Sequence[str], rng: np.random.Generator) -> Array:
    """Return a table of the same shape that is one crowd.

    Parameters
    ----------
    points : shape (rows, dimensions), scaled units, a customer a row
    columns : the column that each coordinate belongs to
        Coordinates of one column (levels of a category, a number and its missing-flag) stay together; their first
        principal component says which rows are alike.
    """
    rows = len(points)
    names = np.array(columns)
    owned = [np.flatnonzero(names == name) for name in dict.fromkeys(columns)]
    orders = [_order(points[:, own], rng) for own in owned]
    scores = np.empty((rows, len(owned)))
    quantiles = ndtri((np.arange(rows) + 0.5) / rows)
    for place, order in enumerate(orders):
        scores[order, place] = quantiles
    drawn = rng.standard_normal((rows, len(owned))) @ _root(np.atleast_2d(np.corrcoef(scores, rowvar=False)))
    crowd = np.empty_like(points, dtype=np.float64)
    for place, (own, order) in enumerate(zip(owned, orders, strict=True)):
        values = points[order][:, own]
        if len(own) == 1:
            values = np.sort(smooth_summits(values[:, 0], rng))[:, None]
        crowd[np.ix_(np.argsort(drawn[:, place], kind="stable"), own)] = values
    return crowd


def smooth_summits(values: Array, rng: np.random.Generator) -> Array:
    """Return a column smoothed by the least bandwidth that leaves one summit, mean and variance kept; as it is if it has one.

    Spikes are left where they are.
    """
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    loose = is_loose(times)[place]
    some = values[loose]
    if len(some) < _BINS // 8 or np.ptp(some) == 0:
        return values
    bandwidth = _critical_bandwidth(some)
    if bandwidth <= _usual_bandwidth(some):
        return values
    variance = float(some.var())
    wider = some + bandwidth * rng.standard_normal(len(some))
    smoothed = values.copy()
    smoothed[loose] = some.mean() + (wider - some.mean()) / np.sqrt(1 + bandwidth**2 / variance)
    return smoothed


def is_loose(times: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Return which of a column's distinct values are no spikes, by how many rows have each."""
    loose: npt.NDArray[np.bool_] = times < max(2.0, SPIKE_SHARE * times.sum())
    return loose


def _order(block: Array, rng: np.random.Generator) -> np.ndarray:
    """Return the rows from the smallest to the largest, equal ones in random order."""
    if block.shape[1] > 1:
        centered = block - block.mean(0)
        _, axes = np.linalg.eigh(centered.T @ centered)
        score = np.round(centered @ axes[:, -1], 12)
    else:
        score = block[:, 0]
    return np.lexsort((rng.random(len(score)), score))


def _root(correlation: Array) -> Array:
    values, vectors = np.linalg.eigh(np.nan_to_num(correlation))
    root: Array = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def _usual_bandwidth(values: Array) -> float:
    """Return Silverman's rule of thumb."""
    low, high = np.quantile(values, [0.25, 0.75]).tolist()
    spread = float(min(values.std(), (high - low) / 1.349) or values.std())
    return float(0.9 * spread * len(values) ** -0.2)


def _critical_bandwidth(values: Array) -> float:
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    if high <= low:
        return 0.0
    margin = (high - low) / 2
    counts, edges = np.histogram(values, _BINS, range=(low - margin, high + margin))
    width = float(edges[1] - edges[0])
    least, most = 0.0, float(margin)
    for _ in range(_ROUNDS):
        middle = (least + most) / 2
        if _summits(gaussian_filter1d(counts.astype(np.float64), middle / width, mode="constant")) > 1:
            least = middle
        else:
            most = middle
    return float(most)


def _summits(density: Array) -> int:
    """Return how often the density rises by ``_LEAST_FALL`` of its highest value after as great a fall, one at least."""
    least = _LEAST_FALL * float(density.max())
    summits, top, bottom, is_falling = 1, 0.0, 0.0, False
    for height in density.tolist():
        if is_falling:
            bottom = min(bottom, height)
            if height >= bottom + least:
                summits, top, is_falling = summits + 1, height, False
        else:
            top = max(top, height)
            if height <= top - least:
                bottom, is_falling = height, True
    return summits
