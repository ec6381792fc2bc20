"""Exact Lloyd iterations for every K at once: one sweep over the points an iteration."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from segmentation.clustering.points import Array, Points
from segmentation.clustering.sweeps import Tally, read_tallies, stack_centers, tally

# The last bits of a sum make a settled centre move by so little, as a share of WSSSE.
_ROUNDING = 1e-14


@dataclass(frozen=True)
class Descent:
    """Where Lloyd's iterations of one K ended: ``centers`` and the tally and WSSSE of these very centres.

    ``gain`` is the share of WSSSE that one more move of the centres to their members' means would save, labels kept.
    """

    centers: Array
    tally: Tally
    wssse: float
    gain: float
    iterations: int
    converged: bool


def descend(points: Points, starts: Mapping[int, Array], *, max_iterations: int, min_gain: float) -> dict[int, Descent]:
    """Iterate every K from its centres until a move would save less than ``min_gain`` of its WSSSE.

    A K that has ended leaves the sweep. A centre without members stays where it is, as in Spark MLlib.

    Parameters
    ----------
    starts : by K, arrays of shape (k, dimensions), scaled units
    max_iterations : sweeps, count
    min_gain : share of WSSSE, 0 to 1; nought iterates until the centres stand still
    """
    ended: dict[int, Descent] = {}
    active = dict(starts)
    for iteration in range(1, max_iterations + 1):
        stack = stack_centers(active)
        tallies = read_tallies(stack, points.total(partial(tally, stack=stack)))
        for k, found in tallies.items():
            centers = active[k]
            means = found.means(otherwise=centers)
            wssse = found.wssse(centers)
            saved = float((found.counts * ((means - centers) ** 2).sum(1)).sum())
            gain = saved / wssse if wssse > 0 else 0.0
            converged = gain <= max(min_gain, _ROUNDING)
            active[k] = means
            if converged or iteration == max_iterations:
                ended[k] = Descent(centers, found, wssse, gain, iteration, converged)
                del active[k]
        if not active:
            break
    return {k: ended[k] for k in starts}
