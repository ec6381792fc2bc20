"""How many customers a hold-out needs to show a change of a rate."""

import math
from statistics import NormalDist

POWER, SIGNIFICANCE = 0.8, 0.05


def plan_holdout(customers: int, rate: float | None, lift: float) -> tuple[int, float] | None:
    """Return customers per arm and the relative lift they can show: ``lift``, or the least that the customers allow.

    None without a rate between 0 and 1, or where even the largest possible lift would need more customers.
    """
    if rate is None or not 0 < rate < 1:
        return None
    largest = min(1.0, (1 - rate) / rate)
    steps = [lift, *(step / 100 for step in range(math.floor(lift * 100) + 1, 101))]
    for step in steps:
        if step <= largest and (arm := size_arm(rate, rate * (1 + step))) * 2 <= customers:
            return arm, step
    return None


def size_arm(rate: float, other: float, *, power: float = POWER, significance: float = SIGNIFICANCE) -> int:
    """Return the customers that each of two equal arms needs to tell two rates apart, two-sided.

    The normal approximation without continuity correction (Fleiss, Levin, Paik 2003, Statistical Methods for Rates
    and Proportions, 3rd ed., section 4.2).

    Raises
    ------
    ValueError
        If a rate is not between 0 and 1, or both are equal.
    """
    if not 0 <= rate <= 1 or not 0 <= other <= 1 or rate == other:
        raise ValueError(f"rates: two different ones from 0 to 1 are expected, found {rate} and {other}")
    normal = NormalDist()
    mean = (rate + other) / 2
    chance = normal.inv_cdf(1 - significance / 2) * math.sqrt(2 * mean * (1 - mean))
    effect = normal.inv_cdf(power) * math.sqrt(rate * (1 - rate) + other * (1 - other))
    return math.ceil(((chance + effect) / (rate - other)) ** 2)
