"""Files that Spark would read in silence as something else are refused in a line, or their rows are set aside."""

import bz2
import gzip
import lzma
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import Sources, SourceSpec
from segmentation.errors import SourceError
from segmentation.ingest.causes import readable
from segmentation.ingest.columns import SourceColumn
from segmentation.ingest.dates import suggest_pattern
from segmentation.ingest.files import read_source, stamp_sources
from segmentation.ingest.scan import find_fault, open_line_pattern

ID = SourceColumn("customer_id", ("id",), "text")
NAME = SourceColumn("name", ("name",), "text")
AMOUNT = SourceColumn("amount", ("amount",), "money")
TIME = SourceColumn("ordered_at", ("t",), "instant")


def open_file(spark: SparkSession, path: Path | list[Path], *columns: SourceColumn, **options: Any) -> Any:
    where = [str(one) for one in path] if isinstance(path, list) else str(path)
    spec = SourceSpec.model_validate({"format": "csv", "path": where, **options})
    return read_source(spark, "transactions", spec, columns)


def read(spark: SparkSession, path: Path | list[Path], *columns: SourceColumn, **options: Any) -> dict[Any, str]:
    """Return the reason of each row, or "" of one that is kept, by its first declared column."""
    with readable("sources.transactions"):
        rows = open_file(spark, path, *columns, **options).collect()
    return {row[0] if row["_is_kept"] else (row["_raw"][0], "aside"): row["_reasons"] for row in rows}


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32"])
def test_text_of_wide_letters_has_no_phantom_row(spark: SparkSession, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes("id,amount\né1,5\n2,6\n".encode(encoding))

    assert read(spark, tmp_path / "t.csv", ID, AMOUNT, encoding=encoding) == {"é1": "", "2": ""}


@pytest.mark.parametrize("note", ['"of two\nlines"', '"a,b\n99,7,bla"', '"never closed'])
def test_a_record_that_leaves_its_line_is_never_read_in_halves(spark: SparkSession, tmp_path: Path, note: str) -> None:
    (tmp_path / "t.csv").write_text(f"id,amount,name\n1,5,{note}\n2,6,ok\n")

    with pytest.raises(
        SourceError, match=r'expected a record in each line, or multiline: true, found a quote that is open.*1,5,"'
    ):
        read(spark, tmp_path / "t.csv", ID, AMOUNT)


def test_records_of_several_lines_are_read_where_they_are_declared(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,amount,name\n1,5,"of two\nlines"\n2,6,"say ""hi"""\n')

    assert read(spark, tmp_path / "t.csv", ID, AMOUNT, multiline=True) == {"1": "", "2": ""}


@pytest.mark.parametrize("rest", ["2,6,b\n3,7,c\n", '2,6,"b"\n3,7,c\n'])
def test_a_quote_that_swallows_what_follows_is_refused(spark: SparkSession, tmp_path: Path, rest: str) -> None:
    (tmp_path / "t.csv").write_text(f'id,amount,name\n1,5,"Anna\n{rest}')

    with pytest.raises(SourceError, match="expected every quote closed where a field ends, found the record of line 2"):
        read(spark, tmp_path / "t.csv", ID, AMOUNT, multiline=True)


@pytest.mark.parametrize(
    ("name", "multiline"),
    [("größe 100%25 #1.csv", False), ("größe 100%25 #1.csv", True), ("a,b.csv", True), ("sales[1].csv", False)],
)
def test_a_file_may_be_called_as_it_likes(spark: SparkSession, tmp_path: Path, name: str, multiline: bool) -> None:
    (tmp_path / name).write_text('id,name\n1,"a"\n2,"b"\n' if not multiline else 'id,name\n1,"a\nb"\n2,c\n')

    assert read(spark, tmp_path / name, ID, NAME, multiline=multiline) == {"1": "", "2": ""}


@pytest.mark.parametrize(
    ("files", "paths", "found"),
    [
        (["a.csv", "_b.csv"], ["a.csv", "_b.csv"], "found .*_b.csv, which Spark passes over"),
        (["f/a.csv", "f/sub/b.csv"], ["f"], "found .*f/sub/b.csv, which Spark passes over"),
        (["a.csv"], ["a.csv", "a.csv"], "expected each file once, found .*a.csv twice"),
        (["a.csv", "b.csv"], ["*.csv", "./b.csv"], "expected each file once, found .*b.csv twice"),
        (["city=M%C3%BCller/a.csv"], ["."], "expected values of folders in letters.*found .*city=M%C3%BCller/a.csv"),
    ],
)
def test_no_file_is_passed_over_or_read_twice(
    spark: SparkSession, tmp_path: Path, files: list[str], paths: list[str], found: str
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / file).write_text("id\n1\n")

    with pytest.raises(SourceError, match=found):
        read(spark, [tmp_path / path for path in paths], ID)


def test_marks_and_hidden_files_beside_a_table_are_none_of_it(spark: SparkSession, tmp_path: Path) -> None:
    for file in ("_SUCCESS", ".a.csv.crc", "_old/b.csv", "a.csv"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("id\n1\n")

    assert read(spark, tmp_path, ID) == {"1": ""}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PK\x03\x04\x14\x00\x08", "expected a table as text, found a ZIP archive or an Excel workbook"),
        (gzip.compress(b"id\n1\n", mtime=0), "expected a table as text, found a compressed file without the ending .gz"),
        (b"<!DOCTYPE html>\n<html></html>\n", "expected a table as text, found a page of HTML"),
        (b"id,id\n1,2\n", "expected column id once, whatever its capitals, found it 2 times"),
        (b"ID,id\n1,2\n", "expected column id once, whatever its capitals, found it 2 times"),
        (b"id ,x\n1,2\n", "expected columns id, found columns 'id ', x"),
        (b"\x1b[2J,x\n1,2\n", "expected columns id, found columns \ufffd[2J, x"),
    ],
)
def test_what_is_no_table_with_the_column_says_what_it_is(
    spark: SparkSession, tmp_path: Path, content: bytes, found: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content)

    with pytest.raises(SourceError, match=re.escape(found)):
        read(spark, tmp_path / "t.csv", ID)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a.csv": b"id,x\n1,2\n", "b.csv": b"id\n1\n"}, "another number of columns than the first file's .*csv"),
        ({"a.csv.gz": gzip.compress(b"id\n1\n", mtime=0) + b"and more of it" * 9}, "a .gz file that is not gzip .*a.csv.gz"),
        ({"a.csv.gz": b"id\n1\n" * 99}, "a .gz file that is not gzip .*a.csv.gz"),
    ],
)
def test_the_cause_is_told_and_not_the_call(spark: SparkSession, tmp_path: Path, files: dict[str, bytes], found: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    with pytest.raises(SourceError, match=found):
        read(spark, tmp_path, ID, SourceColumn("x", ("x",), "text"))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("foo://h/a.csv", "a scheme that this Spark has no file system for"),
        ("C:\\data\\a.csv", "a name with a colon, which Hadoop does not know"),
        ("a{1.csv", "a pattern that is none"),
    ],
)
def test_a_path_that_is_none_is_a_source_that_cannot_be_read(spark: SparkSession, path: str, found: str) -> None:
    customers = {"format": "csv", "path": path, "customer_id": "id", "attributes": {"age": {"from": "age", "type": "number"}}}

    with pytest.raises(SourceError, match=rf"sources\.customers .*expected a readable source, found {found}"):
        stamp_sources(spark, Sources.model_validate({"customers": customers}))


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1.234,50", 1234.5), ("-1.234.567", -1234567), ("12,5", 12.5), ("12.50", None), ("1,234.50", None), ("1.23.4", None)],
)
def test_a_point_that_parts_no_thousands_is_no_number_with_a_decimal_comma(
    spark: SparkSession, tmp_path: Path, text: str, amount: float | None
) -> None:
    (tmp_path / "t.csv").write_text(f"id;amount\n1;{text}\n")

    (row,) = open_file(spark, tmp_path / "t.csv", ID, AMOUNT, delimiter=";", decimal_comma=True).collect()

    assert (row["amount"], row["_reasons"]) == (amount, "" if amount else "unreadable_amount")


