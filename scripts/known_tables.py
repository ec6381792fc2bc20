"""Tables whose truth is known, by numpy alone: one crowd of every shape, groups of every kind, and what k-means cannot see."""

from collections.abc import Callable
from functools import partial

import numpy as np

Array = np.ndarray
Made = tuple[Array, Array | None]  # customers x features, and the group of each customer; None without groups
CUSTOMERS = 3000


def _correlated(rng: np.random.Generator, features: int, correlation: float) -> Array:
    shared = rng.normal(size=(CUSTOMERS, 1))
    own = rng.normal(size=(CUSTOMERS, features))
    points: Array = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return points


def _gaussian(rng: np.random.Generator, correlation: float) -> Made:
    return _correlated(rng, 5, correlation), None


def _factor(rng: np.random.Generator) -> Made:
    return rng.normal(size=(CUSTOMERS, 1)) * rng.uniform(0.5, 2, 6) + 0.5 * rng.normal(size=(CUSTOMERS, 6)), None


def _line(rng: np.random.Generator) -> Made:
    return rng.random((CUSTOMERS, 1)) * np.array([1, 1, 1, -1, 1.0]) + 0.1 * rng.normal(size=(CUSTOMERS, 5)), None


def _shoppers(rng: np.random.Generator) -> Made:
    """One population: recency, frequency and spend hang on one liveliness, in logs."""
    lively = rng.normal(size=CUSTOMERS)
    orders = 1 + rng.poisson(np.exp(1 + 0.8 * lively))
    spend = np.exp(3 + 0.5 * rng.normal(size=CUSTOMERS) + 0.3 * lively) * orders
    away = np.minimum(365, np.ceil(rng.exponential(365 / orders)))
    return np.log1p(np.stack([away, orders, spend], axis=1)), None


def _heavy(rng: np.random.Generator) -> Made:
    return _correlated(rng, 4, 0.5) / np.sqrt(rng.chisquare(3, (CUSTOMERS, 1)) / 3), None


def _lognormal(rng: np.random.Generator) -> Made:
    return np.exp(_correlated(rng, 4, 0.3)), None


def _nothing_spent(rng: np.random.Generator) -> Made:
    spent = np.where(rng.random((CUSTOMERS, 3)) < 0.6, 0.0, np.log1p(rng.gamma(1, 50, (CUSTOMERS, 3))))
    return np.column_stack([spent, rng.normal(size=(CUSTOMERS, 2))]), None


def _scales(rng: np.random.Generator) -> Made:
    return np.clip(np.rint(1.1 * _correlated(rng, 5, 0.4) + 3), 1, 5), None


def _binary(rng: np.random.Generator) -> Made:
    return np.column_stack([_correlated(rng, 4, 0.5), rng.random(CUSTOMERS) < 0.4]), None


def _missing(rng: np.random.Generator) -> Made:
    points, missing = _correlated(rng, 4, 0.5), rng.random(CUSTOMERS) < 0.2
    points[missing, 0] = np.median(points[:, 0])
    return np.column_stack([points, missing]), None


def _cube(rng: np.random.Generator, features: int) -> Made:
    truth = rng.integers(0, 2**features, CUSTOMERS)
    corners = (truth[:, None] >> np.arange(features)) & 1
    return 6.0 * corners + rng.normal(size=(CUSTOMERS, features)), truth


def _one_column(rng: np.random.Generator) -> Made:
    truth = rng.integers(0, 2, CUSTOMERS)
    points = rng.normal(size=(CUSTOMERS, 6))
    points[:, 0] += 6 * truth
    return points, truth


def _groups(
    rng: np.random.Generator,
    groups: int,
    features: int,
    apart: float,
    *,
    stretch: float = 1.0,
    factor: float = 0.0,
) -> Made:
    """Draw groups at random places at least ``apart`` from each other, in standard deviations of a group."""
    centers: list[Array] = []
    while len(centers) < groups:
        place = rng.uniform(-1.2, 1.2, features) * apart * groups ** (1 / features)
        if all(np.linalg.norm(place - other) >= apart for other in centers):
            centers.append(place)
    truth, noise = rng.integers(0, groups, CUSTOMERS), rng.normal(size=(CUSTOMERS, features))
    noise[:, 0] *= stretch
    return np.array(centers)[truth] + noise + factor * rng.normal(size=(CUSTOMERS, 1)), truth


def _rings(rng: np.random.Generator) -> Made:
    truth = rng.integers(0, 2, CUSTOMERS)
    angle, radius = 2 * np.pi * rng.random(CUSTOMERS), np.where(truth, 5, 1.5) + 0.25 * rng.normal(size=CUSTOMERS)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), truth


def _bands(rng: np.random.Generator) -> Made:
    truth = rng.integers(0, 3, CUSTOMERS)
    return np.stack([12 * rng.random(CUSTOMERS), 2 * truth + 0.3 * rng.normal(size=CUSTOMERS)], axis=1), truth


Maker = Callable[[np.random.Generator], Made]
CROWDS: dict[str, Maker] = {
    **{f"Gaussian, correlation {one}": partial(_gaussian, correlation=one) for one in (0.5, 0.7, 0.9, 0.97)},
    "one factor behind six columns": _factor,
    "a uniform line seen through five noisy columns": _line,
    "shoppers in logs": _shoppers,
    "heavy tails (t with 3 degrees)": _heavy,
    "lognormal": _lognormal,
    "six in ten spent nothing, in three columns": _nothing_spent,
    "answers from 1 to 5": _scales,
    "one binary column among four": _binary,
    "a fifth missing, with its flag": _missing,
}
GROUPS: dict[str, Maker] = {
    "corners of a square": partial(_cube, features=2),
    "corners of a cube": partial(_cube, features=3),
    "two groups in one column of six": _one_column,
    **{f"{one} groups": partial(_groups, groups=one, features=8, apart=10) for one in (12, 20, 31)},
    "5 long groups": partial(_groups, groups=5, features=4, apart=10, stretch=2.5),
    "4 groups on a common factor": partial(_groups, groups=4, features=5, apart=9, factor=1.5),
    "5 groups, five deviations apart": partial(_groups, groups=5, features=3, apart=5),
}
BENT: dict[str, Maker] = {"a ring around a ring": _rings, "three bands": _bands}
