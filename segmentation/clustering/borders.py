"""Where segments meet: whether a valley in the density parts two neighbours, or the cut goes through a crowd.

A crowd whose density falls away from one summit on all sides has no valley between any two places in it, however
correlated, skewed or heavy-tailed it is. So segments that a valley parts are groups, and segments that no valley parts are
pieces of one. This asks neither for a model of the crowd nor for tables of critical values; the idea is that of modes
joined by paths (Menardi 2016, section 3; Burman and Polonik 2009), on the segments instead of on the customers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from segmentation.clustering.agreement import Labels
from segmentation.clustering.crowd import SPIKE_SHARE, is_loose
from segmentation.clustering.lloyd import descend
from segmentation.clustering.points import Array, ArrayPoints, Block
from segmentation.clustering.seeding import spread_centers

# A valley holds at most 70 % of what its lower bank holds, by two and a half standard errors of that difference.
LEAST_DEPTH, LEAST_SURPRISE = 0.3, 2.5
# The path from centre to centre, 0 to 1, in bins; densities are compared over windows of several widths.
_STEP, _BEFORE, _BEYOND = 0.05, -0.6, 1.6
_EDGES = np.arange(_BEFORE, _BEYOND + _STEP / 2, _STEP)
_WIDTHS = (4, 6, 8)
_INNER = (0.15, 0.85)
_BANK = 0.6
# What lies within the distance that nine in ten members have from the path.
_REACH = 0.9
# Where no more of the members are near the border, on the line or off it, nothing can lead around.
_OPEN = 0.02
# Customers whose nearest two centres are as near as this, as a share of the way, are at the border.
_NEAR = 0.1
_MEETING_ROWS = 10
# Times the customers of its neighbour from which on a segment reaches over the border between them.
_MANY = 4
# A spike is spread only beside so many customers whose values are no spikes.
_LOOSE_SHARE = 0.1
# A segment of fewer customers is not looked into.
_LEAST_ROWS = 30
_SPLIT_ITERATIONS, _SPLIT_GAIN = 30, 1e-3
# Crowds are counted within the distance of the usual neighbour of this rank (or a thirtieth of all), around so many places.
_NEIGHBOURS, _COMPARED_ROWS, _DENSE = 15, 300, 0.9


@dataclass(frozen=True)
class Border:
    """What lies between two neighbouring segments of one K.

    Attributes
    ----------
    first, second : centres, ``first`` the smaller number
    depth : share by which the density at the bottom lies below the lower of its two banks, 0 to 1; 0 without a valley
    surprise : the same difference in standard errors
    near_share : share of the two segments' customers whose place along the line through the centres is within a tenth of its
        middle, 0 to 1
    """

    first: int
    second: int
    depth: float
    surprise: float
    near_share: float

    @property
    def is_valley(self) -> bool:
        """Whether the two are apart."""
        return self.depth >= LEAST_DEPTH and self.surprise >= LEAST_SURPRISE


def find_borders(points: Array, weights: Array, centers: Array, label: Labels | None = None) -> list[Border]:
    """Return the borders between neighbours: centres that are the nearest two of some customer (Martinetz, Schulten 1994).

    Parameters
    ----------
    points : shape (rows, dimensions), scaled units
        Without ties, see ``spread_ties``: steps between the values of a column are no valleys.
    weights : shape (rows,)
        Customers that a row stands for.
    centers : shape (k, dimensions)
    label : shape (rows,)
        The segment of each row; without it that of the nearest centre.
    """
    squares, label = _measure(points, centers, label)
    return [
        _look_between(points, weights, centers, squares, label, first, second) for first, second in _neighbours(squares, label)
    ]


def _measure(points: Array, centers: Array, label: Labels | None) -> tuple[Array, Labels]:
    """Return each row's squared distance to each centre, and its label, that of the nearest centre where none is given."""
    squares = np.maximum((points**2).sum(1)[:, None] - 2 * points @ centers.T + (centers**2).sum(1), 0.0)
    return squares, squares.argmin(1) if label is None else label


@dataclass(frozen=True)
class Parting:
    """How the segments of one K lie to each other.

    Attributes
    ----------
    borders : between neighbours
    inner : per segment, the border between its two halves by k-means; None where it has too few customers to tell
    """

    borders: tuple[Border, ...]
    inner: tuple[Border | None, ...]

    @property
    def parts(self) -> int:
        """What is left when segments without a valley between them are joined."""
        return len(set(join_segments(self.borders, len(self.inner))))

    @property
    def splittable(self) -> tuple[bool, ...]:
        """Which segments have a valley inside."""
        return tuple(one is not None and one.is_valley for one in self.inner)

    @property
    def shallowest(self) -> float | None:
        """The least depth of the borders, None of a single segment."""
        return min((one.depth for one in self.borders), default=None)


