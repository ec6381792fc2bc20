"""How often each K is chosen on tables whose truth is known: writes the tables of docs/choice_of_k.md.

Ten generator seeds a table, K = 2..10 or beyond the groups there are, the default rule; about a quarter of an hour on two cores.
With --sets it judges labelled sets from outside (FOLDER/*.csv.gz: an id, features, a label). With --features it prints instead
what ten solver seeds choose, by both solvers, on the features of a finished run.
"""

import argparse
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from known_tables import BENT, CROWDS, GROUPS, Maker
from pyspark.sql import SparkSession
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from segmentation.clustering.agreement import nearest
from segmentation.clustering.fits import lay_out
from segmentation.clustering.fused import Settings
from segmentation.clustering.points import ArrayPoints, Block
from segmentation.clustering.preparation import fit_preparation, plan_preparation
from segmentation.clustering.refits import Refits
from segmentation.config.load import load_config
from segmentation.config.schema import Clustering
from segmentation.grid.choice import Choice
from segmentation.grid.evidence import weigh
from segmentation.grid.gates import Candidate
from segmentation.grid.solve import Solved, choose_k_values, name_columns, solve, solve_and_support
from segmentation.readings import choose_ingredients
from segmentation.report.stage import find_published
from segmentation.run import Run
from segmentation.synthetic import generate_mixture, generate_skewed
from segmentation.tables import FEATURES
from segmentation.warehouse.lake import open_lake
from segmentation.warehouse.session import open_session

PAGE = Path(__file__).resolve().parent.parent / "docs" / "choice_of_k.md"
K_VALUES = tuple(range(2, 11))
SEEDS = range(1, 11)
# Adjusted Rand of k-means given K, from which on a set counts; all do from the first.
_LEAST = (0.0, 0.7, 0.8)


@dataclass(frozen=True)
class Planted:
    """A table (customers, features) with the group of each customer, None without groups."""

    columns: tuple[str, ...]
    points: np.ndarray
    truth: np.ndarray | None


INDICES: dict[str, Callable[[Candidate], float]] = {
    "silhouette": lambda one: one.silhouette or -1.0,
    "Calinski-Harabasz": lambda one: one.calinski_harabasz or 0.0,
    "Davies-Bouldin": lambda one: -(one.davies_bouldin or 1e9),
    "gap": lambda one: one.gap or 0.0,
}


@dataclass(frozen=True)
class Chosen:
    """What was chosen on a table, and by K how well it agrees with the truth (adjusted Rand); empty without one."""

    candidates: list[Candidate]
    choice: Choice
    agreements: dict[int, float]

    @property
    def agreement(self) -> float | None:
        """That of the K chosen."""
        return self.agreements.get(self.choice.k)

    def by(self, index: str) -> int:
        """Return the K that one of ``INDICES`` alone would take."""
        return max(self.candidates, key=INDICES[index]).k


def mixture(spark: SparkSession, seed: int, *, customers: int, features: int, shares: list[int], **options: object) -> Planted:
    """Return groups planted by ``generate_mixture``."""
    frame = generate_mixture(spark, customers=customers, features=features, shares=shares, seed=seed, **options)  # type: ignore[arg-type]
    found: Any = frame.toPandas()
    names = tuple(name for name in found.columns if name.startswith("feature_"))
    truth = found["true_segment"].to_numpy() if len(shares) > 1 else None
    return Planted(names, found[list(names)].to_numpy(), truth)


def uniform(_: SparkSession, seed: int) -> Planted:
    """Return customers without any structure."""
    points = np.random.default_rng(seed).random((3000, 4))
    return Planted(tuple(f"feature_{n}" for n in range(1, 5)), points, None)


def whales(spark: SparkSession, seed: int) -> Planted:
    """Skewed customers, neither logged nor capped, of whom one in two hundred orders and spends beyond all measure."""
    names = ["recency_days", "frequency_orders", "monetary_total"]
    found: Any = generate_skewed(spark, customers=3000, features=4, seed=seed).select(*names).toPandas()
    found.loc[found.index % 200 == 0, "frequency_orders"] *= 20
    found.loc[found.index % 200 == 0, "monetary_total"] *= 400
    return Planted(tuple(names), found.to_numpy(), None)


TABLES: dict[str, Callable[[SparkSession, int], Planted]] = {
    "3 separated groups": partial(mixture, customers=3000, features=6, shares=[1] * 3, separation=12.0),
    "4 separated groups": partial(mixture, customers=3000, features=6, shares=[1] * 4, separation=12.0),
    "6 separated groups": partial(mixture, customers=3000, features=6, shares=[1] * 6, separation=12.0),
    "8 separated groups": partial(mixture, customers=3000, features=6, shares=[1] * 8, separation=12.0),
    "4 groups of 70, 20, 8, 2 %": partial(mixture, customers=4000, features=4, shares=[70, 20, 8, 2], separation=10.0),
    "4 groups of spread 0.5, 1, 1.5, 2": partial(
        mixture, customers=3000, features=4, shares=[1] * 4, separation=9.0, spreads=[0.5, 1.0, 1.5, 2.0]
    ),
    "uniform noise": uniform,
    "one Gaussian ball": partial(mixture, customers=3000, features=4, shares=[1]),
    "unscaled whales": whales,
}


