"""How often the drift of docs/monthly.md alarms where nothing moved, and where one feature did: prints two tables.

Made-up customers, placed by a model fitted to them, against as many that the same world makes anew; through the functions of
``segmentation/publish/drift.py``, without Spark, a quarter of an hour on a core. Beyond 200,000 customers those are compared
whose ids a score would take: their hash is Spark's ``xxhash64``.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from threadpoolctl import threadpool_limits

from segmentation.clustering.hashes import hash_ids
from segmentation.clustering.lloyd import descend
from segmentation.clustering.points import Array, ArrayPoints, Block
from segmentation.publish.drift import KEEP, Placed, find_drift, judge_drift
from segmentation.publish.excess import measure_excess
from segmentation.publish.placed import find_step

# Comparisons by customers: the fewer, the more of them; a million take seconds each.
COMPARISONS = {100: 3_000, 500: 1_000, 2_469: 1_000, 1_000_000: 100}
SHIFTED, SHIFTS = 2_469, 300
DEVIATIONS = 0.5
SKEWED = ("skewed", "orders", "spend", "basket", "recency")


@dataclass(frozen=True)
class Drawn:
    """Customers as their features say, and as the model sees them: ``points`` of shape (customers, dimensions), scaled units."""

    columns: Mapping[str, npt.NDArray[Any]]
    points: Array


@dataclass(frozen=True)
class World:
    """What draws customers of so many segments; the features that are whole numbers move by whole numbers."""

    segments: int
    draw: Callable[[np.random.Generator, int], Mapping[str, npt.NDArray[Any]]]
    numbers: tuple[str, ...]
    whole: tuple[str, ...]
    most: int = 1_000_000  # customers that are drawn of it


def draw_numbers(rng: np.random.Generator, customers: int) -> dict[str, npt.NDArray[Any]]:
    """Return four overlapping segments in five numbers, of which one is skewed and one whole."""
    centers = np.array([[-1.5, 0, 0], [1.5, 0, 0], [0, 2, 0], [0, -2, 0.0]])
    points = centers[rng.choice(4, customers, p=(0.4, 0.3, 0.2, 0.1))] + rng.normal(size=(customers, 3))
    names = {f"normal {number}": points[:, number] for number in range(3)}
    return {**names, "skewed": rng.exponential(size=customers), "whole": rng.poisson(1.0, customers).astype(float)}


def draw_mixed(rng: np.random.Generator, customers: int) -> dict[str, npt.NDArray[Any]]:
    """Return six segments in eight features as shops have them: money, counts, gaps, and categories with rare levels."""
    segment = rng.choice(6, customers, p=(0.3, 0.25, 0.2, 0.1, 0.1, 0.05))
    level = np.array([0.0, 1.0, 2.0, 0.5, 1.5, 3.0])[segment]
    orders = 1 + rng.poisson(np.exp(level))
    basket = np.array([2.0, 3.0, 2.5, 4.0, 1.5, 3.5])[segment] + 0.5 * rng.normal(size=customers)
    recency = rng.exponential(np.array([200.0, 60.0, 20.0, 90.0, 30.0, 10.0])[segment]).round()
    gaps = np.where(rng.random(customers) < 0.3, np.nan, 40 + 10 * level + 12 * rng.normal(size=customers))
    regions = np.array([*"abcdefgh"], dtype=object)
    return {
        "orders": orders.astype(float),
        "spend": orders * np.exp(basket),
        "basket": np.exp(basket),
        "recency": recency,
        "tenure": recency + 365 * rng.random(customers).round(3),
        "age, a third missing": gaps,
        "discount": np.clip(rng.normal(0.1, 0.1, customers), 0, None),
        "region": regions[np.minimum(rng.geometric(0.45, customers) - 1, 7)],
    }


def draw_sums(rng: np.random.Generator, customers: int) -> dict[str, npt.NDArray[Any]]:
    """Return sums that are nought of most customers and very large of a few, without logarithms; and a yes or no."""
    is_active = rng.random(customers) < 0.6
    sums = {
        f"sum {number}": np.where(is_active & (rng.random(customers) < 0.5), rng.lognormal(2 + 0.3 * number, 1.0, customers), 0.0)
        for number in range(5)
    }
    return {**sums, "yes or no": is_active.astype(float)}


def draw_many(rng: np.random.Generator, customers: int) -> dict[str, npt.NDArray[Any]]:
    """Return thirty numbers that go together, without groups; a third are whole, a third skewed."""
    fixed = np.random.default_rng(6)
    points = rng.normal(size=(customers, 3)) @ fixed.normal(size=(3, 30)) + rng.normal(size=(customers, 30))
    shapes = (np.asarray, np.round, np.exp)
    return {f"number {number}": shapes[number % 3](points[:, number]) for number in range(30)}


def draw_one(rng: np.random.Generator, customers: int) -> dict[str, npt.NDArray[Any]]:
    """Return a single number with two humps."""
    return {"one": rng.normal(size=customers) + 3.0 * (rng.random(customers) < 0.5)}


WORLDS = {
    "4 segments in 5 numbers": World(4, draw_numbers, ("normal 0", "normal 1", "normal 2", "skewed", "whole"), ("whole",)),
    "6 segments in 8 features, with gaps and levels": World(
        6,
        draw_mixed,
        ("orders", "spend", "basket", "recency", "tenure", "age, a third missing", "discount"),
        ("orders",),
        most=100_000,
    ),
    "4 segments in 5 sums, mostly nought, and a yes or no": World(4, draw_sums, (), (), most=100_000),
    "12 segments in 30 numbers": World(12, draw_many, (), (), most=100_000),
    "2 segments in 1 number": World(2, draw_one, ("one",), (), most=100_000),
    "12 segments in 1 number": World(12, draw_one, ("one",), (), most=100_000),
}


def prepare(columns: Mapping[str, npt.NDArray[Any]], trained: Mapping[str, npt.NDArray[Any]]) -> Array:
    """Return points in the scaled units of a training: what is skewed as a logarithm, a gap as the median, a level as 0 or 1."""
    made = []
    for name, values in columns.items():
        if values.dtype.kind != "f":
            made += [(values == level).astype(float) for level in sorted(set(trained[name].tolist()))]
            continue
        before, now = (np.log1p(one) if name in SKEWED else one for one in (trained[name], values))
        middle, spread = np.nanmedian(before), np.nanstd(before)
        made.append((np.where(np.isnan(now), middle, now) - np.nanmean(before)) / spread)
    return np.column_stack(made)


def fit(points: Array, segments: int, rng: np.random.Generator) -> Array:
    """Return centres of Lloyd's iterations, the best of three starts on some of the customers, as a run fits them."""
    some = points[:20_000]
    starts = [some[rng.choice(len(some), segments, replace=False)] for _ in range(3)]
    ended = [lloyd(some, start) for start in starts]
    best: Array = min(ended, key=lambda one: one[1])[0]
    return lloyd(points, best)[0]