def test_a_sum_that_no_column_holds_is_set_aside(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,x,y\na,9e11,9e11\nb,1,2\n")

    found = read(spark, tmp_path / "t.csv", ID, SourceColumn("amount", ("x", "y"), "money"))

    assert found == {("a", "aside"): "unreadable_amount", "b": ""}


@pytest.mark.parametrize("encoding", ["latin-1", "UTF-16", "utf-8-sig"])
@pytest.mark.parametrize("file", ["t.csv", "t.json"])
def test_text_is_read_in_the_character_set_declared(spark: SparkSession, tmp_path: Path, file: str, encoding: str) -> None:
    text = "id,x\né,1\nb,2\n" if file == "t.csv" else '[{"id": "é"},\r\n{"id": "b"}]'
    (tmp_path / file).write_bytes(text.encode(encoding))
    options = {"encoding": encoding, "format": file.removeprefix("t."), "multiline": file == "t.json"}

    assert read(spark, tmp_path / file, ID, **options) == {"é": "", "b": ""}


def test_json_lines_are_read_in_the_character_set_declared(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes('{"id": "é"}\r\n{"id": "b"}\n'.encode("latin-1"))

    assert read(spark, tmp_path / "t.json", ID, format="json", encoding="latin-1") == {"é": "", "b": ""}


@pytest.mark.parametrize("rest", ['{"id": "b"}', ' {"id": "b"}', '{"id": "}{"}{"id": "b"}'])
def test_a_second_object_in_a_line_is_refused(spark: SparkSession, tmp_path: Path, rest: str) -> None:
    (tmp_path / "t.json").write_text('{"id": "}{", "x": [{"y": "\\"}{"}, {}]}\n{"id": "a"}' + rest + "\n")

    with pytest.raises(SourceError, match=r'expected one JSON object in each line, found another after it: {"id": "a"}'):
        read(spark, tmp_path / "t.json", ID, format="json")


def test_braces_in_texts_are_no_second_object(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"id": "}{", "x": [{"y": "\\"}{"}, {}]}\n')

    assert read(spark, tmp_path / "t.json", ID, format="json") == {"}{": ""}


def test_json_lines_declared_as_one_record_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"id": "a"}\n{"id": "b"}\n')

    with pytest.raises(SourceError, match=r'expected one object or list in each file, .* found {"id": "b"} after the first'):
        read(spark, tmp_path / "t.json", ID, format="json", multiline=True)


@pytest.mark.parametrize(
    ("line", "is_open"),
    [
        ('1,"a', True),
        ('"a""', True),
        ('1,"x,""', True),
        ('1;"a,b', True),
        ('1,"a"', False),
        ('"say ""hi""",2', False),
        ('12" plate,5', False),
        ('"x,"""', False),
        ('"x,"",y",1', False),
        ("1,2", False),
    ],
)
def test_a_line_that_ends_within_quotes_is_known(spark: SparkSession, line: str, is_open: bool) -> None:
    delimiter = ";" if ";" in line else ","
    row = spark.createDataFrame([(line,)], "value string").select(F.col("value").rlike(open_line_pattern(delimiter)))

    assert row.collect()[0][0] is is_open
    try:  # the second opinion: does Python's strict reader want another line?
        assert (find_fault(line.encode(), "t.csv", delimiter=delimiter, encoding="utf-8") is not None) is is_open
    except AssertionError:
        assert line == '12" plate,5'


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_whole_files_are_looked_at_however_they_are_compressed(compress: Callable[[bytes], bytes]) -> None:
    ending = {gzip.compress: ".gz", bz2.compress: ".bz2", lzma.compress: ".xz"}.get(compress, "")

    def look(text: str) -> str | None:
        return find_fault(compress(text.encode()), f"t.csv{ending}", delimiter=",", encoding="utf-8")

    assert look('id,name\n1,"a\nb"\n') is None
    assert look('id,name\n1,"a\nb"c\n') == "the record of line 2: ',' expected after '\"'"


def test_a_line_of_names_within_the_file_is_no_customer(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n1,a\nid,name\n2,b\n")

    assert read(spark, tmp_path / "t.csv", ID, NAME) == {"1": "", ("id", "aside"): "repeated_header", "2": ""}


def test_letters_that_were_lost_and_control_letters_make_no_key(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("id,amount\né,1\nü,2\n\x00x,3\nok,4\n".encode("latin-1"))

    found = read(spark, tmp_path / "t.csv", ID, AMOUNT)

    assert found.pop("ok") == ""
    assert set(found.values()) == {"unreadable_customer_id"}
    assert len(read(spark, tmp_path / "t.csv", ID, AMOUNT, encoding="latin-1")) == 4


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2020-05-06", "2020-05-05 22:00"),
        ("2020-05-06 10:00:00", "2020-05-06 08:00"),
        ("2020-05-06T10:00:00Z", "2020-05-06 10:00"),
        ("2020-05-06T10:00:00+05:00", "2020-05-06 05:00"),
        ("2020-05-06 10:00:00 Asia/Tokyo", "2020-05-06 01:00"),
        ("10:30", None),
        ("T10:30", None),
        ("2020", None),
        ("2020-05", None),
        ("20200506", None),
        ("46023", None),
    ],
)
def test_a_time_is_a_whole_day_and_is_shifted_once(spark: SparkSession, tmp_path: Path, text: str, utc: str | None) -> None:
    (tmp_path / "t.csv").write_text(f"t\n{text}\n")

    row = open_file(spark, tmp_path / "t.csv", TIME, time_zone="Europe/Berlin").collect()[0]

    assert (f"{row['ordered_at']:%Y-%m-%d %H:%M}" if row["ordered_at"] else None) == utc
    assert row["_is_kept"] is (utc is not None)


def test_iso_times_with_an_offset_are_those_of_python_with_and_without_seconds(spark: SparkSession, tmp_path: Path) -> None:
    times = [f"2017-03-{day:02d}{t}1{day % 10}:15" for day, t in enumerate(("T", " "), start=1)]
    offsets = ("Z", "+02:00", "-05:30", "+0930", "+11", "+14:00", "-00:45")
    texts = [f"{time}{seconds}{offset}" for time in times for seconds in ("", ":07", ":07.25") for offset in offsets]
    wrong = ["2017-03-01T10:15+2:0:0", "2017-03-01T10:75Z", "2017-02-30T10:15Z", "2017-03-01T10:15+02:00x"]
    (tmp_path / "t.csv").write_text("t\n" + "\n".join([*texts, *wrong]) + "\n")

    rows = open_file(spark, tmp_path / "t.csv", TIME, time_zone="Europe/Berlin").collect()

    found = {row["_raw"]["t"]: row["ordered_at"] for row in rows}
    expected = {text: datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None) for text in texts}
    assert found == expected | dict.fromkeys(wrong)


def test_an_instant_of_parquet_is_not_shifted_and_a_local_time_is(spark: SparkSession, tmp_path: Path) -> None:
    for name, kind in (("instant", pa.timestamp("us", tz="UTC")), ("local", pa.timestamp("us"))):
        parquet.write_table(pa.table({"t": pa.array([1_600_000_000_000_000], kind)}), tmp_path / name)

    hours = {
        name: open_file(spark, tmp_path / name, TIME, format="parquet", time_zone="Europe/Berlin").collect()[0]["ordered_at"].hour
        for name in ("instant", "local")
    }

    assert hours == {"instant": 12, "local": 10}


def test_a_part_that_lacks_a_column_is_named(spark: SparkSession, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"id": ["1"], "amount": [5.0]}), tmp_path / "a.parquet")
    parquet.write_table(pa.table({"id": ["2"]}), tmp_path / "b.parquet")

    with pytest.raises(SourceError, match=r"expected column amount in every file, found none in .*b\.parquet"):
        read(spark, tmp_path, ID, AMOUNT, format="parquet")


def test_parts_whose_times_know_their_zone_are_not_mixed_with_others(spark: SparkSession, tmp_path: Path) -> None:
    for name, zone in (("a", None), ("b", "UTC")):
        parquet.write_table(pa.table({"t": pa.array([1_600_000_000_000_000], pa.timestamp("us", tz=zone))}), tmp_path / name)

    with pytest.raises(
        SourceError, match=r"expected values of column t of one kind in every file, found local times in .*/a and in"
    ):
        read(spark, tmp_path, TIME, format="parquet")


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (pa.array([10**18], pa.timestamp("ns")), "times in nanoseconds, which Spark does not read"),
        (None, "expected whole Parquet files, found .*b.parquet"),
    ],
)
def test_parquet_that_spark_cannot_read_is_told(spark: SparkSession, tmp_path: Path, column: Any, found: str) -> None:
    parquet.write_table(pa.table({"id": ["a"], **({} if column is None else {"t": column})}), tmp_path / "a.parquet")
    if column is None:
        (tmp_path / "b.parquet").touch()

    with pytest.raises(SourceError, match=found):
        read(spark, tmp_path, ID, format="parquet")