def choose(
    planted: Planted, *, k_values: Sequence[int] = K_VALUES, solver_seed: int = 1, clustering: Clustering | None = None
) -> Chosen:
    """Run the fused grid with its evidence in this process, and choose."""
    clustering = clustering or Clustering.model_validate({})
    scaled = (planted.points - planted.points.mean(0)) / planted.points.std(0, ddof=1)
    order = np.random.default_rng(0).permutation(len(scaled))
    points = ArrayPoints(Block(np.arange(len(scaled), dtype=np.uint64), scaled[order], None))
    settings = Settings(tuple(k_values), (solver_seed,), clustering.max_iterations, clustering.min_gain)
    refits = Refits(planted.columns, 1, clustering.resamples, clustering.null_tables, clustering.max_iterations)
    with threadpool_limits(1, "blas"):
        solved = Solved("fused", *solve_and_support(points, settings=settings, refits=refits))
    candidates, choice = weigh(solved, planted.columns, clustering, asked_k=None)
    if planted.truth is None:
        return Chosen(candidates, choice, {})
    labels = {fit.k: nearest(fit.centers, scaled) for fit, _ in solved.solutions}
    return Chosen(candidates, choice, {k: float(adjusted_rand_score(planted.truth, own)) for k, own in labels.items()})


def rows(makers: Mapping[str, Callable[[int], Planted]]) -> Iterator[str]:
    """Yield a table of the page, line by line: what is chosen on ten tables of each kind; ``makers`` take a seed."""
    yield "| table | K (times) | silhouette alone: K (times) | structure (times) | adjusted Rand, lowest |"
    yield "|---|---|---|---|--:|"
    for name, make in makers.items():
        found = []
        for seed in SEEDS:
            planted = make(seed)
            groups = 1 if planted.truth is None else len(np.unique(planted.truth))
            found.append(choose(planted, k_values=range(2, max(10, groups + 3) + 1)))
        lowest = min((one.agreement for one in found if one.agreement is not None), default=None)
        counts = (
            _count(one.choice.k for one in found),
            _count(one.by("silhouette") for one in found),
            _count(one.choice.structure for one in found),
        )
        yield f"| {name} | {' | '.join(counts)} | {'' if lowest is None else f'{lowest:.3f}'} |"


def known(make: Maker, seed: int) -> Planted:
    """Return one of ``known_tables``."""
    points, truth = make(np.random.default_rng(seed))
    return Planted(tuple(f"column_{place}" for place in range(points.shape[1])), points.astype(float), truth)


def _count(values: Iterator[object]) -> str:
    return ", ".join(
        f"{value} ({times})" for value, times in sorted(Counter(values).items(), key=lambda item: str(item[0]).zfill(3))
    )


def seeds_on(spark: SparkSession, config_path: str, warehouse: str, inputs: dict[str, str]) -> Iterator[str]:
    """Yield what each solver chooses with each of ten sets of seeds, and how far its labels agree with the first ones."""
    base = load_config(config_path, as_of="2000-01-01", warehouse=warehouse, inputs=inputs)
    lake = open_lake(base.warehouse, spark)
    newest = find_published(lake, None).row
    customers = newest["customers"]
    features = lay_out(lake.read(FEATURES, run_id=newest["run_id"]), partitions=newest["layout_partitions"]).cache()
    for solver in ("mllib", "fused"):
        first = None
        for seed in range(10):
            seeds = [3 * seed + number for number in (1, 2, 3)]
            clustering = base.clustering.model_copy(update={"solver": solver, "seeds": seeds})
            config = base.model_copy(update={"clustering": clustering})
            run = Run(newest["run_id"], config, lake, datetime.now(UTC))
            plan = plan_preparation(features, choose_ingredients(run, newest), scaler="standard", pca_components=None)
            preparation = fit_preparation(features, plan)
            prepared = preparation.model.transform(features).select("customer_id", "features").cache()
            k_values = choose_k_values(clustering, asked_k=None, customers=customers)
            solved = solve(prepared, name_columns(preparation), clustering, k_values=k_values, customers=customers)
            _, choice = weigh(solved, name_columns(preparation), clustering, asked_k=None)
            centers = next(fit.centers for fit, _ in solved.solutions if fit.k == choice.k)
            points = np.array([row["features"].toArray() for row in prepared.orderBy("customer_id").collect()])
            labels = nearest(centers, points)
            first = labels if first is None else first
            score = adjusted_rand_score(first, labels)
            yield f"{solver}, seeds {seeds}: K = {choice.k}, structure {choice.structure}, adjusted Rand {score:.3f}"
            prepared.unpersist()


