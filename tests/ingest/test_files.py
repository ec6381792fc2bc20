"""Sources hand out every row, typed as declared, with a reason where that fails."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyarrow import parquet
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import SourceSpec
from segmentation.errors import SourceError
from segmentation.ingest.causes import readable
from segmentation.ingest.columns import SourceColumn
from segmentation.ingest.files import bound_bytes, read_source

ID = SourceColumn("customer_id", ("id",), "text", remove=r"\.0$")
AMOUNT = SourceColumn("amount", ("amount",), "money")
DAY = SourceColumn("ordered_at", ("day",), "instant", format="dd/MM/yyyy")


def read(spark: SparkSession, path: Path, *columns: SourceColumn, **options: Any) -> list[dict[str, Any]]:
    spec = SourceSpec.model_validate({"format": "csv", "path": str(path), **options})
    frame = read_source(spark, "transactions", spec, columns)
    with readable("sources.transactions"):
        rows = frame.orderBy(F.to_json("_raw")).collect()
    return [row.asDict() for row in rows]


def test_values_are_read_as_declared(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('\ufeffid;amount;day\r\n00123;"1.234,50";31/12/2020\r\n\u00a017850.0 ;-2;01/02/2021\r\n')

    rows = read(spark, tmp_path / "t.csv", ID, AMOUNT, DAY, delimiter=";", decimal_comma=True)

    found = sorted((row["customer_id"], str(row["amount"]), f"{row['ordered_at']:%Y-%m-%d}", row["_reasons"]) for row in rows)
    assert found == [("00123", "1234.500000", "2020-12-31", ""), ("17850", "-2.000000", "2021-02-01", "")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,12abc,01/01/2020", "unreadable_amount"),
        ("1,NaN,01/01/2020", "unreadable_amount"),
        ("1,1e30,01/01/2020", "unreadable_amount"),
        ("1,5,2020-01-01", "unreadable_ordered_at"),
        ("1,5", "unreadable_record"),
        ("1,5,01/01/2020,more", "unreadable_record"),
        ("1, ,01/01/2020", ""),
    ],
)
def test_a_row_that_cannot_be_read_keeps_its_record_and_says_why(
    spark: SparkSession, tmp_path: Path, line: str, reason: str
) -> None:
    (tmp_path / "t.csv").write_text(f"id,amount,day\n{line}\n")

    (row,) = read(spark, tmp_path / "t.csv", ID, AMOUNT, DAY)

    assert row["_reasons"] == reason
    assert row["_raw"]["id"] == "1"
    assert row["_source_file"].endswith("t.csv")


def test_rows_that_miss_different_values_have_different_hashes(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,amount,day\na,5,\na,,5\n,a,5\na,5,\n")

    hashes = [row["_row_hash"] for row in read(spark, tmp_path / "t.csv", ID, AMOUNT, DAY)]

    assert len(set(hashes)) == 3


def test_a_second_file_with_columns_in_another_order_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,amount\n1,5\n")
    (tmp_path / "b.csv").write_text("amount,id\n5,1\n")

    with pytest.raises(SourceError, match="header differs"):
        read(spark, tmp_path, ID, AMOUNT)


def test_a_truncated_gzip_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    whole = gzip.compress(b"id,amount\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(20_000)))
    (tmp_path / "t.csv.gz").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(SourceError, match="truncated compressed file"):
        read(spark, tmp_path / "t.csv.gz", ID, AMOUNT)


def test_missing_file_and_missing_column_say_what_was_found(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,sum\n1,5\n")

    with pytest.raises(SourceError, match="no such file"):
        read(spark, tmp_path / "nowhere.csv", ID)
    with pytest.raises(SourceError, match="expected columns amount, found columns id, sum"):
        read(spark, tmp_path / "t.csv", ID, AMOUNT)


def test_a_parquet_column_of_an_impossible_type_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(2).select(F.col("id").cast("string"), F.current_date().alias("amount")).write.parquet(str(tmp_path / "p"))

    with pytest.raises(SourceError, match=r"column amount \(amount\): expected a number, found date"):
        read(spark, tmp_path / "p", ID, AMOUNT, format="parquet")


def test_json_numbers_arrive_as_written(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"id": "007", "amount": 1.10}\n{"id": "8"}\n')

    rows = read(spark, tmp_path / "t.json", ID, AMOUNT, format="json")

    assert sorted((row["customer_id"], str(row["amount"])) for row in rows) == [("007", "1.100000"), ("8", "None")]


def test_several_columns_add_up_with_null_as_nothing(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,a,b\n1,1.5,\n2,1,2.25\n")

    rows = read(spark, tmp_path / "t.csv", ID, SourceColumn("discount", ("a", "b"), "money"))

    assert sorted((row["customer_id"], float(row["discount"])) for row in rows) == [("1", 1.5), ("2", 3.25)]


def test_files_say_how_much_of_this_process_their_rows_take(tmp_path: Path) -> None:
    rows, days = pa.table({"id": ["a", "b", "c"]}), tmp_path / "month=1"
    days.mkdir()
    parquet.write_table(rows, days / "some #1.parquet")
    (days / "_SUCCESS").write_text("")
    (tmp_path / "broken").write_text("no Parquet")
    write_deltalake(tmp_path / "delta", rows)
    write_deltalake(tmp_path / "delta", rows, mode="append")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "t.csv").write_text("id\na\n")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"id\na\n"))

    def bound(form: str, path: Any) -> int | None:
        return bound_bytes(SourceSpec.model_validate({"format": form, "path": str(path)}), 100)

    assert [bound("parquet", path) for path in (days, days / "some #1.parquet", days.as_uri())] == [300, 300, 300]
    assert [bound("parquet", path) for path in (tmp_path / "month=*", tmp_path / "broken", "s3://b/k")] == [None, None, None]
    assert (bound("delta", tmp_path / "delta"), bound("delta", days)) == (600, None)
    assert (bound("csv", tmp_path / "text"), bound("json", tmp_path / "text" / "t.csv")) == (20, 20)
    assert (bound("csv", tmp_path / "t.csv.gz"), bound("table", "t")) == (None, None)