def find_parting(points: Array, weights: Array, centers: Array, label: Labels, rng: np.random.Generator) -> Parting:
    """Return the borders between the segments, and whether one has a valley inside; see ``find_borders``."""
    return Parting(
        borders=tuple(find_borders(points, weights, centers, label)),
        inner=tuple(_look_inside(points[own], weights[own], rng) for own in (label == place for place in range(len(centers)))),
    )


def _look_inside(points: Array, weights: Array, rng: np.random.Generator) -> Border | None:
    if len(points) < _LEAST_ROWS:
        return None
    block = Block(np.zeros(len(points), np.uint64), points, weights)
    halves = spread_centers(block, 2, rng)
    if len(halves) < 2:
        return None
    halves = descend(ArrayPoints(block), {2: halves}, max_iterations=_SPLIT_ITERATIONS, min_gain=_SPLIT_GAIN)[2].centers
    return next(iter(find_borders(points, weights, halves)), None)


def count_parts(points: Array, weights: Array, centers: Array, label: Labels | None = None) -> int:
    """Return how many parts are left when segments without a valley between them are joined; see ``find_borders``."""
    squares, label = _measure(points, centers, label)
    part = list(range(len(centers)))
    for first, second in _neighbours(squares, label):
        # What is joined already by others need not be looked at: in a crowd all but K - 1 borders.
        if part[first] != part[second] and not _look_between(points, weights, centers, squares, label, first, second).is_valley:
            _join(part, first, second)
    return len(set(part))


def join_segments(borders: Sequence[Border], segments: int) -> list[int]:
    """Return for each segment the smallest segment that it is joined with, over any number of borders without a valley."""
    part = list(range(segments))
    for one in borders:
        if not one.is_valley:
            _join(part, one.first, one.second)
    return part


def _join(part: list[int], first: int, second: int) -> None:
    low, high = sorted((part[first], part[second]))
    part[:] = [low if place == high else place for place in part]


def spread_ties(points: Array, rng: np.random.Generator) -> Array:
    """Return the points with equal values of a column spread evenly, half-way to the nearer of the neighbouring values.

    A spike at the end of a column that goes on without ties (no purchases, nothing spent) is spread as far as the middle of
    what comes next: that many share a value makes no valley beside it.
    """
    spread = points.astype(np.float64)
    for column in spread.T:
        values, place, times = np.unique(column, return_inverse=True, return_counts=True)
        if len(values) == len(column) or len(values) == 1:
            continue
        gaps = np.diff(values)
        room = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf)) / 2
        low, high = values - np.where(times > 1, room, 0.0), values + np.where(times > 1, room, 0.0)
        loose = np.repeat(values, np.where(is_loose(times), times, 0))
        for end in (0, -1):
            if times[end] >= SPIKE_SHARE * len(column) and len(loose) >= _LOOSE_SHARE * len(column):
                beside = np.median(loose[: times[end]] if end == 0 else loose[-times[end] :])
                low[end], high[end] = sorted((values[end], beside))
        column[:] = rng.uniform(low[place], high[place])
    return spread


def _neighbours(squares: Array, label: Labels) -> Iterator[tuple[int, int]]:
    segments = squares.shape[1]
    others = squares.copy()
    others[np.arange(len(label)), label] = np.inf
    pairs = np.sort(np.stack([label, others.argmin(1)]), axis=0)
    for code in np.unique(pairs[0] * segments + pairs[1]).tolist():
        yield divmod(code, segments)


