"""What profiles, histograms and the map ask of customers in this process: the rows that they get of a frame by Spark."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.clustering.hashes import draw_places
from segmentation.clustering.placing import read_points
from segmentation.clustering.points import Array
from segmentation.money import paid_by, to_doubles
from segmentation.segments.histograms import Scale
from segmentation.segments.profiles import Summarised, describe_groups
from segmentation.tables import Rows


def summarise_numbers_here(members: pa.Table, *, numbers: Sequence[str], revenue: str | None) -> list[Summarised]:
    """Return the rows of ``profiles.summarise_numbers``, exact for any number of customers."""
    columns = {f"n{place}": to_doubles(members[name]) for place, name in enumerate(numbers)}
    paid = pa.table({"segment_id": members["segment_id"], "paid": paid_by(members, revenue)})
    sums = paid.group_by("segment_id").aggregate([("paid", "sum")]).to_pydict()
    money = dict(zip(sums["segment_id"], sums["paid_sum"], strict=True)) | {None: pc.sum(paid["paid"]).as_py()}
    found = describe_groups(pa.table(columns), members["segment_id"].to_numpy())
    return [{**row, "revenue": money[row["segment_id"]]} for row in found]


def summarise_levels_here(members: pa.Table, *, categories: Sequence[str], missing: str) -> Rows:
    """Return the rows of ``profiles.summarise_levels``."""
    rows: Rows = []
    for name in categories:
        pairs = pa.table({"segment_id": members["segment_id"], "level": pc.fill_null(members[name], missing)})
        counted = pairs.group_by(["segment_id", "level"]).aggregate([([], "count_all")])
        rows += [{**row, "feature": name} for row in counted.rename_columns({"count_all": "customers"}).to_pylist()]
    return rows


def count_bins_here(members: pa.Table, scales: Mapping[str, Scale]) -> Rows:
    """Return the rows of ``histograms.count_bins``."""
    segment, rows = members["segment_id"].to_numpy(), []
    for name, scale in scales.items():
        values = to_doubles(members[name])
        known = members[name].is_valid().to_numpy()
        edges = [scale.edge(place) for place in range(1, scale.bins)]
        places = segment[known] * scale.bins + np.searchsorted(edges, values[known], side="right")
        found = zip(*np.unique(places, return_counts=True), strict=True)
        rows += [
            {"feature": name, "segment_id": int(place // scale.bins), "bin": int(place % scale.bins), "customers": int(count)}
            for place, count in found
        ]
    return rows


def sample_members_here(members: pa.Table, *, most: int) -> tuple[list[int], Array]:
    """Return the segments, and the points, shape (customers, dimensions), of ``segment_map.sample_members``."""
    chosen = members.select(["segment_id", "features"]).take(draw_places(members["customer_id"])[:most])
    return chosen["segment_id"].to_pylist(), read_points(chosen)
