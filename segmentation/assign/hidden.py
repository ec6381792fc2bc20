"""What tells of too few customers in ``lineage``, ``transitions`` and ``reach``; rows in, rows without it out."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from segmentation.assign.identity import Match, Overlaps
from segmentation.assign.movement import Former
from segmentation.small_groups import Crossing, find_hidden, is_small
from segmentation.tables import Rows

Way = tuple[str | None, str | None, str]
ELSEWHERE = None  # in place of the key of a segment: a customer of one of the two runs alone


def guard_matches(
    matches: Sequence[Match], overlaps: Overlaps, former: Former, *, hidden: Collection[int], min_cell: int
) -> list[Match]:
    """Return the matches, without numbers where they tell of a small group.

    Parameters
    ----------
    hidden : segments of this run that show nothing
    """
    totals: Counter[int | None] = Counter()
    for (old, _), customers in overlaps.items():
        totals[old] += customers
    rows = find_hidden(totals, min_cell, also=former.hidden)
    counts = {(old, new): overlaps.get((old, new), 0) for old, new in product(totals, {new for _, new in overlaps})}
    lost = Crossing(counts, rows, frozenset(hidden)).hide(min_cell)
    few = {(former.keys.get(old, "") if old is not None else "", new) for old, new in lost}
    return [
        replace(one, common=None, previous_overlap=None, overlap=None, jaccard=None, is_hidden=True)
        if one.common is not None and (one.previous_key, one.segment_id) in few
        else one
        for one in matches
    ]


def guard_transitions(rows: Rows, *, hidden: Collection[str], former_hidden: Collection[str], min_cell: int) -> Rows:
    """Return rows of ``tables.TRANSITIONS`` without the numbers of small groups, and of those that would tell of them.

    Ways that nobody went have no row, which tells as much as a count of 0: where it would tell too much they have one.

    Parameters
    ----------
    hidden, former_hidden : keys of segments of this run, and of the one before, that show nothing
    """
    counts = {_way(row): row["customers"] for row in rows}
    if not any(is_small(size, min_cell) for size in counts.values()) and not hidden and not former_hidden:
        return rows
    counts |= dict.fromkeys(_find_unused(counts), 0)
    ends = [sum(size for cell, size in counts.items() if cell[side] is ELSEWHERE) for side in (0, 1)]
    # Both runs say how many customers they have: who arrived and who left tell of each other, and so does a share of all.
    is_open = any(is_small(size, min_cell) for size in ends)
    also = {ELSEWHERE} if is_open else set()
    crossing = Crossing(counts, {*former_hidden, *also}, {*hidden, *also}, has_total=not is_open)
    lost = crossing.hide(min_cell)
    numbers = dict.fromkeys(("customers", "share", "revenue_before", "revenue_after"))
    guarded = [row | numbers if _way(row) in lost else row | {"share": None} if is_open else row for row in rows]
    names = ("from_key", "to_key", "why")
    unused = sorted((way for way in lost if not counts[way]), key=str)
    return guarded + [dict(zip(names, way, strict=True)) | numbers for way in unused]


def _way(row: Mapping[str, Any]) -> Way:
    return row["from_key"], row["to_key"], row["why"]


def _find_unused(ways: Collection[Way]) -> Iterator[Way]:
    """Yield the pairs of segments between which nobody went, and from or to which nobody came."""
    starts, ends = ({way[side] for way in ways} | {ELSEWHERE} for side in (0, 1))
    for start, end in product(starts, ends):
        if (start, end) != (ELSEWHERE, ELSEWHERE) and not any(way[:2] == (start, end) for way in ways):
            why = "arrived" if start is ELSEWHERE else "left" if end is ELSEWHERE else "stayed" if start == end else "unknown"
            yield start, end, why


def guard_reach(rows: Rows, hidden: Collection[int]) -> Rows:
    """Return rows of ``tables.REACH`` without the numbers of segments that show nothing."""
    return [row | {"customers": None, "distance_p99": None} if row["segment_id"] in hidden else row for row in rows]
