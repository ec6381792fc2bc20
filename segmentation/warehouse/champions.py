"""The champion: the one run whose model scores and whose customers ``current_*`` show. One commit moves the pointer."""

from datetime import datetime
from typing import Any

from segmentation.errors import PublishError
from segmentation.tables import CHAMPIONS, PUBLISHED, RUNS
from segmentation.warehouse.lake import Lake

CHAMPION = "champion"  # what --model calls it


def find_champion(lake: Lake) -> str | None:
    """Return the run that is champion, None where there is none."""
    standing = _standing(lake)
    return standing[-1]["run_id"] if standing else None


def promote(lake: Lake, run_id: str, *, at: datetime) -> str:
    """Make a published run the champion by one commit, and say so in a line; the champion itself stays it.

    Raises
    ------
    PublishError
        If the run is not published, or has no model of its own.
    """
    check_model(lake, run_id, place="--run-id")
    former = find_champion(lake)
    if former == run_id:
        return f"{run_id} is the champion already"
    rows = lake.read_rows(CHAMPIONS)
    seq = max((row["seq"] for row in rows), default=0) + 1
    new = {"run_id": run_id, "seq": seq, "promoted_at": at, "taken_back_at": None}
    lake.write_rows([*(row for row in rows if row["run_id"] == run_id), new], CHAMPIONS, run_id=run_id)
    return f"{run_id} is the champion now, in place of {former}" if former else f"{run_id} is the champion now, the first"


def roll_back(lake: Lake, run_id: str | None, *, at: datetime) -> str:
    """Take the last promotion back by one commit, and say so in a line.

    Parameters
    ----------
    run_id : the champion to take back; of another run nothing is taken back. None is whichever it is

    Raises
    ------
    PublishError
        If there is no champion, or the one before it was dropped.
    """
    standing = _standing(lake)
    if not standing:
        raise PublishError("rollback", expected="a champion", found="none; segmentation promote makes one")
    last = standing[-1]
    if run_id not in (None, last["run_id"]):
        return f"{last['run_id']} stays the champion; {run_id} is not it"
    if len(standing) == 1:
        return f"{last['run_id']} stays the champion: there was none before it"
    check_model(lake, standing[-2]["run_id"], place="rollback to")  # there would be nothing to show
    own = [row for row in lake.read_rows(CHAMPIONS) if row["run_id"] == last["run_id"]]
    changed = [row | {"taken_back_at": at} if row["seq"] == last["seq"] else row for row in own]
    lake.write_rows(changed, CHAMPIONS, run_id=last["run_id"])
    return f"{standing[-2]['run_id']} is the champion again, in place of {last['run_id']}"


def find_model(lake: Lake, asked: str) -> str:
    """Return the run that ``--model`` means: the champion, or a published run with a model.

    Raises
    ------
    PublishError
        If there is none.
    """
    if asked != CHAMPION:
        check_model(lake, asked, place="--model")
        return asked
    champion = find_champion(lake)
    if champion is None:
        raise PublishError("--model champion", expected="a champion", found="none; segmentation promote makes one")
    return champion


def count_segments(lake: Lake) -> int:
    """Return the champion's K, for a challenger with as many segments.

    Raises
    ------
    PublishError
        If there is no champion, or all its customers are one segment.
    """
    champion = find_champion(lake)
    found = lake.read_rows(RUNS, run_ids=[champion])[0]["k"] if champion else None
    if found is None or found < 2:
        expected, other = "a champion of two segments or more", "one of a single segment" if champion else "no champion"
        raise PublishError("--k champion", expected=expected, found=other)
    return int(found)


def check_model(lake: Lake, run_id: str, *, place: str) -> dict[str, Any]:
    """Return the row of ``tables.RUNS`` of a published run that trained a model.

    Raises
    ------
    PublishError
        If it is none.
    """
    row = next(iter(lake.read_rows(RUNS, run_ids=[run_id])), None)
    if row is None or row["status"] != PUBLISHED:
        found = "no such run" if row is None else f"one that is {row['status']}"
        raise PublishError(f"{place} {run_id}", expected="a published run", found=found)
    if row.get("scored_with") is not None:
        raise PublishError(
            f"{place} {run_id}", expected="a run with a model of its own", found=f"a score with that of {row['scored_with']}"
        )
    return row


def _standing(lake: Lake) -> list[dict[str, Any]]:
    """Return the promotions that were not taken back, in order."""
    rows = [row for row in lake.read_rows(CHAMPIONS) if row["taken_back_at"] is None]
    return sorted(rows, key=lambda row: int(row["seq"]))
