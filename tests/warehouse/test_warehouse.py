"""Both writers make the same tables, and what they write can be trusted."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.errors import PublishError
from segmentation.frames import spark_schema
from segmentation.tables import ASSIGNMENTS, CURRENT, DOUBLE, EVERY, FEATURES, GRID, RUNS, SEGMENTS, STRING, Column, Table
from segmentation.warehouse.arrow_store import ArrowStore
from segmentation.warehouse.lake import Lake, is_plain
from segmentation.warehouse.layout import arrow_schema
from segmentation.warehouse.spark_store import SparkStore

SAMPLES: dict[str, list[Any]] = {
    "string": ["a'b\\c", "zw\u00f6lf"],
    "bigint": [2**40, -1],
    "int": [7, 0],
    "double": [0.1, -1e300],
    "boolean": [True, False],
    "date": [date(2020, 2, 29), date(1970, 1, 1)],
    "timestamp": [datetime(2020, 2, 29, 1, 2, 3, 456789, UTC), datetime(1969, 12, 31, tzinfo=UTC)],
    "decimal(18,6)": [Decimal("-1.234567"), Decimal("999999999999.000000")],
    "decimal(28,6)": [Decimal("0.000001"), Decimal("9999999999999999999999.999999")],
}


def make_rows(table: Table, run_id: str = "r1") -> list[dict[str, Any]]:
    """Return two rows that differ in every column, and one with nulls wherever they are allowed."""
    full = [{one.name: SAMPLES[one.type][number] for one in table.columns} for number in range(2)]
    empty = {one.name: SAMPLES[one.type][0] if one.required else None for one in table.columns}
    return [{**row, "run_id": run_id} for row in (*full, empty)]


def replace(store: ArrowStore | SparkStore, rows: list[dict[str, Any]], table: Table, run_id: str | None = "r1") -> None:
    store.replace(pa.Table.from_pylist(rows, arrow_schema(table)), table, run_id)


@pytest.fixture(scope="module")
def stores(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[ArrowStore, SparkStore]:
    folder = tmp_path_factory.mktemp("stores")
    return ArrowStore(f"{folder}/arrow"), SparkStore(jvm, f"{folder}/spark", None)


def facts(store: ArrowStore | SparkStore, table: Table) -> dict[str, Any]:
    """Return what a reader can know of a table, but for who wrote it and when."""
    delta = deltalake.DeltaTable(store.place(table))
    metadata, protocol = delta.metadata(), delta.protocol()
    return {
        "protocol": (protocol.min_reader_version, protocol.min_writer_version),
        "partitions": metadata.partition_columns,
        "comment": metadata.description,
        "properties": metadata.configuration,
        "schema": delta.schema().to_json(),
        "metadata": [commit.get("userMetadata") for commit in delta.history() if commit["operation"] == "WRITE"],
    }


@pytest.mark.parametrize("table", [GRID, RUNS, SEGMENTS, FEATURES], ids=lambda table: table.name)
def test_two_writers_make_one_table(stores: tuple[ArrowStore, SparkStore], table: Table) -> None:
    by_arrow, by_spark = stores
    for store in stores:
        replace(store, make_rows(table), table)

    assert facts(by_arrow, table) == facts(by_spark, table)
    assert facts(by_arrow, table)["metadata"] == ['{"run_id": "r1"}']
    rows = by_arrow.read(table)
    assert sorted(rows, key=str) == sorted(by_spark.read(table), key=str) == sorted(make_rows(table), key=str)
    for reader, place in ((by_spark, by_arrow), (by_arrow, by_spark)):  # each reads what the other wrote
        other = type(reader)(**{**vars(reader), "path": place.path})
        assert sorted(other.read(table), key=str) == sorted(rows, key=str)


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.name)
def test_every_table_keeps_its_rows_types_and_comments(tmp_path: Path, table: Table) -> None:
    store = ArrowStore(str(tmp_path))

    replace(store, make_rows(table), table)

    assert store.version(table) == 0  # made with its first rows
    assert store.read(table) == make_rows(table)
    stored = deltalake.DeltaTable(store.place(table)).schema().fields
    assert [field.metadata["comment"] for field in stored] == [one.comment for one in table.columns]
    store.check_protocol(table)


@pytest.mark.parametrize("name", ["arrow", "spark"])
def test_a_run_replaces_its_own_slice_alone_in_one_commit(
    stores: tuple[ArrowStore, SparkStore], tmp_path: Path, name: str
) -> None:
    store = ArrowStore(str(tmp_path)) if name == "arrow" else SparkStore(stores[1].spark, str(tmp_path), None)
    replace(store, make_rows(GRID), GRID)
    replace(store, make_rows(GRID, "a:b+c"), GRID, "a:b+c")
    before = store.version(GRID)

    replace(store, make_rows(GRID, "a:b+c")[:1], GRID, "a:b+c")

    assert store.version(GRID) == before + 1
    assert (store.count(GRID, "r1"), store.count(GRID, "a:b+c")) == (3, 1)
    assert len(store.read(GRID, ["a:b+c"])) == 1
    assert store.read(GRID, ["nobody"]) == []
    store.copy(GRID, "a:b+c", Table("copied", "A copy.", (), GRID.columns), 7)
    assert store.published_seq(Table("copied", "", (), GRID.columns)) == 7
    assert store.published_seq(Table("nowhere", "", (), GRID.columns)) is None
    assert len(store.read(Table("copied", "", (), GRID.columns))) == 1


@pytest.mark.parametrize("name", ["arrow", "spark"])
def test_a_run_takes_over_the_slice_of_another_with_all_its_columns(
    stores: tuple[ArrowStore, SparkStore], tmp_path: Path, name: str
) -> None:
    store = ArrowStore(str(tmp_path)) if name == "arrow" else SparkStore(stores[1].spark, str(tmp_path), None)
    wider = FEATURES.widened((Column("age", DOUBLE, "an attribute"),))
    replace(store, make_rows(wider, "former"), wider, "former")
    replace(store, make_rows(FEATURES, "bystander"), FEATURES, "bystander")

    for _ in range(2):  # again changes nothing
        store.take_over(FEATURES, "former", "new")

    found = store.read(FEATURES, ["new"])
    assert sorted(found, key=str) == sorted((row | {"run_id": "new"} for row in store.read(FEATURES, ["former"])), key=str)
    assert {row["age"] for row in found} == {0.1, -1e300, None}
    assert [store.count(FEATURES, run_id) for run_id in ("former", "bystander", "new")] == [3, 3, 3]


def test_files_that_are_taken_over_are_the_same_to_every_reader(stores: tuple[ArrowStore, SparkStore], tmp_path: Path) -> None:
    store, spark_store = ArrowStore(str(tmp_path)), SparkStore(stores[1].spark, str(tmp_path), None)
    replace(spark_store, make_rows(FEATURES, "former"), FEATURES, "former")
    before = store.version(FEATURES)

    store.take_over(FEATURES, "former", "new")

    assert store.version(FEATURES) == before + 1
    files = {
        run: sorted(one.read_bytes() for one in (tmp_path / f"features/run_id={run}").iterdir()) for run in ("former", "new")
    }
    assert [one for one in files["new"] if one[:4] == b"PAR1"] == [one for one in files["former"] if one[:4] == b"PAR1"]
    expected = sorted((row | {"run_id": "new"} for row in store.read(FEATURES, ["former"])), key=str)
    assert sorted(store.read(FEATURES, ["new"]), key=str) == expected
    assert sorted((row.asDict() for row in spark_store.frame(FEATURES, "new").collect()), key=str) == expected
    customer = expected[0]["customer_id"]  # whom the bounds of the files may not hide
    same = spark_store.frame(FEATURES, "new").where(F.col("customer_id") == customer)
    assert same.count() == sum(row["customer_id"] == customer for row in expected)
    store.delete(FEATURES, "former")
    assert sorted(store.read(FEATURES, ["new"]), key=str) == expected


@pytest.mark.parametrize("name", ["arrow", "spark"])
def test_columns_of_two_configurations_share_a_table(stores: tuple[ArrowStore, SparkStore], tmp_path: Path, name: str) -> None:
    store = ArrowStore(str(tmp_path)) if name == "arrow" else SparkStore(stores[1].spark, str(tmp_path), None)
    age, town = (FEATURES.widened((Column(*one),)) for one in (("age", DOUBLE, "years"), ("town", STRING, "town")))
    replace(store, make_rows(age), age)
    replace(store, make_rows(town, "r2"), town, "r2")

    rows = {(row["run_id"], row.get("age"), row.get("town")) for row in store.read(FEATURES)}

    assert ("r1", 0.1, None) in rows
    assert ("r2", None, "a'b\\c") in rows
    other = FEATURES.widened((Column("age", STRING, "years"),))
    with pytest.raises(PublishError, match=r"column age: expected double, as stored by an earlier run, found string"):
        replace(store, make_rows(other, "r3"), other, "r3")


@pytest.mark.parametrize("name", ["arrow", "spark"])
def test_a_column_that_is_described_otherwise_now_is_written_as_before(
    stores: tuple[ArrowStore, SparkStore], tmp_path: Path, name: str
) -> None:
    store = ArrowStore(str(tmp_path)) if name == "arrow" else SparkStore(stores[1].spark, str(tmp_path), None)
    old, new = (FEATURES.widened((Column("age", DOUBLE, said),)) for said in ("years", "years, whole"))
    wider = new.widened((Column("town", STRING, "town"),))
    copied, again = (Table("copied", "A copy.", (), one.columns) for one in (old, wider))

    for run_id, table, target in (("r1", old, copied), ("r2", wider, again)):
        replace(store, make_rows(table, run_id), table, run_id)
        store.copy(table, run_id, target, 1)

    assert [store.count(FEATURES, run_id) for run_id in ("r1", "r2")] == [3, 3]
    assert {row["run_id"] for row in store.read(again)} == {"r2"}
    assert {row["town"] for row in store.read(again)} == {"a'b\\c", "zwölf", None}


def test_a_null_in_a_required_column_is_never_written(stores: tuple[ArrowStore, SparkStore]) -> None:
    rows = [{**make_rows(SEGMENTS)[0], "segment_name": None}]
    for store in stores:
        with pytest.raises(Exception, match="segment_name"):
            replace(store, rows, SEGMENTS, "broken")
        assert not store.exists(SEGMENTS) or store.read(SEGMENTS, ["broken"]) == []


def test_frames_go_to_delta_rs_up_to_a_bound_and_by_spark_beyond(jvm: SparkSession, tmp_path: Path) -> None:
    lake = Lake(jvm, str(tmp_path), None, f"{tmp_path}/models")
    frame = jvm.createDataFrame(make_rows(ASSIGNMENTS), spark_schema(ASSIGNMENTS))

    for run_id, rows in (("r1", 3), ("r2", None)):
        own = frame.drop("run_id").selectExpr(f"'{run_id}' AS run_id", "*")
        written = lake.write_frame(own, ASSIGNMENTS, run_id=run_id, rows=rows)
        assert written.count() == lake.store.count(ASSIGNMENTS, run_id) == 3

    engines = [commit["engineInfo"] for commit in deltalake.DeltaTable(f"{tmp_path}/assignments").history()]
    assert ["Spark" in engine for engine in engines] == [True, False]
    lake.copy(ASSIGNMENTS, CURRENT["assignments"], run_id="r2", rows=3, published_seq=1)
    lake.copy(ASSIGNMENTS, CURRENT["assignments"], run_id="r1", rows=10**9, published_seq=2)
    assert {row["run_id"] for row in lake.read_rows(CURRENT["assignments"])} == {"r1"}


@pytest.mark.parametrize(
    ("path", "plain"),
    [("/w", True), ("file:/w", True), ("s3://b/w", True), ("abfss://c@a/w", True), ("s3a://b/w", True), ("hdfs://n/w", False)],
)
def test_one_writer_is_chosen_by_the_place(jvm: SparkSession, path: str, plain: bool) -> None:
    assert is_plain(path, jvm) is plain