def test_columns_that_differ_by_capitals_alone_are_told(spark: SparkSession, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"ID": ["a"], "id": ["b"]}), tmp_path / "a.parquet")

    with pytest.raises(SourceError, match="a column twice, or two whose names differ by capitals alone"):
        read(spark, tmp_path, ID, format="parquet")


@pytest.mark.parametrize("path", ["", "*.parquet"])
def test_a_delta_table_is_not_read_as_loose_files(spark: SparkSession, tmp_path: Path, path: str) -> None:
    parquet.write_table(pa.table({"id": ["a"]}), tmp_path / "a.parquet")
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / "0.json").write_text("{}")

    with pytest.raises(SourceError, match=r"expected format: delta .* found files of a Delta table, whose log is .*0\.json"):
        read(spark, tmp_path / path, ID, format="parquet")


def test_a_partition_folder_keeps_its_letters(spark: SparkSession, tmp_path: Path) -> None:
    for region in ("01", "1"):
        (tmp_path / f"region={region}").mkdir()
        parquet.write_table(pa.table({"id": [region]}), tmp_path / f"region={region}" / "a.parquet")

    found = read(spark, tmp_path, SourceColumn("region", ("region",), "text"), ID, format="parquet")

    assert found == {"01": "", "1": ""}


def test_a_key_is_spelled_alike_in_every_type(spark: SparkSession, tmp_path: Path) -> None:
    keys = {"double": pa.array([17850.0]), "long": pa.array([17850]), "text": pa.array(["17850"])}
    for name, values in {**keys, "decimal": pa.array([Decimal("17850.00")])}.items():
        parquet.write_table(pa.table({"id": values}), tmp_path / name)

        assert read(spark, tmp_path / name, ID, format="parquet") == {"17850": ""}


