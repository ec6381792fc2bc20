"""The choice on tables whose truth is known, as docs/choice_of_k.md tells it of ten seeds each."""

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from pyspark.ml.linalg import Vectors
from pyspark.sql import SparkSession
from sklearn.metrics import adjusted_rand_score

from segmentation.clustering.agreement import nearest
from segmentation.clustering.fused import Settings
from segmentation.clustering.points import work_on_points
from segmentation.clustering.refits import Refits
from segmentation.config.schema import Clustering
from segmentation.grid.evidence import weigh
from segmentation.grid.solve import Solved, solve_and_support


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("choice_of_k", ROOT / "scripts" / "choice_of_k.py")
    assert spec is not None
    assert spec.loader is not None
    sys.path.insert(0, str(ROOT / "scripts"))  # its tables lie beside it
    module = importlib.util.module_from_spec(spec)
    sys.modules["choice_of_k"] = module
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()


@pytest.mark.parametrize("groups", [3, 4, 6, 8])
@pytest.mark.parametrize("seed", [1, 2])
def test_separated_groups_are_found_exactly(spark: SparkSession, groups: int, seed: int) -> None:
    found = SCRIPT.choose(SCRIPT.TABLES[f"{groups} separated groups"](spark, seed))

    assert (found.choice.k, found.choice.structure) == (groups, "strong")
    assert found.agreement >= 0.99


@pytest.mark.parametrize("name", ["4 groups of 70, 20, 8, 2 %", "4 groups of spread 0.5, 1, 1.5, 2"])
@pytest.mark.parametrize("seed", [1, 2])
def test_unequal_groups_are_found_within_one(spark: SparkSession, name: str, seed: int) -> None:
    assert abs(SCRIPT.choose(SCRIPT.TABLES[name](spark, seed)).choice.k - 4) <= 1


@pytest.mark.parametrize("name", ["uniform noise", "one Gaussian ball"])
@pytest.mark.parametrize("seed", [1, 2])
def test_noise_is_called_noise(spark: SparkSession, name: str, seed: int) -> None:
    assert SCRIPT.choose(SCRIPT.TABLES[name](spark, seed)).choice.structure == "none"


@pytest.mark.parametrize("seed", [1, 2])
def test_unscaled_whales_are_not_two_segments(spark: SparkSession, seed: int) -> None:
    found = SCRIPT.choose(SCRIPT.TABLES["unscaled whales"](spark, seed))

    assert found.by("silhouette") == 2
    assert found.candidates[0].largest_share > 0.99
    assert found.choice.k != 2
    assert "Total spend holds" in found.choice.traps[2]


def test_solver_seeds_and_partitions_change_neither_k_nor_labels(spark: SparkSession) -> None:
    planted = SCRIPT.TABLES["4 groups of 70, 20, 8, 2 %"](spark, 1)
    scaled = (planted.points - planted.points.mean(0)) / planted.points.std(0, ddof=1)
    rows = [(f"{number}", Vectors.dense(row)) for number, row in enumerate(scaled.tolist())]
    frame = spark.createDataFrame(rows, ["customer_id", "features"]).cache()
    clustering = Clustering.model_validate({})
    refits = Refits(planted.columns, 1, 4, 2, 100)

    def choose(seed: int, partitions: int) -> tuple[int, np.ndarray]:
        solved = Solved(
            "fused",
            *work_on_points(
                frame.repartition(partitions),
                lambda points: solve_and_support(points, settings=Settings((2, 3, 4, 5, 6), (seed,), 100, 1e-5), refits=refits),
                customers=len(rows),
                dimensions=4,
                seed=1,
            ),
        )
        _, choice = weigh(solved, planted.columns, clustering, asked_k=None)
        centers = next(fit.centers for fit, _ in solved.solutions if fit.k == choice.k)
        return choice.k, nearest(centers, scaled)

    (k, labels), *others = [choose(seed, (1, 2, 7, 16)[seed % 4]) for seed in range(10)]

    assert {other for other, _ in others} == {k}
    assert all(adjusted_rand_score(labels, other) == 1.0 for _, other in others)
