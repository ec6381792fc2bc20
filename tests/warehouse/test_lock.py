"""One command at a time in a warehouse: of this machine, and in an object store."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from segmentation.errors import PublishError
from segmentation.tables import RUNS
from segmentation.warehouse import locks
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.locks import NAME, Holder, Lease, hold_object

PLACE = "s3://bucket/w"


def test_a_second_run_is_refused_by_name_until_the_first_is_done(tmp_path: Path) -> None:
    first, second = (Lake(None, f"{tmp_path}/w", None, "models") for _ in range(2))

    refused = pytest.raises(
        PublishError, match=r"expected no other run in this warehouse, found one at work: run a on .*, since 20"
    )
    with first.locked("run a"), refused, second.locked("run b"):
        pass
    with second.locked("run b"):
        pass
    assert [one.name for one in (tmp_path / "w").iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    lake = Lake(None, f"{tmp_path}/file/w", None, "models")

    with pytest.raises(PublishError, match="expected a folder that can be written"), lake.locked("run a"):
        pass


def test_a_catalog_is_held_by_the_folder_of_its_models(tmp_path: Path) -> None:
    first, second = (Lake(None, None, "spark_catalog.shop", str(tmp_path)) for _ in range(2))

    with first.locked("run a"), pytest.raises(PublishError, match="run a on"), second.locked("run b"):
        pass


@pytest.fixture
def store() -> Any:
    return MemoryStore()


@pytest.fixture
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease of a second, renewed ten times in it."""
    monkeypatch.setattr(locks, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(locks, "_MARGIN_SECONDS", 0.2)


def names(store: Any) -> list[str]:
    return [one["path"] for batch in obstore.list(store) for one in batch]


def test_in_a_store_a_second_run_is_refused_by_name_and_told_how_to_break_a_dead_one(store: Any) -> None:
    refused = pytest.raises(PublishError, match=r"one at work: run a on .*last sign of life \d s ago; a dead one is let go 60 s")
    with hold_object(PLACE, "run a", store=store), refused, hold_object(PLACE, "run b", store=store):
        pass

    with hold_object(PLACE, "run b", store=store):
        assert names(store) == [NAME]  # no trial of the clock is left
    assert names(store) == []


def test_a_lock_is_renewed_for_as_long_as_it_is_held(store: Any, swift: None) -> None:
    with hold_object(PLACE, "run a", store=store) as lease:
        _wait_until(lambda: json.loads(bytes(obstore.get(store, NAME).bytes()))["beat"] > 12)  # beyond a lease
        lease.check()
        with pytest.raises(PublishError, match="run a"), hold_object(PLACE, "run b", store=store):
            pass


def test_the_lock_of_a_dead_run_is_taken_over(store: Any, swift: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Lease(store, PLACE, Holder("run dead")).renew("create")

    with pytest.raises(PublishError, match="run dead"), hold_object(PLACE, "run a", store=store):
        pass
    monkeypatch.setattr(Lease, "_read_clock", lambda _: datetime.now(UTC) + timedelta(seconds=2))

    with hold_object(PLACE, "run a", store=store) as lease:
        lease.check()
        assert json.loads(bytes(obstore.get(store, NAME).bytes()))["by"] == "run a"


@pytest.mark.parametrize("breaking", ["removed", "taken over"])
def test_who_lost_the_lock_writes_no_more_and_leaves_that_of_the_other(store: Any, swift: None, breaking: str) -> None:
    lake = Lake(None, PLACE, None, "models")
    with hold_object(PLACE, "run a", store=store) as lease:
        lake.leases.append(lease)
        if breaking == "removed":
            obstore.delete(store, NAME)
        else:
            obstore.put(store, NAME, b"{}")
        lease._heart.join(5)

        with pytest.raises(PublishError, match="expected the lock that this command took, found another holds it or removed it"):
            lake.write_rows([], RUNS, run_id="a")

    assert names(store) == ([] if breaking == "removed" else [NAME])


def test_a_run_stops_before_its_lease_ends_where_the_store_does_not_answer(store: Any, swift: None) -> None:
    lease = Lease(store, PLACE, Holder("run a"))
    lease.renew("create")
    lease.check()

    _wait_until(lambda: _is_refused(lease))

    with pytest.raises(PublishError, match="no answer of the store"):
        lease.check()


def _is_refused(lease: Lease) -> bool:
    try:
        lease.check()
    except PublishError:
        return True
    return False


def _wait_until(is_so: Any) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
