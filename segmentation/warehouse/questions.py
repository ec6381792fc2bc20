"""Questions about assignments that either writer answers in SQL, without a frame."""

from typing import Any

from segmentation.tables import ASSIGNMENTS
from segmentation.warehouse.lake import Store
from segmentation.warehouse.layout import by_run


def count_members(store: Store, run_id: str) -> tuple[int, dict[int, int]]:
    """Return how many different customers a run assigned, and the rows of each segment."""
    own = f"FROM {{slice}} WHERE {by_run(run_id)}"
    (ids,) = store.query(ASSIGNMENTS, f"SELECT count(DISTINCT customer_id) AS ids {own}")
    sizes = store.query(ASSIGNMENTS, f"SELECT segment_id, count(*) AS customers {own} GROUP BY segment_id")
    return ids["ids"], {row["segment_id"]: row["customers"] for row in sizes}


def find_nearest(store: Store, run_id: str, *, per_segment: int) -> list[dict[str, Any]]:
    """Return the customers nearest to each segment's centre, ``rank`` 1 first; ids break ties."""
    nearest = "row_number() OVER (PARTITION BY segment_id ORDER BY distance, customer_id)"
    ranked = f"SELECT segment_id, customer_id, distance, {nearest} AS place FROM {{slice}} WHERE {by_run(run_id)}"
    rows = store.query(ASSIGNMENTS, f"SELECT * FROM ({ranked}) AS ranked WHERE place <= {per_segment}")
    rows.sort(key=lambda row: (row["segment_id"], row["place"]))
    return rows


def find_limits(store: Store, run_id: str, *, share: float) -> dict[int, float]:
    """Return the distance that ``share`` of each segment's customers do not exceed: the smallest such of theirs."""
    ranked = (
        "SELECT segment_id, distance, row_number() OVER (PARTITION BY segment_id ORDER BY distance) AS place, "
        f"count(*) OVER (PARTITION BY segment_id) AS members FROM {{slice}} WHERE {by_run(run_id)}"
    )
    question = f"SELECT segment_id, distance FROM ({ranked}) AS ranked WHERE place = CAST(ceil({share} * members) AS BIGINT)"
    return {row["segment_id"]: row["distance"] for row in store.query(ASSIGNMENTS, question)}
