"""JSON of which Spark would pass over a record, or read a text as another, is refused in a line or set aside."""

import re
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from segmentation.config.sources import SourceSpec
from segmentation.errors import SourceError
from segmentation.ingest.columns import SourceColumn
from segmentation.ingest.files import read_source

ID = SourceColumn("customer_id", ("id",), "text")


def ids_of(spark: SparkSession, path: Path, text: str, **options: Any) -> list[tuple[str | None, str]]:
    """Return the id and the reasons of each row of a file with a text."""
    path.write_text(text)
    spec = SourceSpec.model_validate({"format": "json", "path": str(path), **options})
    return [(row["customer_id"], row["_reasons"]) for row in read_source(spark, "transactions", spec, [ID]).collect()]


@pytest.mark.parametrize("text", [r"a\ud83d", r"\udc00", r"\ude00\ud83d", r"\ud83d\ude00\ud83d"])
@pytest.mark.parametrize("multiline", [False, True])
def test_half_a_letter_is_no_question_mark(spark: SparkSession, tmp_path: Path, text: str, multiline: bool) -> None:
    with pytest.raises(SourceError, match=rf"expected whole letters, not half of a pair .*, found .*{re.escape(text[-6:])}"):
        ids_of(spark, tmp_path / "t.json", f'{{"id": "{text}"}}\n', multiline=multiline)


@pytest.mark.parametrize("multiline", [False, True])
def test_whole_letters_and_halves_in_columns_that_nobody_declared_are_read(
    spark: SparkSession, tmp_path: Path, multiline: bool
) -> None:
    text = r'{"id": "\ud83d\ude00\\ud83d", "note": "cut \ud83d"}'

    assert ids_of(spark, tmp_path / "t.json", text, multiline=multiline) == [("\U0001f600\\ud83d", "")]


def test_an_object_or_a_list_is_no_id(spark: SparkSession, tmp_path: Path) -> None:
    text = '{"id": {"x": 1}}\n{"id": [1, 2]}\n{"id": "a"}\n{"id": "[gold]"}\n{"id": "{x}"}\n'

    found = ids_of(spark, tmp_path / "t.json", text)

    assert found == [*[(None, "unreadable_customer_id")] * 2, ("a", ""), ("[gold]", ""), ("{x}", "")]


@pytest.mark.parametrize("line", ['{"id": "a"},{"id": "b"}', '{"id": "a"} , {"id": "b"},{}', '[{"id": "a"}]{"id": "b"}'])
def test_a_second_record_after_a_comma_or_a_list_is_refused(spark: SparkSession, tmp_path: Path, line: str) -> None:
    with pytest.raises(SourceError, match=r"expected one JSON object in each line, found another after it: "):
        ids_of(spark, tmp_path / "t.json", f'{{"id": "c"}}\n{line}\n')


def test_objects_in_lists_and_cut_lines_are_no_second_record(spark: SparkSession, tmp_path: Path) -> None:
    text = '[{"id": "a"},{"id": "b"}]\n{"id": "c", "x": [{}, {}]}\n{"id": "d"},\n{"id": "e", "x": [{}, {"y"\n'

    found = ids_of(spark, tmp_path / "t.json", text)

    assert found == [("a", ""), ("b", ""), ("c", ""), ("d", ""), (None, "unreadable_record")]


@pytest.mark.parametrize("filling", ["{}," * 100_000 + "{}", '"' + r"\\\"" * 100_000 + '"', '"' + "} {" * 100_000 + '"'])
def test_a_long_line_is_looked_at_in_time(spark: SparkSession, tmp_path: Path, filling: str) -> None:
    assert ids_of(spark, tmp_path / "t.json", f'{{"id": "a", "x": [{filling}]}}\n') == [("a", "")]
