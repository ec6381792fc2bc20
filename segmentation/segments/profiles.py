"""Per segment and feature, statistics in original units against the population."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.preparation import EXACT_CUSTOMERS, RANK_ERROR
from segmentation.money import MILLION, as_money, millionths

SHARES = (0.01, *(place / 40 for place in range(1, 40)), 0.99)
_QUANTILES = {"median": 0.5, "p10": 0.1, "p25": 0.25, "p75": 0.75, "p90": 0.9}

# One row of ``summarise_numbers``.
Summarised = Mapping[str, Any]


@dataclass(frozen=True)
class SegmentSize:
    """A segment's customers and revenue (None without a revenue feature)."""

    segment_id: int
    customers: int
    revenue: Decimal | None


@dataclass(frozen=True)
class Statistic:
    """One row of ``tables.PROFILES`` without its run."""

    segment_id: int
    feature: str
    statistic: str
    value: float | None


def summarise_numbers(members: DataFrame, *, numbers: Sequence[str], revenue: str | None, customers: int) -> list[Summarised]:
    """Return one row per segment and one (``segment_id`` None) for the population (one Spark job).

    Parameters
    ----------
    members : DataFrame of ``tables.FEATURES`` joined with ``segment_id``
    numbers : numeric features
    revenue : feature summed as revenue, or None
    customers : int
        Rows of ``members``, which decides whether quantiles are exact.

    Returns
    -------
    list of mappings
        ``segment_id``, ``customers``, ``revenue`` (decimal; None without), and of the number at place i the mapping ``n<i>``
        of ``present``, ``mean``, ``deviation``, ``lowest``, ``highest``, ``flags`` (values 0 or 1) and ``quantiles``
        (``SHARES``; None without values).
    """
    if customers > EXACT_CUSTOMERS:
        return [row.asDict() for row in _sketch_numbers(members, numbers, revenue).collect()]
    values = [F.col(f"`{name}`").cast("double").alias(f"n{place}") for place, name in enumerate(numbers)]
    money = [millionths(as_money(revenue)).alias("revenue")] if revenue else []
    found = members.select("segment_id", *money, *values).toArrow()
    return describe_groups(found, found.column("segment_id").to_numpy())


def describe_groups(found: pa.Table, segments: npt.NDArray[Any]) -> list[Summarised]:
    """Return the rows of ``summarise_numbers`` for customers in this process.

    Parameters
    ----------
    found : columns ``n<i>``, and ``revenue`` (millionths) where there is one
    segments : shape (customers,)
    """
    has_revenue = "revenue" in found.column_names
    columns = {name: found.column(name).to_numpy() for name in found.column_names if name.startswith("n")}
    every: list[tuple[int | None, npt.NDArray[np.bool_]]] = [(None, np.ones(len(segments), dtype=bool))]
    every += [(int(segment), segments == segment) for segment in np.unique(segments)]
    return [
        {
            "segment_id": segment,
            "customers": int(chosen.sum()),
            "revenue": _add_up(found.column("revenue").filter(chosen).drop_null().to_numpy()) if has_revenue else None,
            **{name: _describe_values(values[chosen]) for name, values in columns.items()},
        }
        for segment, chosen in every
    ]


def _add_up(amounts: npt.NDArray[np.int64]) -> Decimal | None:
    """Return the exact sum of ``millionths``, None without any; whole units and what is left each stay in 64 bits."""
    whole, left = np.divmod(amounts, MILLION)
    return Decimal(int(whole.sum()) * MILLION + int(left.sum())).scaleb(-6) if len(amounts) else None