@pytest.mark.parametrize("name", ["a`b", "_corrupt_record", "rank", "reasons", "raw", "_raw", "x y", "a.b"])
def test_a_source_may_call_its_columns_as_it_likes(spark: SparkSession, tmp_path: Path, name: str) -> None:
    (tmp_path / "t.csv").write_text(f"id,{name}\n1,5\n")

    assert read(spark, tmp_path / "t.csv", ID, SourceColumn("amount", (name,), "money")) == {"1": ""}


def test_a_file_without_names_several_files_and_tabs(spark: SparkSession, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.tsv").write_text(f"{number}\t5\n")

    found = read(spark, [tmp_path / "1.tsv", tmp_path / "2.tsv"], ID, AMOUNT, header=["id", "amount"], delimiter="tab")

    assert found == {"1": "", "2": ""}


def test_the_pattern_that_reads_every_date_is_suggested(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t\n" + "".join(f"{month}/{day}/2020\n" for month in range(1, 13) for day in (5, 25)))

    frame = open_file(spark, tmp_path / "t.csv", SourceColumn("ordered_at", ("t",), "instant", format="d/M/yyyy"))

    assert suggest_pattern(frame, "t", "d/M/yyyy") == "; the pattern M/d/yyyy reads every date of a sample"
    assert suggest_pattern(frame, "t", "M/d/yyyy") == ""
