"""Values that Spark reads as another than was written, or works on without end, are set aside with a reason."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import SparkSession

from segmentation.config.sources import SourceSpec
from segmentation.ingest.columns import Kind, SourceColumn
from segmentation.ingest.files import read_source

ID = SourceColumn("customer_id", ("id",), "text")
AMOUNT = SourceColumn("amount", ("amount",), "money")


def rows_of(spark: SparkSession, path: Path, *columns: SourceColumn, **options: Any) -> list[tuple[Any, str]]:
    """Return the last declared column and the reasons of each row."""
    spec = SourceSpec.model_validate({"format": "csv", "path": str(path), **options})
    rows = read_source(spark, "transactions", spec, columns).collect()
    return [(row[columns[-1].name], row["_reasons"]) for row in rows]


@pytest.mark.parametrize("kind", ["money", "number"])
@pytest.mark.parametrize(
    "text", ["9" * 200_000, "9" * 200_000 + "x", "1" + ".234" * 100_000, "1e-999999999", "1e999999999", "1e9999999999"]
)
def test_a_number_without_end_ends_in_time_and_alone(spark: SparkSession, tmp_path: Path, kind: Kind, text: str) -> None:
    (tmp_path / "t.csv").write_text(f"id,amount\na,{text}\nb,1e2\n")

    found = rows_of(spark, tmp_path / "t.csv", ID, SourceColumn("amount", ("amount",), kind))

    assert found == [(None, "unreadable_amount"), (100, "")]


@pytest.mark.parametrize(
    ("text", "amount"), [("0.125", None), ("-0.500", None), ("00.125", None), ("0,125", 0.125), ("10.125", 10125)]
)
def test_a_fraction_is_no_thousand_with_a_decimal_comma(
    spark: SparkSession, tmp_path: Path, text: str, amount: float | None
) -> None:
    (tmp_path / "t.csv").write_text(f"id;amount\n1;{text}\n")

    found = rows_of(spark, tmp_path / "t.csv", ID, AMOUNT, delimiter=";", decimal_comma=True)

    assert found == [(amount, "" if amount else "unreadable_amount")]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("id,price,amount,note\n1,1,234,5,x\n2,7,8,y\n", ["unreadable_record", ""]),  # 1,234 was one number
        ("id,amount,note\n1,5,x\n2,7", ["", "unreadable_record"]),  # it may have been 78
        ("id,amount,note,note\n1,5,x,y\n", [""]),
        ("id,amount,,\n1,5,,\n", [""]),
    ],
)
def test_a_line_of_more_or_fewer_fields_than_names_is_set_aside(
    spark: SparkSession, tmp_path: Path, text: str, reasons: list[str]
) -> None:
    (tmp_path / "t.csv").write_text(text)

    assert [reason for _, reason in rows_of(spark, tmp_path / "t.csv", ID, AMOUNT)] == reasons


def test_fields_are_counted_in_files_of_the_same_names_and_other_names_beside_the_declared_are_read(
    spark: SparkSession, tmp_path: Path
) -> None:
    for folder, names in (("same", b"\xef\xbb\xbfid,amount,note\r\n"), ("renamed", b"id,amount,remark\r\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_bytes(b"id,amount,note\n1,5,x\n")
        (tmp_path / folder / "b.csv").write_bytes(names + b"2,6,y,z\r\n")

    assert sorted(rows_of(spark, tmp_path / "same", AMOUNT)) == [(5, ""), (6, "unreadable_record")]
    assert sorted(rows_of(spark, tmp_path / "renamed", AMOUNT)) == [(5, ""), (6, "")]


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pa.array([2.0**53 - 1, 2.0**53, 1e20, float("inf"), 1.5]), ["9007199254740991", None, None, None, "1.5"]),
        (pa.array([2.0**24 - 1, 2.0**24 + 1], pa.float32()), ["16777215", None]),
        (pa.array([Decimal(f"{'9' * 30}.00"), Decimal("1.50")], pa.decimal128(38, 2)), ["9" * 30, "1.50"]),
    ],
)
def test_a_float_that_may_be_another_whole_number_is_no_key(
    spark: SparkSession, tmp_path: Path, values: pa.Array, ids: list[str | None]
) -> None:
    parquet.write_table(pa.table({"id": values}), tmp_path / "t")

    found = rows_of(spark, tmp_path / "t", ID, format="parquet")

    assert found == [(one, "" if one else "unreadable_customer_id") for one in ids]


def test_bytes_of_parquet_that_are_no_text_are_set_aside(spark: SparkSession, tmp_path: Path) -> None:
    offsets = pa.array([0, 2, 4], pa.int32()).buffers()[1]
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a\xff\xc3\xbc")])
    parquet.write_table(pa.table({"name": broken}), tmp_path / "t")

    found = rows_of(spark, tmp_path / "t", SourceColumn("name", ("name",), "text"), format="parquet")

    assert found == [(None, "unreadable_name"), ("ü", "")]
