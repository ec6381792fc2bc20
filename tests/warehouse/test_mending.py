"""A publication that was cut short is finished by whoever opens the warehouse next; what killed runs left is found."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from segmentation.errors import PublishError
from segmentation.run import find_unfinished
from segmentation.tables import ASSIGNMENTS, CURRENT, FAILED, GRID, PROFILES, PUBLISHED, RUNNING, RUNS, SEGMENTS, Table
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.leftovers import find_leftovers
from segmentation.warehouse.mending import SHOWN, finish_if_free, finish_publication, show_run
from segmentation.warehouse.models import restore_models

_SAMPLES: dict[str, Any] = {"string": "x", "bigint": 1, "int": 0, "double": 0.5, "boolean": True}


def make_row(table: Table, run_id: str, **values: Any) -> dict[str, Any]:
    empty = {
        one.name: _SAMPLES.get(one.type, datetime(2020, 1, 1, tzinfo=UTC)) if one.required else None for one in table.columns
    }
    return {**empty, "run_id": run_id, **values}


def write_run(lake: Lake, run_id: str, *, published_seq: int | None, status: str = PUBLISHED, **facts: Any) -> dict[str, Any]:
    for table in SHOWN:
        lake.write_rows([make_row(table, run_id)], table, run_id=run_id)
    row = make_row(RUNS, run_id, status=status, published_seq=published_seq, customers=1, **facts)
    lake.write_rows([row], RUNS, run_id=run_id)
    return row


def shown(lake: Lake) -> list[str]:
    """Return the runs that the current tables show, a table after the other."""
    return [row["run_id"] for table in SHOWN for row in lake.read_rows(CURRENT[table.name])]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(None, f"{tmp_path}/w", None, f"{tmp_path}/w/models")


@pytest.mark.parametrize("refreshed", [(), (ASSIGNMENTS,), (SEGMENTS, PROFILES), SHOWN])
def test_current_tables_follow_a_run_whose_publication_was_cut_short(lake: Lake, refreshed: tuple[Table, ...]) -> None:
    former = write_run(lake, "a", published_seq=1)
    for table in SHOWN:
        show_run(lake, former, table)
    newest = write_run(lake, "b", published_seq=2)
    for table in refreshed:
        show_run(lake, newest, table)

    done = finish_publication(lake)

    assert shown(lake) == ["b"] * 3
    assert len(done) == 3 - len(refreshed)
    assert finish_publication(lake) == []


def test_a_run_published_again_is_shown_again(lake: Lake) -> None:
    row = write_run(lake, "a", published_seq=1)
    for table in SHOWN:
        show_run(lake, row, table)
    write_run(lake, "a", published_seq=2)
    lake.write_rows([make_row(SEGMENTS, "a", segment_name="renamed")], SEGMENTS, run_id="a")

    finish_publication(lake)

    assert [row["segment_name"] for row in lake.read_rows(CURRENT["segments"])] == ["renamed"]


def test_a_run_that_is_not_published_is_never_shown(lake: Lake) -> None:
    former = write_run(lake, "a", published_seq=1)
    write_run(lake, "b", published_seq=None, status=RUNNING)

    finish_publication(lake)

    assert shown(lake) == ["a"] * 3
    assert former["run_id"] == "a"


def test_a_reader_leaves_a_warehouse_alone_that_a_run_holds(lake: Lake, tmp_path: Path) -> None:
    write_run(lake, "a", published_seq=1)
    with lake.locked("run a"):
        finish_if_free(lake)
        assert not lake.store.exists(CURRENT["segments"])

    finish_if_free(lake)
    finish_if_free(Lake(None, f"{tmp_path}/nowhere", None, "models"))

    assert shown(lake) == ["a"] * 3
    assert not (tmp_path / "nowhere").exists()


def test_the_newest_run_of_the_configuration_is_resumed(lake: Lake) -> None:
    class Asked:
        def fingerprint(self) -> str:
            return "mine"

    days = (datetime(2020, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4))
    for run_id, status, config in (
        ("a", FAILED, "mine"),
        ("b", RUNNING, "mine"),
        ("c", FAILED, "other"),
        ("d", PUBLISHED, "mine"),
    ):
        write_run(
            lake, run_id, published_seq=1, status=status, config_hash=config, started_at=next(days), finished_stage=f"of {run_id}"
        )

    asked: Any = Asked()

    assert find_unfinished(lake, asked, None) == ("b", "of b")
    assert find_unfinished(lake, asked, "a") == ("a", "of a")
    with pytest.raises(PublishError, match="found a published one"):
        find_unfinished(lake, asked, "d")
    with pytest.raises(PublishError, match="expected a run of this configuration that did not end, found none"):
        find_unfinished(lake, asked, "z")


def test_a_model_whose_exchange_was_cut_short_comes_back(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a~former", "b~former", "b", "torn~former", "torn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data").write_text(name)
        files = {"data": hashlib.sha256(name.encode()).hexdigest()}
        (tmp_path / name / "manifest.json").write_text(json.dumps({"files": files}))
    (tmp_path / "torn" / "data").unlink()  # a store moves a folder file by file

    restored = restore_models(spark, str(tmp_path))

    assert restored == ["a", "torn"]
    kept = {path.name: (path / "data").read_text() for path in tmp_path.iterdir()}
    assert kept == {"a": "a~former", "b": "b", "torn": "torn~former"}
    assert restore_models(spark, f"{tmp_path}/nowhere") == []


def test_leftovers_are_listed_and_removed(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, f"{tmp_path}/w", None, f"{tmp_path}/w/models")
    write_run(lake, "good", published_seq=1)
    write_run(lake, "dead", published_seq=None, status=RUNNING, finished_stage="grid")
    lake.write_rows([make_row(GRID, "gone")], GRID, run_id="gone")
    for path in ("models/good", "models/x.1~unfinished", "models/gone", "reports/good", "reports/dead"):
        (tmp_path / "w" / path).mkdir(parents=True)
    (tmp_path / "w/reports/good/report.html").write_text("<p>")

    found = find_leftovers(lake)

    assert sorted((one.place.removeprefix(f"{tmp_path}/w/"), one.found.split(",")[0]) for one in found) == [
        ("grid, run gone", "rows of a run that runs does not know"),
        ("models/gone", "the model of a run that runs does not know"),
        ("models/x.1~unfinished", "a model whose writing was cut short"),
        ("reports/dead", "a report without its page"),
        ("run dead", "RUNNING"),
    ]
    for one in found:
        one.repair()
    assert find_leftovers(lake) == []
    assert {row["run_id"]: (row["status"], row["failure"]) for row in lake.read_rows(RUNS)} == {
        "good": (PUBLISHED, None),
        "dead": (FAILED, "its process ended after grid"),
    }
    assert (tmp_path / "w/models/good").exists()
