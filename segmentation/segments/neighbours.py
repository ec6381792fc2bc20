"""What the segments would be called at the K before and after the one taken: the naming rules on a sample of the customers."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from segmentation.clustering.agreement import nearest
from segmentation.clustering.fits import Centers
from segmentation.segments.profiles import describe_groups, read_sizes
from segmentation.segments.summary import Summary
from segmentation.tables import Rows

# A name goes by medians and means, which so many customers tell well enough.
MOST_CUSTOMERS = 20_000


def find_neighbours(centroids: Rows, *, k: int) -> dict[int, Centers]:
    """Return the centres of the K tried before and after ``k``, by K: shape (K, dimensions), scaled units.

    Parameters
    ----------
    centroids : rows of ``tables.GRID_CENTROIDS``
    """
    tried = sorted({row["k"] for row in centroids})
    if k not in tried:
        return {}
    place = tried.index(k)
    ordered = sorted(centroids, key=lambda row: (row["segment_id"], row["position"]))
    return {
        near: np.array([row["value_scaled"] for row in ordered if row["k"] == near]).reshape(near, -1)
        for near in (*tried[max(place - 1, 0) : place], *tried[place + 1 : place + 2])
    }


def collect_sample(members: DataFrame, *, numbers: Sequence[str], categories: Sequence[str], customers: int) -> pa.Table:
    """Return at most about ``MOST_CUSTOMERS``, chosen by hash of the id, as ``summarise_numbers`` looks at them (a Spark job).

    Returns
    -------
    Table
        ``point`` (list, scaled units), ``n<i>`` the number at place i, ``c<i>`` the category.
    """
    step = math.ceil(customers / MOST_CUSTOMERS)
    sample = members if step <= 1 else members.where(F.pmod(F.xxhash64("customer_id"), F.lit(step)) == 0)
    return sample.select(
        vector_to_array(F.col("features")).alias("point"),
        *(F.col(f"`{name}`").cast("double").alias(f"n{place}") for place, name in enumerate(numbers)),
        *(F.col(f"`{name}`").alias(f"c{place}") for place, name in enumerate(categories)),
    ).toArrow()


def summarise_neighbours(
    sample: pa.Table, neighbours: Mapping[int, Centers], *, numbers: Sequence[str], categories: Sequence[str], missing: str
) -> Iterator[tuple[int, Summary]]:
    """Yield each K with the summary of its segments, of the sample's customers by their nearest centre."""
    if not sample.num_rows:
        return
    points = sample.column("point").combine_chunks().flatten().to_numpy().reshape(sample.num_rows, -1)
    values = {name: sample.column(f"c{place}").to_pylist() for place, name in enumerate(categories)}
    for k, centers in neighbours.items():
        labels = nearest(centers, points)
        rows = describe_groups(sample, labels)
        counts = Counter(
            (segment, name, missing if level is None else level)
            for name, levels in values.items()
            for segment, level in zip(labels.tolist(), levels, strict=True)
        )
        found = [Row(segment_id=one, feature=name, level=level, customers=n) for (one, name, level), n in counts.items()]
        yield k, Summary(rows, found, tuple(numbers), tuple(read_sizes(rows)))