def _look_between(
    points: Array, weights: Array, centers: Array, squares: Array, label: Labels, first: int, second: int
) -> Border:
    length = float(((centers[first] - centers[second]) ** 2).sum())
    if length == 0:
        return Border(first, second, 0.0, 0.0, 1.0)
    # The place along the line through both centres, 0 to 1, and the squared distance from it.
    along = (squares[:, first] - squares[:, second] + length) / (2 * length)
    aside = np.maximum(squares[:, first] - along**2 * length, 0.0)
    members = (label == first) | (label == second)
    place, own = along[members], weights[members]
    inside = aside <= np.quantile(aside[members], _REACH)
    depth, surprise, bottom = _find_valley(along[inside], weights[inside])
    straight = Border(first, second, depth, surprise, near_share=_share_near(place, own, 0.5))
    if not straight.is_valley:
        return straight
    # The straight line leaves a crowd that is bent: a ring, a crescent. But a way around crosses all that lies between the two:
    # the border of k-means and, of a group of few beside one of many, where the bottom is. One of them without is enough.
    sizes = np.bincount(label[members] == second, own, 2)
    middles = (0.5, bottom) if sizes.max() >= _MANY * sizes.min() else (0.5,)
    ways = [_open_way(points[members], own, place, middle) for middle in middles]
    return replace(straight, depth=min(depth, max(ways)))


def _open_way(points: Array, weights: Array, places: Array, middle: float) -> float:
    """Return the depth below the two sides of what can be crossed at ``middle``; 1 where so few are near it that nothing can."""
    if _share_near(places, weights, middle) <= _OPEN:
        return 1.0
    return _compare_crowds(points, weights, places > middle, np.abs(places - middle))


def _share_near(places: Array, weights: Array, middle: float) -> float:
    """Return the share of the customers who are within a tenth of the way from ``middle``."""
    return float(weights[np.abs(places - middle) <= _NEAR].sum() / weights.sum())


def _compare_crowds(points: Array, weights: Array, is_second: npt.NDArray[np.bool_], away: Array) -> float:
    """Return the share by which the densest place at the border lies below the dense places of the sparser segment.

    Parameters
    ----------
    points, weights, is_second : the members of both segments, and on which side each lies
    away : shape (rows,)
        How far each is from where they are parted, as a share of the way from centre to centre.
    """
    chosen = [np.flatnonzero(side)[:_COMPARED_ROWS] for side in (~is_second, is_second)]
    meeting = np.argsort(away, kind="stable")[: max(_MEETING_ROWS, min(_COMPARED_ROWS, int((away <= _NEAR).sum())))]
    places = np.concatenate([*chosen, meeting])
    squares = (points[places] ** 2).sum(1)[:, None] - 2 * points[places] @ points.T + (points**2).sum(1)
    neighbours = max(1, min(len(points) // 8, max(_NEIGHBOURS, len(points) // 30)))
    own = squares[: -len(meeting)]
    radius = float(np.median(np.partition(own, neighbours, axis=1)[:, neighbours]))
    around = (squares <= radius) @ np.stack([weights * ~is_second, weights * is_second], axis=1)
    first, second, middle = np.split(around, np.cumsum([len(one) for one in chosen]))
    lower = min(np.quantile(first[:, 0], _DENSE), np.quantile(second[:, 1], _DENSE))
    # Where a crowd is cut, half of the neighbours at the cut are on either side.
    bottom = 2 * middle.min(1).max()
    return max(0.0, float(1 - bottom / lower)) if lower > 0 else 1.0


def _find_valley(places: Array, weights: Array) -> tuple[float, float, float]:
    """Return the depth of the clearest valley along the way, by how many standard errors it is one, and where its bottom is.

    Noughts and the middle of the way without one.
    """
    counts = np.histogram(places, _EDGES, weights=weights)[0]
    unit = _unit(weights)
    best = (0.0, 0.0, 0.5)
    bank = int(_BANK / _STEP)
    for width in _WIDTHS:
        held = np.convolve(counts, np.ones(width), "valid")
        middles = _EDGES[: len(held)] + width * _STEP / 2
        inner = np.flatnonzero((middles >= _INNER[0]) & (middles <= _INNER[1]))
        # The banks are the fullest windows on either side that do not overlap with that at the bottom.
        fullest = sliding_window_view(np.pad(held, bank + width), bank).max(1)
        lower, bottom = np.minimum(fullest[inner + 1], fullest[inner + bank + 2 * width]), held[inner]
        surprise = (lower - bottom) / np.sqrt(np.maximum(unit * (lower + bottom), 1e-300))
        place = int(surprise.argmax())
        if surprise[place] > best[1]:
            best = (float(1 - bottom[place] / lower[place]), float(surprise[place]), float(middles[inner][place]))
    return best


def _unit(weights: Array) -> float:
    """Return the customers that count as one look: a row that stands for many says no more than a row."""
    return max(1.0, float((weights**2).sum() / max(weights.sum(), 1e-300)))
