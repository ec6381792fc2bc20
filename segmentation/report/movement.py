"""What happened since the last run: the same customers then and now. What ``transitions`` does not show is None here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from segmentation.report.words import Row, Rows


@dataclass(frozen=True)
class Movement:
    """Customers by segment then (rows) and now (columns); None stands for a run that does not know them."""

    run: Row
    then: Rows
    moves: Mapping[tuple[int | None, int | None], int | None]
    known: int | None
    new: int | None
    gone: int | None
    has_heir: bool  # a segment of then is one of now
    same: int | None  # customers in the same segment in both runs
    pairs: Mapping[int, Row]  # then's row of the same segment, by now's segment_id
    before: Mapping[str, Row]  # then's row of each segment, by key
    after: Mapping[str, Row]  # now's
    lineage: Rows  # what became of each segment, those of this run first
    reasons: Rows  # customers by why they are elsewhere


def find_movement(have: Mapping[str, Rows], segments: Rows) -> Movement | None:
    """Return what moved, None without an earlier published run."""
    if not have["previous_runs"] or not have["previous_segments"]:
        return None
    then = sorted(have["previous_segments"], key=lambda row: row["segment_id"])
    keyed, after = ({row["segment_key"]: row for row in rows} for rows in (then, segments))
    pairs = {row["segment_id"]: keyed[row["segment_key"]] for row in segments if row["segment_key"] in keyed}
    ways: dict[tuple[int | None, int | None], list[int | None]] = {}
    for row in have["transitions"]:
        start, end = (
            own[row[name]]["segment_id"] if row[name] else None for own, name in ((keyed, "from_key"), (after, "to_key"))
        )
        ways.setdefault((start, end), []).append(row["customers"])
    former, now = have["previous_runs"][0]["customers"], have["runs"][0]["customers"]
    every = _count_all(have["transitions"])
    return Movement(
        run=have["previous_runs"][0],
        then=then,
        moves={way: add_up(sizes) for way, sizes in ways.items()},
        known=None if every is None else former + now - every,
        new=None if every is None else every - former,
        gone=None if every is None else every - now,
        has_heir=bool(pairs),
        same=add_up(row["customers"] for row in have["transitions"] if row["why"] == "stayed"),
        pairs=pairs,
        before=keyed,
        after=after,
        lineage=sorted(have["lineage"], key=lambda row: (row["segment_id"] is None, row["segment_key"])),
        reasons=sorted(have["transitions"], key=lambda row: (-(row["customers"] or 0), str(row["from_key"]), str(row["to_key"]))),
    )


def add_up(sizes: Iterable[int | None]) -> int | None:
    """Return the sum, None where one of the numbers is not shown."""
    known = list(sizes)
    return None if None in known else sum(size or 0 for size in known)


def _count_all(transitions: Rows) -> int | None:
    """Return the customers of either run; None where nothing that is shown tells it."""
    told = next((row for row in transitions if row["share"]), None)
    return add_up(row["customers"] for row in transitions) if told is None else round(told["customers"] / told["share"])
