"""A month after: segments keep key, name and colour; who moved and why is told; a repeated run says the same again."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_all
from pyspark.sql import SparkSession

from segmentation.errors import PublishError
from segmentation.run import Run
from segmentation.tables import ASSIGNMENTS, CURRENT, LINEAGE, PREPARATION, QUARANTINE, REACH, RUNS, SEGMENTS, TRANSITIONS, Table

SPOTS = np.array([[10.0, 10.0], [60.0, 10.0], [10.0, 60.0]])


def write_month(folder: Path, name: str, groups: list[int], *, seed: int, first: int = 0) -> str:
    """Write customers around ``SPOTS`` (group by customer) and return the path."""
    rng = np.random.default_rng(seed)
    spots = [(SPOTS if group < 3 else np.array([[0, 0], [0, 0], [0, 0], [60.0, 60.0]]))[group] for group in groups]
    points = [rng.normal(spot, 1.0) for spot in spots]
    rows = "\n".join(f"{first + number},{spend:.3f},{visits:.3f}" for number, (spend, visits) in enumerate(points))
    (folder / f"{name}.csv").write_text(f"id,spend,visits\n{rows}\n")
    return str(folder / f"{name}.csv")


@pytest.fixture(scope="module")
def runs(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The same month twice, by other seeds; one in which some moved, left and arrived; one with a new kind of customer."""
    folder = tmp_path_factory.mktemp("months")
    config = folder / "c.yaml"
    config.write_text(f"""
warehouse: {{path: {folder}/w}}
sources:
  customers:
    format: csv
    path: {folder}/a.csv
    customer_id: id
    attributes: {{spend: {{from: spend, type: number}}, visits: {{from: visits, type: number}}}}
features: {{use: {{spend: {{}}, visits: {{}}}}, revenue: spend}}
clustering: {{k_max: 5, seeds: [1], resamples: 3, null_tables: 3}}
segments: {{names: {{S0002: Our best}}}}
privacy: {{min_cell: 1}}  # three who moved are counted
""")
    groups = [number % 3 for number in range(90)]
    moved = [1 if number < 9 and group == 0 else group for number, group in enumerate(groups)][:84] + [2] * 12
    months = {"a": groups, "again": groups, "moved": moved, "born": [*moved, *[3] * 40]}
    found = {}
    for seed, (name, month) in enumerate(months.items()):
        path = write_month(folder, name, month, seed=min(1, seed))
        if name == "again":
            path = str(folder / "a.csv")
            config.write_text(config.read_text().replace("seeds: [1]", "seeds: [7, 8], partitions: 3"))
        if name == "born":  # as a table is looked back at that does not fit into the driver
            config.write_text(config.read_text().replace("partitions: 3", "partitions: 3, driver_mb: 0"))
        found[name] = run_all(jvm, str(config), name, inputs={"customers": path})
    config.write_text(config.read_text().replace(", driver_mb: 0", ""))
    found["repeated"] = run_all(jvm, str(config), "moved", inputs={"customers": str(folder / "moved.csv")})
    return found


def rows(runs: dict[str, Run], run_id: str, table: Table) -> list[dict[str, Any]]:
    return runs["a"].lake.read_rows(table, run_ids=[run_id])


def test_the_first_run_gives_keys(runs: dict[str, Run]) -> None:
    assert [(row["segment_key"], row["verdict"]) for row in rows(runs, "a", LINEAGE)] == [
        ("S0001", "first"),
        ("S0002", "first"),
        ("S0003", "first"),
    ]
    assert {(row["since_runs"], row["previous_key"]) for row in rows(runs, "a", ASSIGNMENTS)} == {(1, None)}
    assert {row["segment_name"] for row in rows(runs, "a", SEGMENTS) if row["segment_key"] == "S0002"} == {"Our best"}
    assert all(0 < row["distance_p99"] < 1 for row in rows(runs, "a", REACH))


def test_the_same_data_by_other_seeds_and_layout_keep_every_key_name_and_colour(runs: dict[str, Run]) -> None:
    assert {(row["verdict"], row["basis"], row["jaccard"]) for row in rows(runs, "again", LINEAGE)} == {
        ("survived", "models", 1.0)
    }
    assert {row["why"] for row in rows(runs, "again", TRANSITIONS)} == {"stayed"}
    assert {row["since_runs"] for row in rows(runs, "again", ASSIGNMENTS)} == {2}
    looks = [
        {row["segment_key"]: (row["segment_name"], row["color"]) for row in rows(runs, run_id, SEGMENTS)}
        for run_id in ("a", "again")
    ]
    assert looks[0] == looks[1]