def _describe_values(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return the statistics of one number; NaN is no value."""
    present = np.sort(values[~np.isnan(values)])
    if not len(present):
        return dict.fromkeys(("mean", "deviation", "lowest", "highest", "quantiles")) | {"present": 0, "flags": 0}
    return {
        "present": len(present),
        "mean": float(present.mean()),
        "deviation": float(present.std()),
        "lowest": float(present[0]),
        "highest": float(present[-1]),
        "flags": int(((present == 0) | (present == 1)).sum()),
        "quantiles": np.quantile(present, SHARES).tolist(),
    }


def _sketch_numbers(members: DataFrame, numbers: Sequence[str], revenue: str | None) -> DataFrame:
    shares = F.array(*(F.lit(share) for share in SHARES))
    columns = []
    for place, name in enumerate(numbers):
        value = F.col(f"`{name}`").cast("double")
        columns += [
            F.struct(
                F.count(value).alias("present"),
                F.mean(value).alias("mean"),
                F.stddev_pop(value).alias("deviation"),
                F.min(value).alias("lowest"),
                F.max(value).alias("highest"),
                F.count_if(value.isin(0.0, 1.0)).alias("flags"),
                F.percentile_approx(value, shares, round(1 / RANK_ERROR)).alias("quantiles"),
            ).alias(f"n{place}")
        ]
    money = F.sum(as_money(revenue)) if revenue else F.lit(None)
    return members.rollup("segment_id").agg(
        F.count(F.lit(1)).alias("customers"), money.cast("decimal(28,6)").alias("revenue"), *columns
    )


def read_quantiles(row: Summarised, *, numbers: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Return the quantiles ``SHARES`` of each feature that has values, from a row of ``summarise_numbers``."""
    found = {name: row[f"n{number}"]["quantiles"] for number, name in enumerate(numbers)}
    return {name: tuple(values) for name, values in found.items() if values and values[0] is not None}


def read_flags(population: Summarised, *, numbers: Sequence[str]) -> set[str]:
    """Return the numbers that are only ever 0 or 1, and both, from the population's row of ``summarise_numbers``."""
    seen = {name: population[f"n{number}"] for number, name in enumerate(numbers)}
    return {
        name for name, one in seen.items() if (one["lowest"], one["highest"]) == (0.0, 1.0) and one["flags"] == one["present"]
    }


def summarise_levels(members: DataFrame, *, categories: Sequence[str], missing: str) -> DataFrame:
    """Return customers per segment, category feature and level; null counts as the level ``missing``."""
    pairs = F.array(
        *(
            F.struct(F.lit(name).alias("feature"), F.coalesce(F.col(f"`{name}`"), F.lit(missing)).alias("level"))
            for name in categories
        )
    )
    return (
        members.select("segment_id", F.explode(pairs).alias("pair"))
        .groupBy("segment_id", "pair.feature", "pair.level")
        .agg(F.count(F.lit(1)).alias("customers"))
    )


def read_sizes(summary: Sequence[Summarised]) -> list[SegmentSize]:
    """Return each segment's size from rows of ``summarise_numbers``, in order of segment_id."""
    rows = [row for row in summary if row["segment_id"] is not None]
    return [
        SegmentSize(row["segment_id"], row["customers"], row["revenue"])
        for row in sorted(rows, key=lambda row: row["segment_id"])
    ]


def build_profiles(summary: Sequence[Summarised], levels: Sequence[Any], *, numbers: Sequence[str]) -> list[Statistic]:
    """Return the statistics of every segment from the collected summaries (a row per segment, few)."""
    population = next(row for row in summary if row["segment_id"] is None)
    segments = sorted((row for row in summary if row["segment_id"] is not None), key=lambda row: row["segment_id"])
    statistics = [
        Statistic(row["segment_id"], name, statistic, value)
        for row in segments
        for number, name in enumerate(numbers)
        for statistic, value in _describe_number(row, population, f"n{number}").items()
    ]
    return statistics + _describe_levels(levels, {row["segment_id"]: row["customers"] for row in segments})


def _describe_number(row: Summarised, population: Summarised, column: str) -> dict[str, float | None]:
    own, everyone = row[column], population[column]
    return {
        "mean": own["mean"],
        **{name: _quantile(own, share) for name, share in _QUANTILES.items()},
        "population_mean": everyone["mean"],
        "population_median": _quantile(everyone, 0.5),
        "index": _index(own["mean"], everyone["mean"]),
        "z": _z(own["mean"], everyone["mean"], everyone["deviation"]),
        "missing_share": 1 - own["present"] / row["customers"],
    }


def _describe_levels(levels: Sequence[Any], sizes: dict[int, int]) -> list[Statistic]:
    counts = {(row["segment_id"], row["feature"], row["level"]): row["customers"] for row in levels}
    names = sorted({(feature, level) for _, feature, level in counts})
    everyone = sum(sizes.values())
    statistics = []
    for feature, level in names:
        overall = sum(counts.get((segment, feature, level), 0) for segment in sizes) / everyone
        for segment, size in sizes.items():
            share = counts.get((segment, feature, level), 0) / size
            values: dict[str, Any] = {
                "share": share,
                "population_share": overall,
                "index": _index(share, overall),
                "z": _z(share, overall, math.sqrt(overall * (1 - overall))),
            }
            statistics += [Statistic(segment, f"{feature}={level}", name, value) for name, value in values.items()]
    return statistics


def _quantile(summary: Summarised, share: float) -> float | None:
    values = summary["quantiles"]
    return values[SHARES.index(share)] if values else None


def _index(own: float | None, everyone: float | None) -> float | None:
    """Return segment / population x 100, which has a meaning only against a positive mean."""
    return None if own is None or everyone is None or everyone <= 0 else own / everyone * 100


def _z(own: float | None, everyone: float | None, deviation: float | None) -> float | None:
    return None if own is None or everyone is None or not deviation else (own - everyone) / deviation
