"""The choice of K through the whole road: noise and its policies, other algorithms than k-means, the tables of evidence."""

from pathlib import Path

import numpy as np
import pytest
from conftest import first_row, run_all
from pyspark.sql import SparkSession
from sklearn.metrics import adjusted_rand_score

from segmentation.errors import ModelError
from segmentation.tables import ASSIGNMENTS, CENTROIDS, DECISION, FEATURES, GRID, GRID_CENTROIDS, RUNS, SEGMENTS, STABILITY
from segmentation.warehouse.models import load_model


def write_members(folder: Path, points: np.ndarray, clustering: str, k_max: int = 4) -> str:
    """Write customers with two numbers, and a configuration that clusters on them."""
    lines = "".join(f"m{number:04d},{x:.4f},{y:.4f}\n" for number, (x, y) in enumerate(points))
    (folder / "members.csv").write_text("id,visits,spend\n" + lines)
    attributes = "{visits: {from: visits, type: number}, spend: {from: spend, type: number}}"
    config = folder / "members.yaml"
    config.write_text(f"""
warehouse: {{path: {folder}/w}}
sources: {{customers: {{format: csv, path: {folder}/members.csv, customer_id: id, attributes: {attributes}}}}}
features: {{use: {{visits: {{}}, spend: {{}}}}}}
clustering: {{k_min: 2, k_max: {k_max}, seeds: [1], {clustering}}}
""")
    return str(config)


def noise() -> np.ndarray:
    return np.random.default_rng(1).random((400, 2))


def planted() -> tuple[np.ndarray, np.ndarray]:
    truth = np.repeat([0, 1, 2], [80, 60, 40])
    return np.array([[0.0, 0.0], [9.0, 1.0], [4.0, 9.0]])[truth] + np.random.default_rng(2).normal(0, 0.5, (180, 2)), truth


def test_noise_is_published_with_a_warning_by_default(spark: SparkSession, tmp_path: Path) -> None:
    run = run_all(spark, write_members(tmp_path, noise(), "resamples: 5"), "warned")

    row = first_row(run.read(RUNS))
    decision = run.read(DECISION).collect()
    assert (row["status"], row["structure"], row["rule"]) == ("PUBLISHED", "none", "groups")
    assert "do not read these segments as kinds of customers" in row["decision"]
    gates = [one for one in decision if one["gate"] == "better_than_null"]
    assert [one["is_passed"] for one in gates] == [False] * 3
    assert {(one["gate"], one["verdict"]) for one in decision if one["gate"] == "structure"} == {("structure", "none")}
    assert len(decision) == 3 * 7 + 1
    assert run.read(STABILITY).count() == 2 + 3 + 4


def test_noise_fails_the_run_where_that_is_the_policy_and_the_evidence_stays(spark: SparkSession, tmp_path: Path) -> None:
    config = write_members(tmp_path, noise(), "resamples: 5, no_structure: fail")

    with pytest.raises(ModelError, match="expected more structure than chance, found K = "):
        run_all(spark, config, "failed")

    tables = spark.read.format("delta")
    assert tables.load(f"{tmp_path}/w/grid").count() == 3
    assert [row["status"] for row in tables.load(f"{tmp_path}/w/runs").collect()] == ["FAILED"]


def test_noise_is_one_segment_where_that_is_the_policy_unless_a_k_is_asked_for(spark: SparkSession, tmp_path: Path) -> None:
    config = write_members(tmp_path, noise(), "resamples: 5, no_structure: single")

    single = run_all(spark, config, "single")
    forced = run_all(spark, config, "forced", k=3)

    row = first_row(single.read(RUNS))
    assert (row["k"], row["customers"], row["structure"]) == (1, 400, "none")
    assert first_row(single.read(SEGMENTS))["customers"] == 400
    assigned = single.read(ASSIGNMENTS).select("runner_up_segment_id", "margin", "silhouette").distinct().collect()
    assert [tuple(one) for one in assigned] == [(None, None, None)]
    assert {one["k"]: one["is_chosen"] for one in single.read(GRID).collect()} == {1: True, 2: False, 3: False, 4: False}
    overridden = first_row(forced.read(RUNS))
    assert overridden["k"] == 3
    assert overridden["rule_k"] in (2, 3, 4)


def test_a_continuum_is_no_structure_only_where_that_is_asked_for(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    crowd = rng.normal(size=(400, 1)) + 0.5 * rng.normal(size=(400, 2))
    policy = "resamples: 5, no_structure: single"
    taken, left = tmp_path / "taken", tmp_path / "left"
    for folder in (taken, left):
        folder.mkdir()

    single = run_all(spark, write_members(taken, crowd, policy + ", no_structure_from: continuum"), "single")
    several = run_all(spark, write_members(left, crowd, policy), "several")

    found = [first_row(run.read(RUNS)) for run in (single, several)]
    assert [row["structure"] for row in found] == ["continuum", "continuum"]
    assert found[0]["k"] == 1
    assert found[1]["k"] > 1
    assert "passed over: no groups" in {row["verdict"] for row in single.read(GRID).collect()}


# Spark's bisecting k-means makes every iteration that it may, a job each.
@pytest.mark.parametrize(("algorithm", "iterations"), [("bisecting_kmeans", 5), ("gaussian_mixture", 50)])
def test_other_algorithms_fill_the_same_tables_and_their_model_is_saved(
    spark: SparkSession, tmp_path: Path, algorithm: str, iterations: int
) -> None:
    points, truth = planted()
    cheap = f"resamples: 2, null_tables: 1, max_iterations: {iterations}"
    config = write_members(tmp_path, points, f"algorithm: {algorithm}, {cheap}", k_max=3)

    run = run_all(spark, config, "other")

    grid = {row["k"]: row for row in run.read(GRID).collect()}
    assert first_row(run.read(RUNS))["k"] == 3
    measured = ("wssse", "silhouette", "calinski_harabasz", "davies_bouldin", "stability", "weakest_stability", "null_gain")
    assert all(row[name] is not None for row in grid.values() for name in measured)
    assert {row["algorithm"] for row in grid.values()} == {algorithm}
    published = {row["customer_id"]: row for row in run.read(ASSIGNMENTS).collect()}
    labels = [published[f"m{number:04d}"]["segment_id"] for number in range(len(truth))]
    assert adjusted_rand_score(truth, labels) == 1.0
    assert labels[0] == 0  # canonical order: the largest first
    again = load_model(spark, run.model_path).transform(run.read(FEATURES)).select("customer_id", "prediction").collect()
    assert {row["customer_id"]: row["prediction"] for row in again} == {
        name: row["segment_id"] for name, row in published.items()
    }
    silhouettes = [row["silhouette"] for row in published.values()]
    assert np.mean(silhouettes) == pytest.approx(grid[3]["silhouette"], abs=1e-9)
    assert run.read(CENTROIDS).count() == 3 * 2

    another = run_all(spark, config, "another", k=2)
    placed = {row["customer_id"]: row["segment_id"] for row in another.read(ASSIGNMENTS).collect()}
    model = load_model(spark, another.model_path)
    again = model.transform(run.read(FEATURES)).select("customer_id", "prediction").collect()
    assert first_row(another.read(RUNS))["taken_from"] == "other"
    assert {row["customer_id"]: row["prediction"] for row in again} == placed
    # Fitted again alone, K = 2 has the very means that it had in the grid.
    of_grid = run.read(GRID_CENTROIDS).where("k = 2").select("segment_id", "feature", "value_scaled").collect()
    assert sorted(of_grid) == sorted(another.read(CENTROIDS).select("segment_id", "feature", "value_scaled").collect())
