"""Questions about assignments that either writer answers in SQL, without a frame.

A part of the question for each segment costs less than to sort all rows, though it reads them as often.
"""

import math
from typing import Any

from segmentation.tables import ASSIGNMENTS
from segmentation.warehouse.lake import Store
from segmentation.warehouse.layout import by_run


def count_members(store: Store, run_id: str) -> tuple[int, dict[int, int]]:
    """Return how many different customers a run assigned, and the rows of each segment."""
    (ids,) = store.query(ASSIGNMENTS, f"SELECT count(DISTINCT customer_id) AS ids FROM {{slice}} WHERE {by_run(run_id)}")
    return ids["ids"], _count_segments(store, run_id)


def find_nearest(store: Store, run_id: str, *, per_segment: int) -> list[dict[str, Any]]:
    """Return the customers nearest to each segment's centre, ``place`` 1 first; ids break ties."""
    ends = dict.fromkeys(_count_segments(store, run_id), f"ORDER BY distance, customer_id LIMIT {per_segment}")
    rows = _ask_each(store, run_id, "segment_id, customer_id, distance", ends)
    rows.sort(key=lambda row: (row["segment_id"], row["distance"], row["customer_id"]))
    places = dict.fromkeys(ends, 0)
    for row in rows:
        row["place"] = places[row["segment_id"]] = places[row["segment_id"]] + 1
    return rows


def find_limits(store: Store, run_id: str, *, share: float) -> dict[int, float]:
    """Return the distance that ``share`` of each segment's customers do not exceed: the smallest such of theirs."""
    farther = {segment: members - math.ceil(share * members) for segment, members in _count_segments(store, run_id).items()}
    ends = {segment: f"ORDER BY distance DESC LIMIT 1 OFFSET {number}" for segment, number in farther.items()}
    return {row["segment_id"]: row["distance"] for row in _ask_each(store, run_id, "segment_id, distance", ends)}


def _count_segments(store: Store, run_id: str) -> dict[int, int]:
    own = f"FROM {{slice}} WHERE {by_run(run_id)} GROUP BY segment_id"
    return {
        row["segment_id"]: row["customers"] for row in store.query(ASSIGNMENTS, f"SELECT segment_id, count(*) AS customers {own}")
    }


def _ask_each(store: Store, run_id: str, columns: str, ends: dict[int, str]) -> list[dict[str, Any]]:
    """Return columns of each segment's rows, in the order and as many as its end says."""
    own = f"SELECT {columns} FROM {{slice}} WHERE {by_run(run_id)}"
    parts = [f"SELECT * FROM ({own} AND segment_id = {segment} {end}) AS s{segment}" for segment, end in ends.items()]
    return store.query(ASSIGNMENTS, " UNION ALL ".join(parts)) if parts else []
