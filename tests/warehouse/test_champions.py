"""One commit moves the champion's pointer; ``current_*`` follow it, also where a promotion was cut short."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_mending import shown, write_run

from segmentation.errors import PublishError
from segmentation.tables import CHAMPIONS, RUNNING, RUNS
from segmentation.warehouse.champions import count_segments, find_champion, find_model, promote, roll_back
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.mending import find_shown, finish_publication

DAY = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(None, f"{tmp_path}/w", None, f"{tmp_path}/w/models")
    for seq, run_id in enumerate("abc", start=1):
        write_run(lake, run_id, published_seq=seq)
    write_run(lake, "score", published_seq=4, scored_with="a")
    write_run(lake, "dead", published_seq=None, status=RUNNING)
    return lake


def test_promotions_pile_up_and_are_taken_back_one_by_one(lake: Lake) -> None:
    champions: list[str | None] = [find_champion(lake)]
    for run_id in "abac":
        promote(lake, run_id, at=DAY)
        champions.append(find_champion(lake))
    versions = [lake.store.version(CHAMPIONS)]
    promote(lake, "c", at=DAY)  # once more
    versions.append(lake.store.version(CHAMPIONS))
    for _ in range(4):
        roll_back(lake, None, at=DAY)
        champions.append(find_champion(lake))

    assert champions == [None, "a", "b", "a", "c", "a", "b", "a", "a"]
    assert versions == [3, 3]
    assert lake.store.version(CHAMPIONS) == 3 + 3
    assert len(lake.read_rows(CHAMPIONS)) == 4  # what was promoted stays told


def test_a_challenger_may_have_as_many_segments_as_the_champion(lake: Lake) -> None:
    with pytest.raises(PublishError, match="--k champion: expected a champion of two segments or more, found no champion"):
        count_segments(lake)
    promote(lake, "b", at=DAY)
    (row,) = lake.read_rows(RUNS, run_ids=["b"])
    for k in (5, 1):
        lake.write_rows([row | {"k": k}], RUNS, run_id="b")
        if k > 1:
            assert count_segments(lake) == k
    with pytest.raises(PublishError, match="found one of a single segment"):
        count_segments(lake)


def test_a_rollback_that_is_repeated_by_name_takes_nothing_more_back(lake: Lake) -> None:
    for run_id in "abc":
        promote(lake, run_id, at=DAY)

    told = [roll_back(lake, "c", at=DAY) for _ in range(2)]

    assert find_champion(lake) == "b"
    assert told == ["b is the champion again, in place of c", "b stays the champion; c is not it"]


def test_current_tables_follow_a_promotion_that_was_cut_short(lake: Lake) -> None:
    finish_publication(lake)
    assert shown(lake) == ["score"] * 3  # the newest, for there is no champion

    promote(lake, "b", at=DAY)  # and the process dies
    finish_publication(lake)
    assert shown(lake) == ["b"] * 3

    promote(lake, "a", at=DAY)
    finish_publication(lake)
    assert shown(lake) == ["score"] * 3  # the newest that a's model scored
    assert finish_publication(lake) == []


def test_what_is_no_model_is_neither_promoted_nor_scored_with(lake: Lake) -> None:
    for run_id, found in {
        "score": "a run with a model of its own, found a score with that of a",
        "dead": "a published run, found one that is RUNNING",
        "nobody": "a published run, found no such run",
    }.items():
        with pytest.raises(PublishError, match=f"--run-id {run_id}: expected {found}"):
            promote(lake, run_id, at=DAY)
        with pytest.raises(PublishError, match=f"--model {run_id}: expected {found}"):
            find_model(lake, run_id)
    with pytest.raises(PublishError, match="--model champion: expected a champion, found none"):
        find_model(lake, "champion")
    with pytest.raises(PublishError, match="rollback: expected a champion, found none"):
        roll_back(lake, None, at=DAY)
    assert not lake.store.exists(CHAMPIONS)


def test_a_table_of_runs_from_before_there_were_scores_has_its_newest_shown() -> None:
    rows: list[dict[str, Any]] = [{"run_id": one, "status": "PUBLISHED", "published_seq": seq} for seq, one in enumerate("ab")]

    assert [find_shown(rows, champion=one) for one in (None, "a")] == [rows[1], rows[0]]
