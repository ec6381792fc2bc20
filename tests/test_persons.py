"""A person can be explained, and forgotten: in every table, its history, the reports, to the last byte."""

import csv
import shutil
from pathlib import Path

import deltalake
import pytest
from conftest import run_all
from pyspark.sql import SparkSession

from segmentation.cli import main
from segmentation.forget import read_ids
from segmentation.tables import ASSIGNMENTS, NO_RECORD, QUARANTINE, RUNS
from segmentation.warehouse.forgetting import Files, find_left, places_of_persons
from segmentation.warehouse.lake import Lake

PERSON = "person-4711"
HOSTILE = [
    "it's {nobody}",
    '"quoted" \\ back',
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "'; DROP TABLE runs; --",
    "=HYPERLINK(1)",
    "\u202egnp.exe",
    "\U0001f6d2 \u0645\u0631\u062d\u0628\u0627",
    "nul\\N",
    "x" * 4000,
]


@pytest.fixture(scope="module")
def published(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs in which the person is among the exemplars and the rows set aside."""
    folder = tmp_path_factory.mktemp("persons")
    ids = [PERSON, *HOSTILE, *(f"other-{number:04d}" for number in range(49))]
    people = [(one, f"{10 + 40 * (place % 3)}.{place:02d}") for place, one in enumerate(ids)]
    with open(folder / "c.csv", "w", newline="") as source:
        csv.writer(source).writerows([("id", "spend"), *people, (PERSON, "99"), ("x-1", "dear")])
    (folder / "c.yaml").write_text(f"""
warehouse: {{path: {folder}/w}}
sources:
  customers: {{format: csv, path: {folder}/c.csv, customer_id: id, attributes: {{spend: {{from: spend, type: number}}}}}}
features: {{use: {{spend: {{}}}}}}
clustering: {{k_max: 4, seeds: [1], resamples: 3, null_tables: 3}}
segments: {{exemplars: ids}}
""")
    for run_id in ("one", "two"):
        run_all(jvm, str(folder / "c.yaml"), run_id)
    return folder


@pytest.fixture
def warehouse(published: Path, jvm: SparkSession, tmp_path: Path) -> tuple[str, Lake]:
    """A configuration and its warehouse, a copy of those that were published."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "c.yaml"
    config.write_text(config.read_text().replace(str(published), str(tmp_path)))
    return str(config), Lake(jvm, f"{tmp_path}/w", None, f"{tmp_path}/w/models")


def test_a_person_is_explained(warehouse: tuple[str, Lake], capsys: pytest.CaptureFixture[str]) -> None:
    config, lake = warehouse

    codes = [main(["explain", "--config", config, "--customer", who]) for who in (PERSON, "nobody's {name}")]

    told = capsys.readouterr()
    (row,) = [one for one in lake.read_rows(ASSIGNMENTS, run_ids=["two"]) if one["customer_id"] == PERSON]
    assert codes == [0, 4]
    assert f"Customer {PERSON} is in" in told.out
    assert f"({row['segment_key']}, number {row['segment_id']})" in told.out
    assert "99" in told.out  # of the person's two rows the one that was kept
    assert "expected a customer of run two, found none" in told.err


def test_ids_come_out_as_they_went_in_whatever_they_spell(
    warehouse: tuple[str, Lake], capsys: pytest.CaptureFixture[str]
) -> None:
    config, lake = warehouse
    placed = {row["customer_id"] for row in lake.read_rows(ASSIGNMENTS, run_ids=["two"])}

    codes = [main(["explain", "--config", config, "--customer", who]) for who in HOSTILE]
    assert main(["report", "--config", config]) == 0

    assert placed >= {*HOSTILE, PERSON}
    assert codes == [0] * len(HOSTILE), capsys.readouterr().err
    assert "<script>" not in Path(f"{lake.path}/reports/two/report.html").read_text()


def test_a_person_is_forgotten_to_the_last_byte(
    warehouse: tuple[str, Lake], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config, lake = warehouse
    assert main(["report", "--config", config]) == 0
    folder = tmp_path / "w"
    files = Files(str(folder))
    before = list(find_left(files, [PERSON]))

    codes = [main(["forget", PERSON, "--config", config, *options]) for options in (("--dry-run",), (), ("--dry-run",))]

    told = capsys.readouterr().out
    assert codes == [0, 0, 0]
    assert before
    assert list(find_left(files, [PERSON])) == []
    assert "assignments: 2 rows would go" in told
    assert "quarantine: 2 rows" in told
    assert "assignments: 0 rows would go" in told
    assert "names one of the 1 ids" in told
    for table in places_of_persons():
        if lake.store.exists(table):
            rows = deltalake.DeltaTable(str(folder / table.name)).to_pyarrow_table()["customer_id"].to_pylist()
            assert PERSON not in rows
    assert len(lake.read_rows(ASSIGNMENTS, run_ids=["two"])) == 59


def test_the_warehouse_goes_on_after_it(warehouse: tuple[str, Lake], jvm: SparkSession) -> None:
    config, lake = warehouse
    assert main(["forget", PERSON, "--config", config]) == 0

    assert main(["show", "--config", config]) == 0
    assert jvm.read.format("delta").load(f"{lake.path}/assignments").count() == 118
    run_all(jvm, config, "three")

    assert {row["run_id"]: row["status"] for row in lake.read_rows(RUNS)} == dict.fromkeys(("one", "two", "three"), "PUBLISHED")


def test_ids_come_from_the_command_line_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("a\n b \n\na\n")

    assert read_ids(["c"], str(tmp_path / "ids.txt")) == ["c", "a", "b"]


def test_records_leave_after_so_many_days_with_the_history_that_had_them(
    warehouse: tuple[str, Lake], jvm: SparkSession, tmp_path: Path
) -> None:
    config, lake = warehouse
    assert list(find_left(Files(f"{tmp_path}/w/quarantine"), ['"dear"']))
    Path(config).write_text(Path(config).read_text() + "privacy: {raw_records_days: 0}\n")

    run_all(jvm, config, "three")

    kept = {row["run_id"]: row["raw_record"] != NO_RECORD for row in lake.read_rows(QUARANTINE)}
    assert kept == {"one": False, "two": False, "three": True}
    Path(config).write_text(Path(config).read_text().replace("days: 0", "days: 1"))
    run_all(jvm, config, "four")
    assert [row["raw_record"] != NO_RECORD for row in lake.read_rows(QUARANTINE, run_ids=["three"])] == [True, True]
    (version,) = {file.stem[:20] for file in (tmp_path / "w/quarantine/_delta_log").glob("*.checkpoint.parquet")}
    assert min(file.stem for file in (tmp_path / "w/quarantine/_delta_log").glob("*.json")) >= version
