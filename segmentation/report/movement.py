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
    same: int | None  # customers in the same segment in both runs; None where no segment went on
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
    moves = {(row["previous_segment_id"], row["segment_id"]): row["customers"] for row in have["moves"]}
    keyed = {row["segment_key"]: row for row in then}
    pairs = {row["segment_id"]: keyed[row["segment_key"]] for row in segments if row["segment_key"] in keyed}
    stayed = sum(moves.get((before["segment_id"], now), 0) for now, before in pairs.items())
    return Movement(
        run=have["previous_runs"][0],
        then=then,
        moves=moves,
        known=sum(size for (before, now), size in moves.items() if before is not None and now is not None),
        new=sum(size for (before, now), size in moves.items() if before is None),
        gone=sum(size for (before, now), size in moves.items() if now is None),
        same=stayed if pairs else None,
        pairs=pairs,
        before=keyed,
        after={row["segment_key"]: row for row in segments},
        lineage=sorted(have["lineage"], key=lambda row: (row["segment_id"] is None, row["segment_key"])),
        reasons=sorted(have["transitions"], key=lambda row: (-row["customers"], str(row["from_key"]), str(row["to_key"]))),
    )
