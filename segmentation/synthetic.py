"""Customers made up from a seed, at any size: mixtures with known segments, and skewed purchase behaviour. Floor 2.

Every value is a function of the seed, the customer and the column, so that partitions, cores and the number of customers
beside it change nothing.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

_BITS = 53
_ROWS_PER_PARTITION = 250_000


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
    if not shares or min(shares) <= 0:
        raise ValueError(f"shares: positive numbers are expected, found {list(shares)}")
    if spreads is not None and len(spreads) != len(shares):
        raise ValueError(f"spreads: {len(shares)} are expected, found {len(spreads)}")
    centers = _place_groups(len(shares), features, separation, seed)
    ceilings = (np.cumsum(shares) / np.sum(shares)).tolist()
    draw = _uniform(seed, "group")
    segment = F.coalesce(*(F.when(draw < ceiling, group) for group, ceiling in enumerate(ceilings)), F.lit(len(shares) - 1))
    spread = _pick(F.col("true_segment"), spreads or [1.0] * len(shares))
    drawn = _number(spark, customers).withColumn("true_segment", segment)
    columns = [
        (_pick(F.col("true_segment"), centers[:, place].tolist()) + spread * _normal(seed, f"feature_{place + 1}")).alias(
            f"feature_{place + 1}"
        )
        for place in range(features)
    ]
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


def _pick(index: Column, values: Sequence[float]) -> Column:
    return F.element_at(F.array(*(F.lit(float(value)) for value in values)), index + 1)


def _customer_id() -> Column:
    return F.format_string("C%09d", F.col("id")).alias("customer_id")


def _uniform(seed: int, name: str) -> Column:
    bits = F.xxhash64(F.col("id"), F.lit(seed), F.lit(name)).bitwiseAND(F.lit(2**_BITS - 1))
    return (bits.cast("double") + 0.5) / float(2**_BITS)


def _normal(seed: int, name: str) -> Column:
    """Return a standard normal value (Box, Muller 1958)."""
    radius = F.sqrt(-2 * F.log(_uniform(seed, f"{name} radius")))
    return radius * F.cos(2 * np.pi * _uniform(seed, f"{name} angle"))
