"""Per segment and feature, statistics in original units against the population. Floor 2."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

# Exact quantiles hold every distinct value in memory; beyond this a sketch with rank error 1e-4 serves.
_EXACT_CUSTOMERS = 1_000_000
SHARES = (0.01, *(place / 40 for place in range(1, 40)), 0.99)
_QUANTILES = {"median": 0.5, "p10": 0.1, "p25": 0.25, "p75": 0.75, "p90": 0.9}


@dataclass(frozen=True)
class SegmentSize:
    """A segment's customers and revenue (None without a revenue feature)."""

    segment_id: int
    customers: int
    revenue: Decimal | None


@dataclass(frozen=True)
class Audience:
    """Customers of a segment who meet a condition, their count and revenue (None without a revenue feature)."""

    customers: int
    revenue: Decimal | None


@dataclass(frozen=True)
class Statistic:
    """One row of ``tables.PROFILES`` without its run."""

    segment_id: int
    feature: str
    statistic: str
    value: float | None


def summarise_numbers(members: DataFrame, *, numbers: Sequence[str], revenue: str | None, customers: int) -> DataFrame:
    """Return one row per segment and one (segment_id null) for the population.

    Parameters
    ----------
    members : DataFrame of ``tables.FEATURES`` joined with ``segment_id``
    numbers : numeric features
    revenue : feature summed as revenue, or None
    customers : int
        Rows of ``members``, which decides whether quantiles are exact.
    """
    shares = F.array(*(F.lit(share) for share in SHARES))
    columns = []
    for number, name in enumerate(numbers):
        value = F.col(f"`{name}`").cast("double")
        quantiles = F.percentile(value, shares) if customers <= _EXACT_CUSTOMERS else F.percentile_approx(value, shares, 10_000)
        columns += [
            F.struct(
                F.count(value).alias("present"),
                F.mean(value).alias("mean"),
                F.stddev_pop(value).alias("deviation"),
                F.min(value).alias("lowest"),
                F.max(value).alias("highest"),
                F.count_if(value.isin(0.0, 1.0)).alias("flags"),
                quantiles.alias("quantiles"),
            ).alias(f"n{number}")
        ]
    total = F.sum(F.col(f"`{revenue}`").cast("decimal(28,6)")) if revenue else F.lit(None)
    return members.rollup("segment_id").agg(
        F.count(F.lit(1)).alias("customers"), total.cast("decimal(28,6)").alias("revenue"), *columns
    )


def count_audiences(members: DataFrame, conditions: Sequence[Column], *, revenue: str | None) -> DataFrame:
    """Return, per segment, how many customers meet each condition (null is no) and the sum of their revenue feature.

    Returns
    -------
    DataFrame
        ``segment_id`` and, per condition in order, the struct ``a0``, ``a1`` ... of ``customers`` and ``revenue``.
    """
    value = F.col(f"`{revenue}`").cast("decimal(28,6)") if revenue else F.lit(None).cast("decimal(28,6)")
    audiences = [
        F.struct(
            F.count_if(condition).alias("customers"),
            F.sum(F.when(condition, value)).cast("decimal(28,6)").alias("revenue"),
        ).alias(f"a{number}")
        for number, condition in enumerate(conditions)
    ]
    return members.groupBy("segment_id").agg(*audiences)


def read_audiences(rows: Sequence[Row], number: int) -> dict[int, Audience]:
    """Return each segment's audience of condition ``number`` from rows of ``count_audiences``."""
    return {row["segment_id"]: Audience(row[f"a{number}"]["customers"], row[f"a{number}"]["revenue"]) for row in rows}


def read_quantiles(row: Row, *, numbers: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Return the quantiles ``SHARES`` of each feature that has values, from a row of ``summarise_numbers``."""
    found = {name: row[f"n{number}"]["quantiles"] for number, name in enumerate(numbers)}
    return {name: tuple(values) for name, values in found.items() if values and values[0] is not None}


def read_flags(population: Row, *, numbers: Sequence[str]) -> set[str]:
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


def read_sizes(summary: Sequence[Row]) -> list[SegmentSize]:
    """Return each segment's size from rows of ``summarise_numbers``, in order of segment_id."""
    rows = [row for row in summary if row["segment_id"] is not None]
    return [
        SegmentSize(row["segment_id"], row["customers"], row["revenue"])
        for row in sorted(rows, key=lambda row: row["segment_id"])
    ]


def build_profiles(summary: Sequence[Row], levels: Sequence[Row], *, numbers: Sequence[str]) -> list[Statistic]:
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


def _describe_number(row: Row, population: Row, column: str) -> dict[str, float | None]:
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


def _describe_levels(levels: Sequence[Row], sizes: dict[int, int]) -> list[Statistic]:
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


def _quantile(summary: Row, share: float) -> float | None:
    values = summary["quantiles"]
    return values[SHARES.index(share)] if values else None


def _index(own: float | None, everyone: float | None) -> float | None:
    """Return segment / population x 100, which has a meaning only against a positive mean."""
    return None if own is None or everyone is None or everyone <= 0 else own / everyone * 100


def _z(own: float | None, everyone: float | None, deviation: float | None) -> float | None:
    return None if own is None or everyone is None or not deviation else (own - everyone) / deviation
