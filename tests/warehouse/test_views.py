"""In a catalog one commit moves every ``current_*``: they are views over what ``runs`` and ``champions`` say."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from test_mending import make_row, write_run

from segmentation.doctor import _examine_tables
from segmentation.errors import PublishError
from segmentation.tables import ASSIGNMENTS, CHAMPIONS, CURRENT, DROPPED, PROFILES, PUBLISHED, RUNNING, RUNS, SEGMENTS
from segmentation.warehouse.champions import promote, roll_back
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.leftovers import drop_run, find_leftovers
from segmentation.warehouse.mending import finish_publication
from segmentation.warehouse.views import can_hold_views

DAY = datetime(2020, 1, 1, tzinfo=UTC)
SCHEMA = "spark_catalog.views_test"
SHOWN_RUNS = " UNION ALL ".join(f"SELECT run_id FROM {SCHEMA}.{view.name}" for view in CURRENT.values())


@pytest.fixture
def files(tmp_path: Path) -> Lake:
    """The same warehouse as a path, where delta-rs writes what in a catalog takes Spark a second each."""
    lake = Lake(None, str(tmp_path), None, f"{tmp_path}/models")
    for seq, run_id in enumerate("abc", start=1):
        write_run(lake, run_id, published_seq=seq)
    lake.write_rows([], CHAMPIONS, run_id="none")
    return lake


@pytest.fixture
def lake(spark: SparkSession, files: Lake) -> Iterator[Lake]:
    spark.sql(f"CREATE SCHEMA {SCHEMA}")
    for table in (RUNS, CHAMPIONS, ASSIGNMENTS, SEGMENTS, PROFILES):
        spark.sql(f"CREATE TABLE {SCHEMA}.{table.name} USING delta LOCATION '{files.place(table)}'")
    yield Lake(spark, None, SCHEMA, files.models)
    spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def shown(lake: Lake) -> list[str]:
    """Return the runs that the views show, a row of theirs after the other, in one query."""
    return [row["run_id"] for row in lake.spark.sql(SHOWN_RUNS).collect()]


def test_one_commit_publishes_promotes_or_rolls_back_all_at_once(lake: Lake, files: Lake) -> None:
    assert finish_publication(lake) == []
    write_run(files, "d", published_seq=None, status=RUNNING)
    seen = [shown(lake)]
    files.write_rows([make_row(RUNS, "d", status=PUBLISHED, published_seq=4, scored_with="a")], RUNS, run_id="d")
    seen.append(shown(lake))
    for run_id in "bac":
        promote(files, run_id, at=DAY)
        seen.append(shown(lake))
    for _ in range(2):
        roll_back(files, None, at=DAY)
        seen.append(shown(lake))

    assert seen == [[run_id] * 3 for run_id in ("c", "d", "b", "d", "c", "d", "b")]
    assert finish_publication(lake) == []  # there is nothing to bring after a commit


def test_other_runs_are_not_read(lake: Lake) -> None:
    finish_publication(lake)
    frame = lake.spark.table(lake.place(CURRENT["assignments"]))

    frame.collect()

    plan: Any = frame._jdf.queryExecution().executedPlan()
    leaves = plan.collectLeaves()
    (scan,) = [leaves.apply(index) for index in range(leaves.size()) if "assignments" in leaves.apply(index).toString()]
    assert scan.metrics().apply("numFiles").value() == 1


def test_tables_of_an_earlier_version_become_views_with_comments(lake: Lake, files: Lake) -> None:
    for view in CURRENT.values():
        lake.spark.sql(f"CREATE TABLE {lake.place(view)} (run_id STRING) USING delta")
    for table in (RUNS, CHAMPIONS):  # of before there were scores and champions
        lake.spark.sql(f"DROP TABLE {lake.place(table)}")
    older = replace(RUNS, columns=tuple(one for one in RUNS.columns if one.name != "scored_with"))
    lake.write_rows(files.read_rows(RUNS), older, run_id="a")

    done = finish_publication(lake)

    assert done == [f"{view.name}: the table of an earlier version is replaced by a view" for view in CURRENT.values()]
    assert finish_publication(lake) == []
    assert shown(lake) == ["c"] * 3
    for view in CURRENT.values():
        found = lake.spark.catalog.getTable(lake.place(view))
        columns = lake.spark.table(lake.place(view)).schema
        assert (found.tableType, found.description) == ("VIEW", view.comment)
        assert [(one.name, one.metadata["comment"]) for one in columns] == [(one.name, one.comment) for one in view.columns]
    lake.spark.sql(f"ALTER TABLE {lake.place(RUNS)} ADD COLUMNS (scored_with STRING)")
    assert len(finish_publication(lake)) == 3  # they look at it now


def test_a_dropped_run_is_neither_shown_nor_rolled_back_to(lake: Lake, files: Lake) -> None:
    finish_publication(lake)
    of_a, of_c = (files.read_rows(RUNS, run_ids=[run_id])[0] for run_id in "ac")
    files.write_rows([{**of_c, "status": DROPPED}], RUNS, run_id="c")
    assert shown(lake) == ["b"] * 3
    for run_id in "ab":
        promote(files, run_id, at=DAY)

    drop_run(lake, of_a)

    assert shown(lake) == ["b"] * 3
    with pytest.raises(PublishError, match=f"rollback to a: expected a published run, found one that is {DROPPED}"):
        roll_back(files, None, at=DAY)
    assert find_leftovers(lake) == []


def test_the_doctor_looks_at_the_tables_below_the_views(lake: Lake) -> None:
    finish_publication(lake)

    (found,) = _examine_tables(lake)

    assert (found.status, found.said) == ("ok", "5 tables that every reader can open")


def test_a_catalog_is_asked_whether_it_has_views(spark: SparkSession, tmp_path: Path) -> None:
    kind = "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog"  # it has none, and is not connected to
    of_kind = {"": kind, ".url": "jdbc:hive2://nowhere", ".driver": "org.apache.hive.jdbc.HiveDriver"}
    for name, value in of_kind.items():
        spark.conf.set(f"spark.sql.catalog.tables_only{name}", value)

    assert can_hold_views(spark, "spark_catalog.yet_to_be_made")
    assert not can_hold_views(spark, "tables_only.app")
    assert not Lake(spark, str(tmp_path), None, "m").has_views


def test_where_a_catalog_has_no_views_tables_are_brought_to_the_run(lake: Lake) -> None:
    vars(lake)["has_views"] = False

    assert len(finish_publication(lake)) == 3

    assert shown(lake) == ["c"] * 3
    assert {lake.spark.catalog.getTable(lake.place(view)).tableType for view in CURRENT.values()} == {"MANAGED"}
