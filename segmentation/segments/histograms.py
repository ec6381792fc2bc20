"""How each number is distributed, in the whole population and in every segment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

BINS = 12


@dataclass(frozen=True)
class Scale:
    """Bins of equal width between two quantiles, on a log scale where ``log``. The outermost hold what lies beyond.

    The edges are no extremes: the smallest and the largest value would point at single customers.
    """

    low: float
    high: float
    log: bool = False

    @property
    def bins(self) -> int:
        """Bins, count: one where the quantiles are equal."""
        return BINS if self.high > self.low else 1

    def edge(self, place: int) -> float:
        """Return the lower edge of bin ``place``, the feature's unit."""
        if place in (0, self.bins):
            return self.low if place == 0 else self.high
        low, high = self._shape(self.low), self._shape(self.high)
        shaped = low + (high - low) * place / self.bins
        return math.copysign(math.expm1(abs(shaped)), shaped) if self.log else shaped

    def number(self, value: Column) -> Column:
        """Return the bin of a value, 0 first; null of null."""
        # No function on arrays: a sum of comparisons is compiled.
        places = ((value >= self.edge(place)).cast("int") for place in range(1, self.bins))
        return F.when(value.isNotNull(), reduce(add, places, F.lit(0)))

    def _shape(self, value: float) -> float:
        return math.copysign(math.log1p(abs(value)), value) if self.log else value


@dataclass(frozen=True)
class Bar:
    """One row of ``tables.HISTOGRAMS`` without its run."""

    feature: str
    segment_id: int | None
    bin: int
    lower: float
    upper: float
    customers: int


def count_bins(members: DataFrame, scales: Mapping[str, Scale]) -> DataFrame:
    """Return customers per segment, feature and bin; customers without a value are in none.

    Parameters
    ----------
    members : DataFrame of ``tables.FEATURES`` joined with ``segment_id``
    """
    pairs = F.array(
        *(
            F.struct(F.lit(name).alias("feature"), scale.number(F.col(f"`{name}`").cast("double")).alias("bin"))
            for name, scale in scales.items()
        )
    )
    return (
        members.select("segment_id", F.explode(pairs).alias("pair"))
        .where("pair.bin IS NOT NULL")
        .groupBy("segment_id", "pair.feature", "pair.bin")
        .agg(F.count(F.lit(1)).alias("customers"))
    )


def build_histograms(rows: Sequence[Any], scales: Mapping[str, Scale], *, segments: Sequence[int]) -> list[Bar]:
    """Return every bin of every segment and of the population, empty ones too, from rows of ``count_bins``."""
    counts = {(row["feature"], row["segment_id"], row["bin"]): row["customers"] for row in rows}
    bars = []
    for name, scale in scales.items():
        for place in range(scale.bins):
            own = [counts.get((name, segment, place), 0) for segment in segments]
            edges = (scale.edge(place), scale.edge(place + 1))
            bars.append(Bar(name, None, place, *edges, sum(own)))
            bars += [Bar(name, segment, place, *edges, number) for segment, number in zip(segments, own, strict=True)]
    return bars