def lloyd(points: Array, start: Array) -> tuple[Array, float]:
    """Return where Lloyd's iterations end, and WSSSE there."""
    block = Block(np.arange(len(points), dtype=np.uint64), points, None)
    found = descend(ArrayPoints(block), {len(start): start}, max_iterations=20, min_gain=1e-4)[len(start)]
    return found.centers, found.wssse


def place(columns: Mapping[str, npt.NDArray[Any]], points: Array, centers: Array) -> Placed:
    """Return customers in the segment of the nearest centre."""
    apart = np.stack([((points - center) ** 2).sum(1) for center in centers], axis=1)
    return Placed(apart.argmin(1).astype(np.intp), np.sqrt(apart.min(1)), columns)


@cache
def is_compared(customers: int) -> npt.NDArray[np.bool_]:
    """Return who of so many customers is compared: those whose id has a hash of the sample's."""
    step = find_step(customers)
    ids = pa.chunked_array([np.char.mod("C%07d", np.arange(customers))])
    return hash_ids(ids) % step == 0 if step > 1 else np.ones(customers, dtype=bool)


def compare(world: World, rng: np.random.Generator, customers: int, *, shifted: str | None = None) -> str:
    """Return the verdict on as many new customers of the same world, or of one in which a feature moved."""
    some = is_compared(customers)
    # What an id's hash is says nothing of the customer, so of today's only those compared are drawn.
    drawn = [dict(world.draw(rng, count)) for count in (customers, int(some.sum()))]
    if shifted is not None:
        by = DEVIATIONS * float(np.nanstd(drawn[0][shifted]))
        drawn[1][shifted] = drawn[1][shifted] + (max(round(by), 1) if shifted in world.whole else by)
    trained = prepare(drawn[0], drawn[0])
    centers = fit(trained, world.segments, rng)
    both = [{name: values[some] for name, values in drawn[0].items()}, drawn[1]]
    points = [trained[some], prepare(drawn[1], drawn[0])]
    then, now = (place(columns, one, centers) for columns, one in zip(both, points, strict=True))
    found = find_drift(then, now, segments=world.segments, excess=measure_excess(points[0], points[1], centers))
    return judge_drift(found).partition(":")[0]


def count_alarms(world: World, customers: int, times: int) -> str:
    """Return a row of the table of false alarms."""
    rng = np.random.default_rng([customers, times])
    verdicts = Counter(compare(world, rng, customers) for _ in range(times))
    alarms = times - verdicts.pop(KEEP, 0)
    told = ", ".join(f"{verdict} {count}" for verdict, count in sorted(verdicts.items()))
    return f"{customers:,} | {int(is_compared(customers).sum()):,} | {times:,} | {alarms} | {alarms / times:.1%} | {told} |"


def count_found(world: World, feature: str, times: int) -> str:
    """Return a row of the table of what is found."""
    rng = np.random.default_rng([SHIFTED, times, *feature.encode()])
    verdicts = Counter(compare(world, rng, SHIFTED, shifted=feature) for _ in range(times))
    return f"{feature} | {times:,} | {(times - verdicts[KEEP]) / times:.1%} |"


def main() -> None:
    """Print the tables, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, metavar="S", help="of the comparisons; 1 by default")
    share = parser.parse_args().share
    with threadpool_limits(1):
        print("| Customers of | Then and now, each | Compared | Comparisons | False alarms | | Verdicts |")
        print("|---|--:|--:|--:|--:|--:|---|")
        for name, world in WORLDS.items():
            for customers, times in COMPARISONS.items():
                if customers <= world.most:
                    print(f"| {name} | {count_alarms(world, customers, max(round(times * share), 1))}", flush=True)
        print("\n| Customers of | Half a standard deviation in | Comparisons | Found |\n|---|---|--:|--:|")
        for name, world in WORLDS.items():
            for feature in world.numbers:
                print(f"| {name} | {count_found(world, feature, max(round(SHIFTS * share), 1))}", flush=True)


if __name__ == "__main__":
    main()
