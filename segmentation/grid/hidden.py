"""Of the segments of every K, which are too few customers to be shown; rows in, rows without what tells of them out."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from segmentation.clustering.fused import Solution
from segmentation.small_groups import Crossing, find_hidden, is_any_small
from segmentation.tables import Rows

Sizes = Mapping[int, Mapping[int, int]]  # customers by K and segment
HiddenSegments = Mapping[int, frozenset[int]]  # by K


def size_segments(solutions: Sequence[Solution], orders: Mapping[int, Sequence[int]]) -> Sizes:
    """Return the customers of each segment of each K; ``orders`` has the centres of each K in canonical order."""
    return {
        fit.k: {segment: round(found.sizes[center]) for segment, center in enumerate(orders[fit.k])} for fit, found in solutions
    }


def hide_segments(sizes: Sizes, min_cell: int) -> HiddenSegments:
    """Return which segments of each K show nothing."""
    return {k: find_hidden(own, min_cell) for k, own in sizes.items()}


def hide_shares(sizes: Sequence[float], min_cell: int) -> frozenset[str]:
    """Return which of ``smallest_share`` and ``largest_share`` of one K tell of a small group."""
    hidden = find_hidden(dict(enumerate(map(round, sizes))), min_cell)
    is_largest = max(range(len(sizes)), key=lambda place: sizes[place]) in hidden
    return frozenset({"smallest_share", *(["largest_share"] if is_largest else [])} if hidden else ())


def guard_stability(rows: Rows, hidden: HiddenSegments) -> Rows:
    """Return rows of ``tables.STABILITY`` without shares of customers that are hidden."""
    return [row | {"customer_share": None} if row["segment_id"] in hidden[row["k"]] else row for row in rows]


def guard_borders(rows: Rows, hidden: HiddenSegments, sizes: Sizes, min_cell: int) -> Rows:
    """Return rows of ``tables.BORDERS`` without numbers of customers that tell of a small group."""
    guarded = []
    for row in rows:
        pair, near = {row["segment_id"], row["other_segment_id"]}, row["near_customers"]
        both = sum(sizes[row["k"]][segment] for segment in pair)
        is_hidden = pair & hidden[row["k"]] or is_any_small((near, both - near), min_cell)
        guarded.append(row | {"near_customers": None, "near_share": None} if is_hidden else row)
    return guarded


def guard_steps(rows: Rows, hidden: HiddenSegments, sizes: Sizes, min_cell: int) -> Rows:
    """Return rows of ``tables.COMPARE`` without shares that tell of a small group.

    Ways that nobody went have no row, which tells as much as a share of 0: where it would tell too much they have one.
    """
    nothing = {"customer_share": None, "segment_share": None}
    lost = set(_find_lost(rows, hidden, sizes, min_cell))
    names = ("k", "segment_id", "next_k", "next_segment_id")
    guarded = [row | nothing if tuple(row[name] for name in names) in lost else row for row in rows]
    there = {tuple(row[name] for name in names) for row in rows}
    return guarded + [dict(zip(names, way, strict=True)) | nothing for way in sorted(lost - there)]


def _find_lost(rows: Rows, hidden: HiddenSegments, sizes: Sizes, min_cell: int) -> Iterator[tuple[int, int, int, int]]:
    for k, after in {(row["k"], row["next_k"]) for row in rows}:
        customers = sum(sizes[k].values())
        # Estimated from a sample: a way that somebody went is one of a customer at least.
        counts = dict.fromkeys(product(sizes[k], sizes[after]), 0) | {
            (row["segment_id"], row["next_segment_id"]): max(1, round(row["customer_share"] * customers))
            for row in rows
            if row["k"] == k
        }
        for segment, next_segment in Crossing(counts, hidden[k], hidden[after]).hide(min_cell):
            yield k, segment, after, next_segment


def guard_centroids(rows: Rows, hidden: HiddenSegments) -> Rows:
    """Return rows of ``tables.CENTROIDS`` or ``GRID_CENTROIDS`` without units where a segment is hidden.

    What places customers stays as it is.
    """
    return [row | {"value_original": None} if row["segment_id"] in hidden.get(row["k"], ()) else row for row in rows]
