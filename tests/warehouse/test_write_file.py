"""Single files, written where Spark's file systems say that they lie."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from segmentation.errors import PublishError
from segmentation.warehouse.files import write_file


@pytest.mark.parametrize("scheme", ["", "file:"])
def test_a_file_is_written_whole_again_and_alone(spark: SparkSession, tmp_path: Path, scheme: str) -> None:
    for content in (b"first, and longer", "zw\u00f6lf \U0001f600".encode()):
        write_file(spark, f"{scheme}{tmp_path}/new/folder/page.html", content)

        assert [path.name for path in (tmp_path / "new/folder").iterdir()] == ["page.html"]
        assert (tmp_path / "new/folder/page.html").read_bytes() == content


def test_a_file_that_cannot_be_written_is_told_in_a_line(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")

    with pytest.raises(PublishError, match=r"page\.html: expected a file that can be written, found .*taken"):
        write_file(spark, f"{tmp_path}/taken/page.html", b"")
