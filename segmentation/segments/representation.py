"""Who is in each segment, by attributes that nothing else looks at."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

from segmentation.segments.hidden import EVERYONE, Hidden
from segmentation.tables import Rows


def count_representation(levels: Sequence[Any], sizes: Mapping[int, int], *, audited: Collection[str], hidden: Hidden) -> Rows:
    """Return the rows of ``tables.REPRESENTATION``, null where they are hidden.

    Parameters
    ----------
    levels : of ``profiles.summarise_levels``
    sizes : customers of each segment
    audited : attributes to count
    """
    everyone = sum(sizes.values())
    rows = []
    for attribute in audited:
        counts = Counter({(row["segment_id"], row["level"]): row["customers"] for row in levels if row["feature"] == attribute})
        for segment, level in product(sizes, sorted({level for _, level in counts})):
            name = f"{attribute}={level}"
            total = sum(counts[one, level] for one in sizes)
            whole = None if (EVERYONE, name) in hidden.levels else total / everyone
            share = None if (segment, name) in hidden.levels else counts[segment, level] / sizes[segment]
            rows.append(
                {
                    "segment_id": segment,
                    "attribute": attribute,
                    "level": level,
                    "customers": None if share is None else counts[segment, level],
                    "share": share,
                    "population_share": whole,
                    "index": None if share is None or whole is None else share / whole * 100,
                }
            )
    return rows
