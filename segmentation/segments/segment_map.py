"""A sample of customers on the two strongest principal components of the clustered vector."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.tables import Rows

MOST_POINTS = 2_000
_AXES = ("x", "y")


@dataclass(frozen=True)
class Axis:
    """An axis of the map: each coordinate's loading, -1 to 1, and the share of all variance along it."""

    name: str
    loadings: tuple[float, ...]
    explained_share: float


def sample_members(members: DataFrame) -> DataFrame:
    """Return at most 2,000 customers, chosen by the hash of ``customer_id``."""
    return members.orderBy(F.xxhash64("customer_id"), "customer_id").limit(MOST_POINTS)


def project_points(vectors: Sequence[npt.ArrayLike]) -> tuple[npt.NDArray[np.float64], list[Axis]]:
    """Return the points' coordinates, shape (points, 2), and the two axes: principal components of the points.

    The largest loading of an axis is positive, so that the same points give the same picture.
    """
    points = np.asarray(vectors, dtype=np.float64)
    centered = points - points.mean(axis=0)
    _, spreads, components = np.linalg.svd(centered, full_matrices=False)
    total = float(np.sum(spreads**2))
    kept = np.zeros((len(_AXES), points.shape[1]))
    found = min(len(_AXES), len(components))
    for place in range(found):
        largest = components[place, np.argmax(np.round(np.abs(components[place]), 9))]
        kept[place] = components[place] * (1.0 if largest >= 0 else -1.0)
    shares = [float(spreads[place] ** 2 / total) if place < found and total > 0 else 0.0 for place in range(len(_AXES))]
    axes = [
        Axis(name, tuple(map(float, kept[place])), share) for place, (name, share) in enumerate(zip(_AXES, shares, strict=True))
    ]
    return centered @ kept.T, axes


def draw_map(segments: Sequence[int], vectors: Sequence[npt.ArrayLike], features: Sequence[str]) -> tuple[Rows, Rows]:
    """Return the rows of ``tables.SEGMENT_MAP`` and ``tables.MAP_AXES``.

    Parameters
    ----------
    segments : shape (customers,)
    vectors : shape (customers, dimensions), scaled units
    features : what each coordinate of a vector stands for
    """
    points, axes = project_points(vectors)
    places = [{"segment_id": segment, "x": x, "y": y} for segment, (x, y) in zip(segments, points.tolist(), strict=True)]
    meanings = [
        {"axis": axis.name, "feature": feature, "loading": loading, "explained_share": axis.explained_share}
        for axis in axes
        for feature, loading in zip(features, axis.loadings, strict=True)
    ]
    return places, meanings
