"""What is known of a segment and of all customers, for the rules of advice to judge by."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from segmentation.catalogue import NAMES, is_share
from segmentation.tables import Rows

PACE = NAMES["pace"]


@dataclass(frozen=True)
class Figures:
    """What is known of a segment, or of all customers: medians and means by feature, the feature's unit.

    ``patience``: days within which nine in ten of the customers who came back usually do so, if any did.
    """

    medians: Mapping[str, float | None]
    means: Mapping[str, float | None]
    patience: float | None = None

    def value(self, metric: str) -> float | None:
        """Return the median of a metric, the mean of a share."""
        return (self.means if is_share(metric) else self.medians).get(metric)

    @property
    def usual_gap(self) -> int | None:
        """Days that half of the customers who came back wait between orders at most; None without any."""
        gap = self.medians.get(PACE)
        return None if gap is None else max(1, math.ceil(gap))


def read_figures(rows: Rows) -> dict[int | None, Figures]:
    """Return the figures of each segment, and under None of all customers, from rows of ``tables.FIGURES``."""
    found = {}
    for segment in {row["segment_id"] for row in rows}:
        own = {row["feature"]: row for row in rows if row["segment_id"] == segment}
        found[segment] = Figures(
            {name: row["median"] for name, row in own.items()},
            {name: row["mean"] for name, row in own.items()},
            own[PACE]["p90"] if PACE in own else None,
        )
    return found
