"""What happened since the last run: the same customers then and now."""

from collections.abc import Mapping
from dataclasses import dataclass

from segmentation.report.words import Row, Rows


@dataclass(frozen=True)
class Movement:
    """Customers by segment then (rows) and now (columns); None stands for a run that does not know them."""

    run: Row
    then: Rows
    moves: Mapping[tuple[int | None, int | None], int]
    known: int
    new: int
    gone: int
    same_name: int | None  # customers in a segment of the same name in both runs; None where no name is in both
    pairs: Mapping[int, Row]  # then's segment of the same name, by now's segment_id


def find_movement(have: Mapping[str, Rows], segments: Rows) -> Movement | None:
    """Return what moved, None without an earlier published run."""
    if not have["previous_runs"] or not have["previous_segments"]:
        return None
    then = sorted(have["previous_segments"], key=lambda row: row["segment_id"])
    moves = {(row["previous_segment_id"], row["segment_id"]): row["customers"] for row in have["moves"]}
    named = {row["segment_name"]: row for row in then}
    pairs = {row["segment_id"]: named[row["segment_name"]] for row in segments if row["segment_name"] in named}
    stayed = sum(moves.get((before["segment_id"], now), 0) for now, before in pairs.items())
    return Movement(
        run=have["previous_runs"][0],
        then=then,
        moves=moves,
        known=sum(size for (before, now), size in moves.items() if before is not None and now is not None),
        new=sum(size for (before, now), size in moves.items() if before is None),
        gone=sum(size for (before, now), size in moves.items() if now is None),
        same_name=stayed if pairs else None,
        pairs=pairs,
    )
