"""Rows of ``tables.LINEAGE`` and ``tables.TRANSITIONS`` from matches and moves."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from segmentation.assign.identity import Match, reason_of, tell
from segmentation.assign.movement import Former
from segmentation.tables import Rows


@dataclass(frozen=True)
class Shift:
    """The feature whose centre moved most, by how much in its unit, and in standard deviations of all customers."""

    feature: str
    by: float
    deviations: float


def find_shifts(
    matches: Sequence[Match], former: Former | None, centers: Rows, former_centers: Rows, former_profiles: Rows
) -> dict[str, Shift]:
    """Return by key how far each survivor's centre moved, in the former run's standard deviations.

    Parameters
    ----------
    centers, former_centers : rows of ``tables.CENTROIDS``
    former_profiles : rows of ``tables.PROFILES``, whose means and z say what a deviation is
    """
    if former is None:
        return {}
    deviations = _deviations(former_profiles)
    places = {(row["segment_id"], row["feature"]): row["value_original"] for row in centers}
    before = {(former.keys.get(row["segment_id"]), row["feature"]): row["value_original"] for row in former_centers}
    shifts = {}
    for match in matches:
        moved = []
        for (key, feature), value in before.items():
            now, deviation = places.get((match.segment_id, feature)), deviations.get(feature)
            if match.verdict == "survived" and key == match.key and deviation and value is not None and now is not None:
                moved.append(Shift(feature, now - value, abs(now - value) / deviation))
        if moved:
            shifts[match.key] = max(moved, key=lambda one: (one.deviations, one.feature))
    return shifts


def _deviations(profiles: Rows) -> dict[str, float]:
    """Return the standard deviation of each feature: a segment's distance from the mean of all by its largest z."""
    told: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for row in profiles:
        if row["value"] is not None:
            told[row["feature"], row["segment_id"]][row["statistic"]] = row["value"]
    surest: dict[str, tuple[float, float]] = {}
    for (feature, _), one in told.items():
        if abs(one.get("z", 0.0)) > 0 and {"mean", "population_mean"} <= one.keys():
            found = (abs(one["z"]), abs(one["mean"] - one["population_mean"]) / abs(one["z"]))
            surest[feature] = max(surest.get(feature, (0.0, 0.0)), found)
    return {feature: deviation for feature, (_, deviation) in surest.items()}


def lineage_rows(matches: Sequence[Match], former: Former | None, *, basis: str | None, shifts: Mapping[str, Shift]) -> Rows:
    """Return the rows of ``tables.LINEAGE``."""
    return [
        {
            "segment_key": match.key,
            "segment_id": match.segment_id,
            "verdict": match.verdict,
            "previous_key": match.key if match.verdict == "retired" else match.previous_key,
            "previous_run_id": former.run_id if former else None,
            "basis": basis,
            "customers_common": match.common,
            "previous_overlap": match.previous_overlap,
            "overlap": match.overlap,
            "jaccard": match.jaccard,
            "shifted_feature": shift.feature if shift else None,
            "shift": shift.by if shift else None,
            "shift_deviations": shift.deviations if shift else None,
            "said": tell(match),
        }
        for match in matches
        for shift in [shifts.get(match.key)]
    ]


def transition_rows(moves: Rows, former: Former, *, keys: Sequence[str], basis: str | None) -> Rows:
    """Return the rows of ``tables.TRANSITIONS``, the largest first."""
    total = sum(row["customers"] for row in moves)
    sums: dict[tuple[str | None, str | None, str], dict[str, Any]] = {}
    for row in moves:
        way = reason_of(row, basis=str(basis), former=former.keys, keys=keys)
        one = sums.setdefault(way, {"customers": 0, "revenue_before": None, "revenue_after": None})
        one["customers"] += row["customers"]
        for name in ("revenue_before", "revenue_after"):
            if row[name] is not None:
                one[name] = (one[name] or Decimal(0)) + row[name]
    ordered = sorted(sums.items(), key=lambda item: (-item[1]["customers"], str(item[0])))
    return [
        {"from_key": start, "to_key": end, "why": why, **one, "share": one["customers"] / total}
        for (start, end, why), one in ordered
    ]
