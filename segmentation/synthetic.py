"""Customers made up from a seed, at any size: mixtures with known segments, skewed purchase behaviour, purchases.

Every value is a function of the seed, the customer and the column, so that partitions, cores and the number of customers
beside it change nothing.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.tables import MONEY

_BITS = 53
_ROWS_PER_PARTITION = 250_000


@dataclass(frozen=True)
class Habit:
    """How a kind of customer buys: each pair is the least and the most of a uniform draw.

    ``basket`` is the median amount of an order, account currency; ``spread`` the deviation of its logarithm.
    """

    share: float
    orders: tuple[int, int]
    first_days_ago: tuple[float, float]
    last_days_ago: tuple[float, float]
    basket: float
    spread: float = 0.25


HABITS = {
    "high_spenders": Habit(0.15, (6, 14), (450, 720), (2, 60), 260.0),
    "loyal_patrons": Habit(0.25, (20, 36), (450, 720), (1, 30), 45.0),
    "occasional_buyers": Habit(0.35, (2, 4), (400, 720), (60, 200), 40.0),
    "new_customers": Habit(0.25, (1, 2), (10, 60), (2, 55), 40.0),
}


def generate_archetypes(
    spark: SparkSession, *, customers: int, as_of: date, seed: int, habits: Mapping[str, Habit] = HABITS
) -> DataFrame:
    """Return the purchase lines of customers who each buy as an archetype does.

    Parameters
    ----------
    as_of : date
        First day without an order.
    habits : by archetype
        Their shares are normalised to a sum of 1.

    Returns
    -------
    DataFrame of ``customer_id`` (string), ``true_archetype`` (string), ``order_id`` (string), ``ordered_at``
    (timestamp, UTC), ``line`` (int, 1 or 2 an order) and ``amount`` (``tables.MONEY``)

    Raises
    ------
    ValueError
        If a share is not positive.
    """
    kinds = list(habits.values())
    if not kinds or min(one.share for one in kinds) <= 0:
        raise ValueError(f"habits: positive shares are expected, found {[one.share for one in kinds]}")
    ceilings = np.cumsum([one.share for one in kinds]) / sum(one.share for one in kinds)
    draw = _uniform(seed, "kind")
    kind = F.coalesce(*(F.when(draw < ceiling, place) for place, ceiling in enumerate(ceilings.tolist())), F.lit(len(kinds) - 1))

    def between(name: str, pairs: Sequence[tuple[float, float]]) -> Column:
        low, high = (_pick(F.col("kind"), [pair[end] for pair in pairs]) for end in (0, 1))
        return low + (high - low) * _uniform(seed, name)

    drawn = _number(spark, customers).withColumn("kind", kind)
    drawn = drawn.withColumns(
        {
            "orders": F.round(between("orders", [(one.orders[0] - 0.499, one.orders[1] + 0.499) for one in kinds])).cast("int"),
            "first": between("first", [one.first_days_ago for one in kinds]),
            "last": between("last", [one.last_days_ago for one in kinds]),
        }
    )
    orders = drawn.withColumn("place", F.explode(F.sequence(F.lit(0), F.col("orders") - 1)))
    # From the first to the last order in even steps, each but these two shifted by up to half a step.
    step = (F.col("first") - F.col("last")) / F.greatest(F.col("orders") - 1, F.lit(1))
    is_inner = (F.col("place") > 0) & (F.col("place") < F.col("orders") - 1)
    shift = F.when(is_inner, _uniform(seed, "day", "place") - 0.5).otherwise(0.0)
    days_ago = F.greatest(F.col("first") - step * (F.col("place") + shift), F.lit(0.01))
    instant = F.lit(as_of).cast("timestamp").cast("double") - days_ago * 86_400
    basket, spread = _pick(F.col("kind"), [one.basket for one in kinds]), _pick(F.col("kind"), [one.spread for one in kinds])
    amount = basket * F.exp(spread * _normal(seed, "amount", "place"))
    lines = F.sequence(F.lit(1), F.when(_uniform(seed, "lines", "place") < 0.5, 1).otherwise(2))
    return orders.withColumns({"amount": amount, "line": F.explode(lines), "lines": F.size(lines)}).select(
        _customer_id(),
        F.element_at(F.array(*map(F.lit, habits)), F.col("kind") + 1).alias("true_archetype"),
        F.format_string("O%09d-%03d", F.col("id"), F.col("place")).alias("order_id"),
        F.timestamp_seconds(F.floor(instant)).alias("ordered_at"),
        "line",
        (F.col("amount") / F.col("lines")).cast(MONEY).alias("amount"),
    )


def generate_mixture(
    spark: SparkSession,
    *,
    customers: int,
    features: int,
    shares: Sequence[float],
    seed: int,
    separation: float = 6.0,
    spreads: Sequence[float] | None = None,
) -> DataFrame:
    """Return customers of several kinds, each a round Gaussian group.

    Parameters
    ----------
    shares : one a group, positive
        Expected share of the customers; normalised to a sum of 1.
    separation : float
        Distance of the two nearest groups' centres, in units of a spread of 1.
    spreads : standard deviation of each group in every feature; 1 by default

    Returns
    -------
    DataFrame of ``customer_id`` (string), ``true_segment`` (int, 0 first), ``feature_1`` ... (double)

    Raises
    ------
    ValueError
        If a share is not positive, or ``spreads`` has another length.
    """
    _check_shares(shares)
    if spreads is not None and len(spreads) != len(shares):
        raise ValueError(f"spreads: {len(shares)} are expected, found {len(spreads)}")
    centers = _place_groups(len(shares), features, separation, seed)
    spread = _pick(F.col("true_segment"), spreads or [1.0] * len(shares))
    drawn = _number(spark, customers).withColumn("true_segment", _draw_group(shares, seed))
    columns = [
        (_pick(F.col("true_segment"), centers[:, place].tolist()) + spread * _normal(seed, f"feature_{place + 1}")).alias(
            f"feature_{place + 1}"
        )
        for place in range(features)
    ]
    return drawn.select(_customer_id(), "true_segment", *columns)


def generate_elongated(
    spark: SparkSession, *, customers: int, features: int, shares: Sequence[float], seed: int, logarithmic: int = 3
) -> DataFrame:
    """Return customers of several kinds that are no balls: long, unequal groups that lean on each other.

    Every feature is the group's centre, plus noise, plus the group's own axis times how far along it a customer is, plus
    what all features share of one common factor. Each group has its own noise and length. The last ``logarithmic`` features
    are the exponential of half of that: log-normal within a group.

    Returns
    -------
    DataFrame of ``customer_id`` (string), ``true_segment`` (int, 0 first), ``feature_1`` ... (double)

    Raises
    ------
    ValueError
        If a share is not positive.
    """
    _check_shares(shares)
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(len(shares), features))
    axes *= (rng.uniform(1.0, 3.0, len(shares)) / np.linalg.norm(axes, axis=1) * math.sqrt(features) / 2)[:, None]
    loadings, noises = rng.uniform(0.3, 1.0, features), rng.uniform(0.6, 1.4, len(shares))
    centers = _place_groups(len(shares), features, 4.0, seed)
    segment, spread = F.col("true_segment"), _pick(F.col("true_segment"), noises.tolist())
    drawn = (
        _number(spark, customers)
        .withColumn("true_segment", _draw_group(shares, seed))
        .withColumns({"common": _normal(seed, "common"), "along": _normal(seed, "along")})
    )
    columns = []
    for place in range(features):
        center, axis = (_pick(segment, numbers[:, place].tolist()) for numbers in (centers, axes))
        noise = spread * _normal(seed, f"feature_{place + 1}")
        value = center + axis * F.col("along") + float(loadings[place]) * F.col("common") + noise
        columns.append((F.exp(value / 2) if place >= features - logarithmic else value).alias(f"feature_{place + 1}"))
    return drawn.select(_customer_id(), "true_segment", *columns)


def generate_skewed(spark: SparkSession, *, customers: int, features: int, seed: int) -> DataFrame:
    """Return customers without groups, as purchase tables have them: many small, few very large.

    How engaged a customer is and how dear the basket drive everything, with noise of its own in each feature.

    Returns
    -------
    DataFrame of ``customer_id`` (string), ``recency_days``, ``frequency_orders``, ``monetary_total`` (currency),
    ``tenure_days``, then ``spend_1`` ... (currency), all double, ``features`` in all

    Raises
    ------
    ValueError
        If fewer than four features are asked for.
    """
    if features < 4:
        raise ValueError(f"features: at least 4 are expected, found {features}")
    engagement, basket = F.col("engagement"), F.col("basket")

    def noise(name: str) -> Column:
        return _normal(seed, name)

    frequency = F.floor(F.exp(0.7 + 0.9 * engagement + 0.3 * noise("frequency"))) + 1
    drawn = (
        _number(spark, customers)
        .withColumns({"engagement": _normal(seed, "engagement"), "basket": _normal(seed, "basket")})
        .withColumn("frequency_orders", frequency.cast("double"))
    )
    spends = [
        F.exp(
            1.0 + 0.7 * engagement * ((place % 3) / 2) + 0.8 * basket * ((place % 4) / 3) + 0.6 * noise(f"spend_{place}")
        ).alias(f"spend_{place}")
        for place in range(1, features - 3)
    ]
    return drawn.select(
        _customer_id(),
        F.least(F.lit(730.0), F.exp(4.2 - 0.8 * engagement + 0.7 * noise("recency"))).alias("recency_days"),
        "frequency_orders",
        (F.col("frequency_orders") * F.exp(3.0 + 0.8 * basket + 0.4 * noise("monetary"))).alias("monetary_total"),
        F.least(F.lit(1500.0), F.exp(5.5 + 0.5 * engagement + 0.6 * noise("tenure"))).alias("tenure_days"),
        *spends,
    )


def _number(spark: SparkSession, customers: int) -> DataFrame:
    return spark.range(0, customers, 1, max(1, math.ceil(customers / _ROWS_PER_PARTITION)))


def _place_groups(groups: int, features: int, separation: float, seed: int) -> npt.NDArray[np.float64]:
    centers = np.random.default_rng(seed).normal(size=(groups, features))
    pairs = itertools.combinations(range(groups), 2)
    nearest = min((float(np.linalg.norm(centers[one] - centers[other])) for one, other in pairs), default=1.0)
    return np.asarray(centers * (separation / nearest))


def _check_shares(shares: Sequence[float]) -> None:
    if not shares or min(shares) <= 0:
        raise ValueError(f"shares: positive numbers are expected, found {list(shares)}")


def _draw_group(shares: Sequence[float], seed: int) -> Column:
    ceilings = (np.cumsum(shares) / np.sum(shares)).tolist()
    draw = _uniform(seed, "group")
    return F.coalesce(*(F.when(draw < ceiling, group) for group, ceiling in enumerate(ceilings)), F.lit(len(shares) - 1))


def _pick(index: Column, values: Sequence[float]) -> Column:
    return F.element_at(F.array(*(F.lit(float(value)) for value in values)), index + 1)


def _customer_id() -> Column:
    return F.format_string("C%09d", F.col("id")).alias("customer_id")


def _uniform(seed: int, name: str, *more: str) -> Column:
    """Return a draw from 0 to 1 of the customer, and of the columns ``more`` where one has several."""
    bits = F.xxhash64(F.col("id"), F.lit(seed), F.lit(name), *more).bitwiseAND(F.lit(2**_BITS - 1))
    return (bits.cast("double") + 0.5) / float(2**_BITS)


def _normal(seed: int, name: str, *more: str) -> Column:
    """Return a standard normal value (Box, Muller 1958)."""
    radius = F.sqrt(-2 * F.log(_uniform(seed, f"{name} radius", *more)))
    return radius * F.cos(2 * np.pi * _uniform(seed, f"{name} angle", *more))
