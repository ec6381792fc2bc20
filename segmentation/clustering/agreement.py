"""Which centre is nearest, and how far two groupings of the same customers agree: adjusted Rand, and Jaccard by segment."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from segmentation.clustering.points import Array

Labels = npt.NDArray[np.intp]


def nearest(centers: Array, points: Array) -> Labels:
    """Return each point's nearest centre, the first in a tie."""
    labels: Labels = ((centers * centers).sum(1) - 2 * points @ centers.T).argmin(1)
    return labels


def cross_tabulate(one: Labels, other: Labels, weights: Array, *, shape: tuple[int, int]) -> Array:
    """Return the customers of each pair of labels, an array of ``shape``: (labels of ``one``, labels of ``other``)."""
    counts: Array = np.bincount(one * shape[1] + other, weights, shape[0] * shape[1]).astype(np.float64)
    return counts.reshape(shape)


def adjusted_rand(table: Array) -> float:
    """Return the adjusted Rand index of a cross table: 1 where both group alike, about 0 by chance (Hubert, Arabie 1985)."""
    together, rows, columns, total = (_pairs(part) for part in (table, table.sum(1), table.sum(0), table.sum()))
    expected, most = rows * columns / total, (rows + columns) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def matched_jaccards(table: Array) -> Array:
    """Return each row's Jaccard similarity to the column that the Hungarian method gives it, 0 where it gets none.

    Jaccard is customers in both / customers in either; the matching makes their sum as large as can be (Kuhn 1955).
    """
    either = table.sum(1)[:, None] + table.sum(0)[None, :] - table
    similarity = np.divide(table, either, out=np.zeros_like(table), where=either > 0)
    rows, columns = linear_sum_assignment(similarity, maximize=True)
    jaccards = np.zeros(len(table))
    jaccards[rows] = similarity[rows, columns]
    return jaccards


def _pairs(counts: Array) -> float:
    return float((counts * (counts - 1) / 2).sum())
