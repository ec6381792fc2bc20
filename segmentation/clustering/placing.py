"""A model by its constants: the points of customers in this process and who is nearest, as ``score_sql`` asks in SQL."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.catalogue import MISSING_LEVEL
from segmentation.clustering.points import Array
from segmentation.clustering.strict import log1p
from segmentation.money import to_doubles
from segmentation.tables import Rows

_CHUNK_ROWS = 8192


@dataclass(frozen=True)
class Constants:
    """A model as plain rows: of ``tables.PREPARATION``, of ``tables.COMPONENTS``, and the centres by segment, scaled units.

    Without ``is_nearest`` its segments are not those of the nearest centre, and the constants do not tell them.
    """

    preparation: Rows
    components: Rows
    centers: Sequence[Sequence[float]]
    is_nearest: bool

    @property
    def columns(self) -> set[str]:
        """The features that the model needs."""
        return {row["source_column"] for row in self.preparation}

    def points(self, customers: pa.Table) -> Array:
        """Return the points of customers, shape (customers, dimensions), scaled units.

        Parameters
        ----------
        customers : the columns of ``tables.FEATURES`` that the preparation names
        """
        rows = sorted(self.preparation, key=lambda row: int(row["position"]))
        prepared = np.empty((len(customers), len(rows)))
        for place, row in enumerate(rows):
            prepared[:, place] = _coordinate(customers[row["source_column"]], row)
        if not self.components:
            return prepared
        turned = np.zeros((len(customers), 1 + max(row["component"] for row in self.components)))
        for row in sorted(self.components, key=lambda row: int(row["position"])):
            turned[:, row["component"]] += row["loading"] * prepared[:, row["position"]]
        return turned

    def place(self, points: Array) -> tuple[npt.NDArray[np.int32], Array]:
        """Return of points, shape (customers, dimensions), each one's segment and its squared distance from that centre.

        In a tie the segment is the smallest id; both have shape (customers,).
        """
        centers, segments, squares = np.asarray(self.centers), np.empty(len(points), np.int32), np.empty(len(points))
        for start in range(0, len(points), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            apart = squared_distances(points[chunk], centers)
            segments[chunk], squares[chunk] = apart.argmin(1), apart.min(1)
        return segments, squares


def read_points(customers: pa.Table) -> Array:
    """Return the column ``features`` (lists of one size) as an array of shape (customers, dimensions)."""
    listed = customers["features"]
    points: Array = pc.list_flatten(listed).to_numpy().reshape(len(customers), listed.type.list_size)
    return points


def squared_distances(points: Array, centers: Array) -> Array:
    """Return the squared distances, shape (points, centres), summed coordinate by coordinate: as a row alone would be.

    Parameters
    ----------
    points, centers : shape (n, dimensions) each, scaled units
    """
    total = np.zeros((len(points), len(centers)))
    for coordinate in range(points.shape[1]):
        apart = points[:, coordinate, None] - centers[None, :, coordinate]
        total += apart * apart
    return total


def _coordinate(column: pa.ChunkedArray, row: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Return a coordinate of all customers, by a row of ``tables.PREPARATION``."""
    if row["kind"] == "level":
        is_level = pc.fill_null(pc.equal(column, row["level"]), row["level"] == MISSING_LEVEL)
        return np.where(is_level.to_numpy(), row["weight"], 0.0)
    if row["kind"] == "missing":
        return np.where(column.is_null().to_numpy(), row["weight"], 0.0)
    values = _filled(column, row)
    if row["is_log"]:
        values = np.sign(values) * log1p(np.abs(values))
    # Multiplied by the inverse, as Spark's scalers do, so that both come to the same last bit.
    return np.asarray((values - row["center"]) * (1 / row["scale"]) * row["weight"])


def _filled(column: pa.ChunkedArray, row: Mapping[str, Any]) -> Array:
    """Return numbers, or the ranks of levels, the training median where there is none, pulled in to their caps."""
    known = column
    if row["kind"] == "ordinal":
        known = pc.index_in(column, value_set=pa.array(json.loads(row["ranks"]), pa.string()))
    values = to_doubles(known)
    filled: Array = np.where(np.isnan(values), row["fill_value"], values)
    if row["cap_low"] is not None:
        filled = np.minimum(np.maximum(filled, row["cap_low"]), row["cap_high"])
    return filled