@dataclass(frozen=True)
class Judged:
    """What a rule took on a labelled set: K, and its adjusted Rand; that of k-means given the K of the groups."""

    rule: str
    is_tuned_on: bool
    given: float
    groups: int
    k: int
    agreement: float


def set_rows(folder: Path) -> Iterator[str]:
    """Yield what is chosen on each labelled set, what each index alone would take, and how often each is right."""
    yield "| set | groups | adjusted Rand given K | rule: K | structure | adjusted Rand | " + " | ".join(INDICES) + " |"
    yield "|---|--:|--:|--:|---|--:|" + "--:|" * len(INDICES)
    judged: list[Judged] = []
    for file in sorted(folder.glob("*.csv.gz")):
        table, name = pd.read_csv(file), file.name.removesuffix(".csv.gz")
        points, truth = table.iloc[:, 1:-1].to_numpy(float), table.iloc[:, -1].to_numpy()
        groups = len(np.unique(truth))
        planted = Planted(tuple(table.columns[1:-1]), points, truth)
        found = choose(planted, k_values=range(2, max(12, groups + 5) + 1))
        given = choose(planted, k_values=[groups]).agreement or 0.0
        takes = {"groups": found.choice.k, **{index: found.by(index) for index in INDICES}}
        is_tuned_on = hashlib.sha256(name.encode()).digest()[0] % 2 == 0
        judged += [Judged(rule, is_tuned_on, given, groups, k, found.agreements[k]) for rule, k in takes.items()]
        told = f"{found.choice.k} | {found.choice.structure} | {found.agreement or 0.0:.2f}"
        yield f"| {name} | {groups} | {given:.2f} | {told} | {' | '.join(str(takes[index]) for index in INDICES)} |"
    yield ""
    yield from summary_rows(judged)


def summary_rows(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield how often each rule is right: on all sets, and on those where k-means, given K, finds the groups well enough."""
    yield "| sets | rule | K exact | off by one at most | off by more than twice | mean adjusted Rand |"
    yield "|---|---|--:|--:|--:|--:|"
    for least in _LEAST:
        fair = [one for one in judged if one.given >= least]
        rules = {rule: [one for one in fair if one.rule == rule] for rule in ("groups", *INDICES)}
        where = f"{len(rules['groups'])} with {least} given K" if least else f"all {len(rules['groups'])}"
        for rule, own in rules.items():
            exact, near = sum(one.k == one.groups for one in own), sum(abs(one.k - one.groups) <= 1 for one in own)
            far = sum(not 0.5 <= one.k / one.groups <= 2 for one in own)
            yield f"| {where} | {rule} | {exact} | {near} | {far} | {np.mean([one.agreement for one in own]):.3f} |"
    yield ""
    for is_tuned_on, told in ((True, "that it was tuned on (name hashes even)"), (False, "that it was not tuned on")):
        own = [one for one in judged if one.rule == "groups" and one.is_tuned_on == is_tuned_on]
        fair = [one for one in own if one.given >= max(_LEAST)]
        exact = sum(one.k == one.groups for one in fair)
        yield f"groups, on the {len(fair)} sets with {max(_LEAST)} or more given K {told}: exact on {exact}  "


def _write_between(mark: str, lines: Iterable[str], *, is_printed: bool) -> None:
    table = "\n".join(lines)
    print(f"{mark}\n{table}\n", flush=True)
    if not is_printed:
        found = re.compile(rf"(?s)(<!-- {mark} -->\n).*?(<!-- end {mark} -->)")
        PAGE.write_text(found.sub(lambda old: f"{old[1]}{table}\n{old[2]}", PAGE.read_text()))


def main() -> None:
    """Write the table into the page, or look at the seeds of a finished run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", nargs=2, metavar=("CONFIG", "WAREHOUSE"), help="ten solver seeds on a finished run")
    parser.add_argument("--input", action="append", default=[], metavar="SOURCE=PATH", help="as in the run; not read again")
    parser.add_argument("--sets", type=Path, metavar="FOLDER", help="labelled sets to judge by, alone")
    parser.add_argument("--print", action="store_true", help="print the table and leave the page alone")
    asked = parser.parse_args()
    if asked.sets:
        _write_between("sets", set_rows(asked.sets), is_printed=asked.print)
        return
    if not asked.features:
        for mark, makers in (("crowds", CROWDS), ("groups", GROUPS), ("bent", BENT)):
            lines = rows({name: partial(known, make) for name, make in makers.items()})
            _write_between(mark, lines, is_printed=asked.print)
    spark, _ = open_session()
    if asked.features:
        config_path, warehouse = asked.features
        for line in seeds_on(spark, config_path, warehouse, dict(one.split("=", 1) for one in asked.input)):
            print(line, flush=True)
        return
    lines = rows({name: partial(make, spark) for name, make in TABLES.items()})
    _write_between("table", lines, is_printed=asked.print)


if __name__ == "__main__":
    main()
