"""Do the tables of a run agree with each other: rows, customers, K and the silhouette."""

from collections.abc import Mapping
from typing import Any

from segmentation.errors import QualityError
from segmentation.tables import KEPT, Rows

# How far two ways to the same silhouette may lie apart: blocks are float32 in large tables; a sample has an error.
_AGREES, _SAMPLED = 1e-4, 0.01


def check_members(
    customers: int, *, rows: Mapping[str, int], ids: int, placed: Mapping[int, int], sizes: Mapping[int, int | None]
) -> None:
    """Hold features, assignments and segments against each other.

    Parameters
    ----------
    customers : of the run
    rows : stored rows by table name
    ids : different customers assigned
    placed, sizes : customers by segment, of ``assignments`` and of ``segments``; None of a segment too small to be shown

    Raises
    ------
    QualityError
    """
    known = {segment: size for segment, size in sizes.items() if size is not None}
    is_same = placed.keys() == sizes.keys() and known.items() <= placed.items()
    if not (is_same and rows["features"] == rows["assignments"] == ids == customers):
        raise QualityError(
            "assignments",
            expected=f"each of {customers:,} customers once",
            found=f"{rows['assignments']:,} rows, {ids:,} customers, {sum(known.values()):,} of them in segments that are shown",
        )


def find_chosen(grid: Rows, *, segments: int) -> dict[str, Any]:
    """Return the row of the chosen K.

    Raises
    ------
    QualityError
        If there is not one of them, or it has another number of segments.
    """
    chosen = [row for row in grid if row["is_chosen"]]
    if len(chosen) != 1 or chosen[0]["k"] != segments:
        raise QualityError("grid", expected=f"one chosen K of {segments}", found=str([row["k"] for row in chosen]))
    return chosen[0]


def check_silhouette(chosen: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Hold the silhouette of the grid against that of Spark's ``ClusteringEvaluator`` on the assignments.

    Raises
    ------
    QualityError
    """
    own, other = chosen["silhouette"], known["spark_silhouette"]
    if own is None or other is None:
        return
    is_sample = known["spark_silhouette_customers"] < known["customers"]
    tolerance = (_SAMPLED if is_sample else _AGREES) + (chosen["silhouette_error"] or 0.0)
    if not abs(own - other) <= tolerance:
        raise QualityError(
            "assignments",
            expected=f"a silhouette of {own:.6f}, as measured in the grid",
            found=f"{other:.6f} by Spark's ClusteringEvaluator",
        )


def check_rows(counts: Rows, stored: Mapping[str, int]) -> dict[str, int]:
    """Return the rows read, kept and set aside, once what is stored is what was counted.

    Raises
    ------
    QualityError
    """
    rows = sum(row["rows"] for row in counts)
    aside = sum(row["rows"] for row in counts if row["outcome"] != KEPT)
    kept = {row["source"]: row["rows"] for row in counts if row["outcome"] == KEPT}
    for name, expected in {"quarantine": aside, **{name: kept.get(name, 0) for name in ("transactions", "customers")}}.items():
        if stored.get(name, expected) != expected:
            raise QualityError(name, expected=f"the {expected:,} rows counted", found=f"{stored[name]:,}")
    return {"rows_read": rows, "rows_kept": rows - aside, "rows_set_aside": aside}
