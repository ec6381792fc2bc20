"""What one sweep over the points measures for the centres of every K at once: numpy alone.

Squared distances come from one matrix product in float64, |c|^2 - 2 c.x + |x|^2, for all K; a row's label is the nearest
centre of each K, the first in a tie, as in Spark MLlib.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segmentation.clustering.points import Array, Block

# Stands for an infinite distance in matrix products, where infinity times nought is no number.
_FAR = 1e300


@dataclass(frozen=True)
class Stack:
    """The centres of several K, one under the other: shape (sum of rows, dimensions)."""

    centers: Array
    rows: Mapping[int, slice]

    def split(self, values: Array) -> dict[int, Array]:
        """Return each K's rows of an array that has a row per centre."""
        return {k: values[rows] for k, rows in self.rows.items()}


@dataclass(frozen=True)
class Tally:
    """What the members of each centre add up to: ``sums`` (k, dimensions), ``counts`` and ``squares`` (sum of |x|^2) (k,)."""

    sums: Array
    counts: Array
    squares: Array

    def means(self, otherwise: Array) -> Array:
        """Return the members' means; the row of ``otherwise`` where a centre has none, as MLlib keeps it."""
        means: Array = otherwise.copy()
        present = self.counts > 0
        means[present] = self.sums[present] / self.counts[present, None]
        return means

    def wssse(self, centers: Array) -> float:
        """Return the sum of squared distances to ``centers``."""
        crossed = (centers * self.sums).sum(1)
        return max(0.0, float((self.squares - 2 * crossed + self.counts * (centers * centers).sum(1)).sum()))

    def variances(self) -> Array:
        """Return the members' mean squared distance to their mean, nought without members."""
        counts = np.maximum(self.counts, 1e-300)
        means = self.sums / counts[:, None]
        variances: Array = np.maximum(self.squares / counts - (means * means).sum(1), 0.0)
        return variances * (self.counts > 0)


def stack_centers(centers: Mapping[int, Array]) -> Stack:
    """Return the centres of each K as one stack."""
    rows, start = {}, 0
    for k, some in centers.items():
        rows[k] = slice(start, start + len(some))
        start += len(some)
    return Stack(np.concatenate([np.asarray(some, dtype=np.float64) for some in centers.values()]), rows)


def tally(blocks: Iterable[Block], stack: Stack) -> Array:
    """Return [sum of x, count, sum of |x|^2] of each centre's members, shape (centres, dimensions + 2)."""
    total = np.zeros((len(stack.centers), stack.centers.shape[1] + 2))
    product = _distance_matrix(stack.centers)
    for block in blocks:
        for chunk, weights in block.chunks(len(total)):
            members = _members(product @ chunk.T, stack).astype(np.float64)
            total += members @ (chunk if weights is None else chunk * weights[:, None])
    return total


def read_tallies(stack: Stack, total: Array) -> dict[int, Tally]:
    """Return the tally of each K from the sum of ``tally``."""
    return {k: Tally(part[:, :-2], part[:, -2], part[:, -1]) for k, part in stack.split(total).items()}


def judge(blocks: Iterable[Block], stack: Stack, tallies: Mapping[int, Tally]) -> Array:
    """Return [silhouette, distance to the members' mean] of each centre's members, summed: shape (centres, 2).

    Silhouette is squared Euclidean. The mean squared distance of x to the members of a cluster is that to their mean
    plus their variance, so that a second matrix product gives it for all K. A row that stands for several customers
    counts as so many: its own cluster has N / (N - 1) of the mean, whatever the row's weight.
    """
    total = np.zeros((len(stack.centers), 2))
    nearest = _distance_matrix(stack.centers)
    counts = np.concatenate([tallies[k].counts for k in stack.rows])
    variances = np.concatenate([tallies[k].variances() for k in stack.rows])
    spread = _distance_matrix(np.concatenate([tallies[k].means(stack.centers[rows]) for k, rows in stack.rows.items()]))
    spread[:, -2] += np.where(counts > 0, variances, _FAR)
    # Without itself, a cluster of one leaves nothing to be near to: its silhouette is nought by definition.
    without_self = np.where(counts > 1, counts / np.maximum(counts - 1, 1e-300), np.inf)
    numbers = np.zeros((len(stack.rows), len(stack.centers)))
    for row, rows in zip(numbers, stack.rows.values(), strict=True):
        row[rows] = np.arange(rows.stop - rows.start)
    for block in blocks:
        for chunk, weights in block.chunks(len(total)):
            members = _members(nearest @ chunk.T, stack)
            labels = (numbers @ members.astype(np.float64)).astype(np.intp)
            apart = spread @ chunk.T
            for label, rows in zip(labels, stack.rows.values(), strict=True):
                own, other = _own_and_other(apart[rows], members[rows], label)
                scores = _silhouettes(own, other, without_self[rows].take(label))
                distances = np.sqrt(np.maximum(own - variances[rows].take(label), 0.0))
                for place, values in enumerate((scores, distances)):
                    weighed = values if weights is None else values * weights
                    total[rows, place] += np.bincount(label, weighed, rows.stop - rows.start)
    return total


def _distance_matrix(centers: Array) -> Array:
    """Return what [x, 1, |x|^2] is multiplied by for squared distances, shape (centres, dimensions + 2)."""
    squares = (centers * centers).sum(1, keepdims=True)
    return np.hstack([-2 * centers, squares, np.ones_like(squares)])


def _members(distances: Array, stack: Stack) -> npt.NDArray[np.bool_]:
    """Return whether a row belongs to a centre, shape (centres, rows): to one of each K."""
    is_nearest = np.empty(distances.shape, bool)
    for rows in stack.rows.values():
        part = distances[rows]
        np.equal(part, part.min(0), out=is_nearest[rows])
    if np.count_nonzero(is_nearest) != len(stack.rows) * distances.shape[1]:
        for rows in stack.rows.values():
            part = is_nearest[rows]
            part[:] = part & (part.cumsum(0) == 1)
    return is_nearest


def _own_and_other(apart: Array, members: npt.NDArray[np.bool_], label: npt.NDArray[np.intp]) -> tuple[Array, Array]:
    """Return each row's mean squared distance to its own and to the nearest other cluster."""
    width = apart.shape[1]
    own = apart.ravel().take(label * width + np.arange(width))
    np.putmask(apart, members, np.inf)
    return own, apart.min(0)


def _silhouettes(own: Array, other: Array, without_self: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        # Rounding can leave a cluster of one a hair below nought, which infinity would blow up.
        own = np.maximum(own, 0.0) * without_self
        scores: Array = (other - own) / np.maximum(own, other)
    # 0 / 0 where all points are one, and infinity over itself in a cluster of one.
    scores[np.isnan(scores)] = 0.0
    return scores


def total_moments(blocks: Iterable[Block]) -> Array:
    """Return [sum of x, customers, sum of |x|^2, rows] of all points, shape (dimensions + 3,)."""
    parts = [
        np.append((chunk if weights is None else chunk * weights[:, None]).sum(0), len(chunk))
        for block in blocks
        for chunk, weights in block.chunks()
    ]
    return np.asarray(sum(parts))
