"""How much nearer to their centres today's customers would lie after a refit: a model's excess of WSSSE."""

import math
from dataclasses import dataclass

import numpy as np

from segmentation.clustering.lloyd import descend
from segmentation.clustering.points import Array, ArrayPoints, Block

_ITERATIONS, _GAIN = 20, 1e-4


@dataclass(frozen=True)
class Excess:
    """By what share WSSSE of frozen centres is above that of a refit, below nought where the refit is worse.

    ``error`` is the share's standard error, ``drawn`` what the training's centres lose where half as many others are drawn.
    """

    share: float
    error: float
    drawn: float = 0.0


def measure_excess(then: Array, now: Array, centers: Array) -> Excess:
    """Return by what share WSSSE of ``centers`` is above that of a refit of as many segments, on the customers of today.

    Each half of them is fitted by Lloyd's iterations from ``centers``, and the other half measures what that gains. So a
    refit gains nothing by following noise, nor a few customers far out. Of the training's customers the same says what is
    no drift: an excess that was there (centres of another algorithm than k-means), and what centres depend on who is drawn.

    Parameters
    ----------
    then, now : shape (customers, dimensions), scaled units, in an order that says nothing of the customers
        Of the training, and of today.
    """
    trained, today = _fit_halves(then, centers), _fit_halves(now, centers)
    share = (1 + today.share) / (1 + max(trained.share, 0.0)) - 1
    return Excess(share, math.hypot(trained.error, today.error), max(-trained.share, 0.0))


def _fit_halves(points: Array, centers: Array) -> Excess:
    """Return the excess that each half's refit finds in the other half."""
    gains, refit = [np.zeros(0)], 0.0
    halves = (points[::2], points[1::2])
    for own, other in (halves, halves[::-1]) if len(points) > 1 else ():
        block = ArrayPoints(Block(np.arange(len(own), dtype=np.uint64), own, None))
        ended = descend(block, {len(centers): centers}, max_iterations=_ITERATIONS, min_gain=_GAIN)[len(centers)]
        frozen, fitted = (_squares(other, places) for places in (centers, ended.centers))
        gains.append(frozen - fitted)
        refit += float(fitted.sum())
    gain = np.concatenate(gains)
    return Excess(float(gain.sum() / refit), float(np.sqrt((gain**2).sum()) / refit)) if refit > 0 else Excess(0.0, 0.0)


def _squares(points: Array, centers: Array) -> Array:
    """Return each point's squared distance from the nearest centre."""
    nearest = np.full(len(points), np.inf)
    for center in centers:
        np.minimum(nearest, ((points - center) ** 2).sum(1), out=nearest)
    return nearest
