"""Who objects is left out before anything is computed of them, counted, and stored nowhere."""

from pathlib import Path

import pytest
from conftest import run_all
from pyspark.sql import SparkSession

from segmentation.errors import QualityError
from segmentation.ingest.reasons import check_objectors, find_near_objectors
from segmentation.tables import FEATURES, QUARANTINE, ROW_COUNTS, TRANSACTIONS

OBJECTOR = "canary-4711"


def write(folder: Path, objections: str) -> str:
    lines = [f"{who};{day:02d}.01.2024;{10 + place}" for place, who in enumerate(["a", "b", OBJECTOR]) for day in (1, 2, 3)]
    (folder / "t.csv").write_text("who;when;paid\n" + "\n".join([*lines, f"{OBJECTOR};never;x"]) + "\n")
    (folder / "c.csv").write_text(f"who;age\na;30\nb;40\n{OBJECTOR};50\n{OBJECTOR};51\n")
    (folder / "o.csv").write_text(objections)
    config = folder / "c.yaml"
    config.write_text(f"""
as_of: 2024-02-01
warehouse: {{path: {folder}/w}}
sources:
  transactions:
    format: csv
    path: {folder}/t.csv
    delimiter: ";"
    columns: {{customer_id: who, ordered_at: {{from: when, format: dd.MM.yyyy}}, amount: paid}}
  customers:
    format: csv
    path: {folder}/c.csv
    delimiter: ";"
    customer_id: who
    attributes: {{age: {{from: age, type: number}}}}
  objections: {{format: csv, path: {folder}/o.csv, customer_id: id}}
features: {{use: {{monetary_total: {{}}}}}}
""")
    return str(config)


def test_an_objector_is_counted_and_nothing_else(jvm: SparkSession, tmp_path: Path) -> None:
    run = run_all(jvm, write(tmp_path, f"id\n{OBJECTOR}\n"), stages=("ingest", "features"))

    counts = {(row["source"], row["outcome"]): row["rows"] for row in run.lake.read_rows(ROW_COUNTS)}
    assert counts == {
        ("objections", "kept"): 1,
        ("transactions", "kept"): 6,
        ("transactions", "objection"): 4,
        ("customers", "kept"): 2,
        ("customers", "objection"): 2,
    }
    for table in (TRANSACTIONS, FEATURES):
        assert {row["customer_id"] for row in run.lake.read_rows(table)} == {"a", "b"}
    assert {row["raw_record"] for row in run.lake.read_rows(QUARANTINE)} == {"{}"}
    written = [path for path in (tmp_path / "w").rglob("*") if path.is_file()]
    assert len(written) > 10
    assert [path for path in written if OBJECTOR.encode() in path.read_bytes()] == []


def test_a_list_without_anybody_leaves_nobody_out(jvm: SparkSession, tmp_path: Path) -> None:
    run = run_all(jvm, write(tmp_path, "id\n"), stages=("ingest",))

    assert {row["outcome"] for row in run.lake.read_rows(ROW_COUNTS)} == {
        "kept",
        "unreadable_ordered_at",
        "duplicate_customer_id",
    }


@pytest.mark.parametrize(
    ("objector", "said"),
    [
        ("00CANARY-4711", "ids that are kept equal some"),
        ("Jose\u0301", "ids that are kept equal some"),
        ("jose", "nobody of objections"),
        ("somebody", "nobody of objections"),
    ],
)
def test_objections_that_are_written_otherwise_are_told(spark: SparkSession, objector: str, said: str) -> None:
    kept = spark.createDataFrame([("canary4711",), ("Jos\u00e9",)], "customer_id string")
    objectors = spark.createDataFrame([(objector,)], "customer_id string")

    (row,) = check_objectors(near=not find_near_objectors(kept, objectors).isEmpty(), left_out=0)

    assert (row["check"], row["said"].startswith(said)) == ("objections_missed", True)
    assert check_objectors(near=False, left_out=4) == []


def test_a_list_that_cannot_be_read_stops_the_run(jvm: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(QualityError, match=r"sources\.objections: expected at least one row kept"):
        run_all(jvm, write(tmp_path, 'id\n" "\n'), stages=("ingest",))


def test_a_single_objection_that_cannot_be_read_stops_the_run(jvm: SparkSession, tmp_path: Path) -> None:
    readable = "".join(f"person{number}\n" for number in range(50))

    with pytest.raises(
        QualityError, match=r"sources\.objections: expected every row as declared, found 1 of 51: unreadable_customer_id 1"
    ):
        run_all(jvm, write(tmp_path, f"id\n{readable}x\x00y\n"), stages=("ingest",))
    assert {path.name for path in (tmp_path / "w").iterdir()} & {"customers", "transactions"} == set()  # nobody is stored
