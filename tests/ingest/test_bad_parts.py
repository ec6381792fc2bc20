"""Parts of a source that hold other types than the first, and files and places that Spark cannot read, are refused in a line."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from py4j.protocol import Py4JNetworkError
from pyarrow import parquet
from pyspark.sql import SparkSession

from segmentation.config.sources import SourceSpec
from segmentation.errors import SetupError, SourceError
from segmentation.faults import explain_machine
from segmentation.ingest.causes import readable
from segmentation.ingest.columns import SourceColumn
from segmentation.ingest.files import read_source
from segmentation.ingest.parts import kind_of

_GONE = Py4JNetworkError("Connection refused")  # type: ignore[no-untyped-call]
AMOUNT = SourceColumn("amount", ("a",), "money")
ONE = {
    "int8": pa.array([3], pa.int8()),
    "int32": pa.array([3], pa.int32()),
    "int64": pa.array([3], pa.int64()),
    "uint32": pa.array([2**32 - 1], pa.uint32()),
    "double": pa.array([3.5]),
    "decimal": pa.array([Decimal("3.25")], pa.decimal128(9, 2)),
    "date": pa.array([date(2020, 1, 1)]),
    "time": pa.array([datetime(2020, 1, 1)], pa.timestamp("us")),
    "null": pa.nulls(1),
}


def read(spark: SparkSession, path: Path | str, **options: Any) -> list[Any]:
    spec = SourceSpec.model_validate({"format": "csv", "path": str(path), **options})
    with readable("sources.transactions"):
        return [row["amount"] for row in read_source(spark, "transactions", spec, [AMOUNT]).collect()]


def write_parts(folder: Path, *kinds: str) -> Path:
    for number, kind in enumerate(kinds):
        # As Spark itself writes decimals: as whole numbers.
        parquet.write_table(pa.table({"a": ONE[kind]}), folder / f"{number}.parquet", store_decimal_as_integer=True)
    return folder


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("int32", "decimal"),
        ("double", "decimal"),
        ("int64", "date"),
        ("int64", "time"),
        ("int8", "int32"),
        ("int64", "uint32"),
        ("null", "decimal"),
    ],
)
def test_parts_that_share_only_bytes_are_refused(spark: SparkSession, tmp_path: Path, first: str, second: str) -> None:
    with pytest.raises(
        SourceError, match=r"expected values of column a of one kind in every file, found .* and .* in .*1.parquet"
    ):
        read(spark, write_parts(tmp_path, first, second), format="parquet")


@pytest.mark.parametrize(
    ("kinds", "amounts"),
    [(("double", "int32"), [3, 3.5]), (("int64", "int32", "null"), [3, 3, None]), (("decimal", "decimal"), [3.25] * 2)],
)
def test_parts_that_spark_widens_are_read(
    spark: SparkSession, tmp_path: Path, kinds: tuple[str, ...], amounts: list[Any]
) -> None:
    found = read(spark, write_parts(tmp_path, *kinds), format="parquet")

    assert sorted(found, key=lambda one: (one is None, one)) == amounts


def test_parts_that_spark_does_not_widen_are_told_in_words(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"found a column of another type than in the first file \(.*1.parquet\)"):
        read(spark, write_parts(tmp_path, "int64", "double"), format="parquet")


@pytest.mark.parametrize(
    ("python", "java", "kind"),
    [
        (("None", "INT64"), ("None", "INT64"), "numbers"),
        (("Int(bitWidth=8, isSigned=true)", "INT32"), ("INTEGER(8,true)", "INT32"), "whole numbers of 8 bits"),
        (
            ("Int(bitWidth=64, isSigned=false)", "INT64"),
            ("INTEGER(64,false)", "INT64"),
            "whole numbers of 64 bits without a sign",
        ),
        (("Decimal(precision=9, scale=2)", "INT32"), ("DECIMAL(9,2)", "INT32"), "decimals of 2 digits"),
        (("Date", "INT32"), ("DATE", "INT32"), "days"),
        (("String", "BYTE_ARRAY"), ("STRING", "BINARY"), "text"),
        (("None", "INT96"), ("None", "INT96"), "instants"),
        (
            ("Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false)", "INT64"),
            ("TIMESTAMP(MICROS,true)", "INT64"),
            "instants",
        ),
        (
            ("Timestamp(isAdjustedToUTC=false, timeUnit=milliseconds, is_from_converted_type=false)", "INT64"),
            ("TIMESTAMP(MILLIS,false)", "INT64"),
            "local times",
        ),
    ],
)
def test_a_kind_is_the_same_in_the_words_of_pyarrow_and_of_java(
    python: tuple[str, str], java: tuple[str, str], kind: str
) -> None:
    assert (kind_of(*python), kind_of(*java)) == (kind, kind)


def tar(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("t.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("t.csv", content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        (".lz4", lambda content: pa.compress(content, codec="lz4", asbytes=True)),  # Spark asks endless memory for it
        (".snappy", lambda content: pa.compress(content, codec="snappy", asbytes=True)),
        (".tar.gz", tar),
        (".ZIP", zipped),
    ],
)
def test_a_file_packed_as_spark_reads_none_is_refused_unread(
    spark: SparkSession, tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / f"t.csv{ending}").write_bytes(pack(b"a\n1\n"))

    with pytest.raises(SourceError, match=rf"expected text, plain or as .gz, .* found .*t.csv{ending}"):
        read(spark, tmp_path)


def test_a_packed_file_without_a_row_is_empty_and_not_passed_over(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b""))

    with pytest.raises(SourceError, match="expected at least one row, found an empty file"):
        read(spark, tmp_path / "t.csv.gz")


@pytest.mark.parametrize("form", ["csv", "parquet", "json", "delta"])
@pytest.mark.parametrize("path", ["http://localhost:1/a.csv", "HTTPS://localhost:1/a/*.csv", "ftp://localhost/a.csv"])
def test_a_page_of_the_net_is_no_place_of_files(spark: SparkSession, path: str, form: str) -> None:
    with pytest.raises(
        SourceError, match=r"expected files of this machine or of a store \(download it first\), found .*localhost"
    ):
        read(spark, path, format=form)


def test_a_store_that_does_not_answer_is_no_dead_jvm(spark: SparkSession) -> None:
    with pytest.raises(SourceError, match="found a host that does not answer"):
        read(spark, "hdfs://localhost:1/a.csv")


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "Connection refused"), _GONE])
def test_a_jvm_that_is_gone_is_told_in_a_line(spark: SparkSession, error: Exception) -> None:
    assert isinstance(explain_machine(error), SetupError)