def test_customers_who_moved_did_so_themselves(runs: dict[str, Run]) -> None:
    ways = {
        (row["from_key"], row["to_key"], row["why"]): row["customers"]
        for row in rows(runs, "moved", TRANSITIONS)
        if row["why"] != "stayed"
    }
    keys = {row["customer_id"]: row for row in rows(runs, "moved", ASSIGNMENTS)}
    before = {row["customer_id"]: row["segment_key"] for row in rows(runs, "again", ASSIGNMENTS)}

    assert {why for _, _, why in ways} == {"customer", "arrived"}  # ids 84 to 89 are others now
    assert sum(size for (_, _, why), size in ways.items() if why == "arrived") == 6
    mover = keys["0"]
    assert (mover["previous_key"], mover["since_runs"]) == (before["0"], 1)
    stayer = keys["1"]
    assert (stayer["segment_key"], stayer["previous_key"], stayer["since_runs"]) == (before["1"], None, 3)
    assert {row["verdict"] for row in rows(runs, "moved", LINEAGE)} == {"survived"}


def test_a_new_kind_of_customer_is_born_and_nobody_loses_a_key(runs: dict[str, Run]) -> None:
    lineage = {row["segment_key"]: row["verdict"] for row in rows(runs, "born", LINEAGE)}

    assert lineage == {"S0001": "survived", "S0002": "survived", "S0003": "survived", "S0004": "born"}
    colors = Counter(row["color"] for row in rows(runs, "born", SEGMENTS))
    assert set(colors.values()) == {1}


def test_a_repeated_run_looks_back_as_it_did(runs: dict[str, Run]) -> None:
    seq = {row["run_id"]: row["published_seq"] for row in runs["a"].lake.read_rows(RUNS)}

    assert seq["moved"] == max(seq.values())
    assert {row["previous_run_id"] for row in rows(runs, "moved", LINEAGE)} == {"again"}
    current = runs["a"].lake.read_rows(CURRENT["assignments"])
    assert {row["run_id"] for row in current} == {"moved"}
    assert Counter(row["since_runs"] for row in current) == Counter(row["since_runs"] for row in rows(runs, "moved", ASSIGNMENTS))


def test_old_runs_are_dropped_and_their_keys_never_given_again(jvm: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"""
warehouse: {{path: {tmp_path}/w, keep_runs: 2}}
sources:
  customers: {{format: csv, path: {tmp_path}/a.csv, customer_id: id, attributes: {{spend: {{from: spend, type: number}}}}}}
features: {{use: {{spend: {{}}}}}}
clustering: {{k_max: 4, seeds: [1], resamples: 3, null_tables: 3}}
privacy: {{raw_records: "off"}}
""")
    write_month(tmp_path, "a", [number % 3 for number in range(60)], seed=0)
    with open(tmp_path / "a.csv", "a") as source:
        source.write("x,dear,1\n")

    run = [run_all(jvm, str(tmp_path / "c.yaml"), run_id) for run_id in ("one", "two", "three")][-1]

    def told(run_id: str) -> list[list[str]]:
        tables = (LINEAGE, TRANSITIONS, ASSIGNMENTS, SEGMENTS)
        return [sorted(map(str, run.lake.read_rows(table, run_ids=[run_id]))) for table in tables]

    assert {row["run_id"]: row["status"] for row in run.lake.read_rows(RUNS)} == {
        "one": "DROPPED",
        "two": "PUBLISHED",
        "three": "PUBLISHED",
    }
    assert {row["run_id"] for row in run.lake.read_rows(ASSIGNMENTS)} == {"two", "three"}
    assert {row["run_id"] for row in run.lake.read_rows(LINEAGE)} == {"one", "two", "three"}
    assert not Path(run.lake.models, "one").exists()
    assert {row["raw_record"] for row in run.lake.read_rows(QUARANTINE)} == {"{}"}

    before = told("two")
    run_all(jvm, str(tmp_path / "c.yaml"), "two")
    with pytest.raises(PublishError, match=r"expected the k it was published with, 2, or a new run id, found 3"):
        run_all(jvm, str(tmp_path / "c.yaml"), "two", k=3)

    assert told("two") == before  # though what it looked back at is gone
    assert {row["since_runs"] for row in run.lake.read_rows(ASSIGNMENTS, run_ids=["two"])} == {2}


def test_without_the_former_model_the_customers_of_both_runs_tell(
    runs: dict[str, Run], jvm: SparkSession, tmp_path: Path
) -> None:
    config = str(Path(str(runs["a"].lake.path)).parent / "c.yaml")
    path = write_month(tmp_path, "other", [number % 3 for number in range(90)], seed=0)
    lake, constants = runs["a"].lake, rows(runs, "moved", PREPARATION)
    models = Path(lake.models)
    (models / "moved").rename(models / "aside")
    lake.write_rows([], PREPARATION, run_id="moved")
    try:
        run_all(jvm, config, "other", inputs={"customers": path})
    finally:
        (models / "aside").rename(models / "moved")
        lake.write_rows(constants, PREPARATION, run_id="moved")

    assert {(row["verdict"], row["basis"]) for row in rows(runs, "other", LINEAGE)} == {("survived", "customers")}
    assert {row["why"] for row in rows(runs, "other", TRANSITIONS)} <= {"stayed", "unknown", "arrived", "left"}
