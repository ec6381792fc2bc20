"""What the segments are called and painted: the configuration's word, what they keep from the run before, or the rules'."""

from collections.abc import Mapping
from typing import Any

from segmentation.palette import PALETTE
from segmentation.tables import Rows
from segmentation.traits import number_name


def lay_over(segments: Rows, *, names: Mapping[int | str, str], colors: Mapping[int | str, str]) -> Rows:
    """Return rows of ``tables.SEGMENTS`` with the names and colours given, by ``segment_key`` or else by ``segment_id``.

    Giving one segment a name changes no other's, but for one that is called so already: it gets its number.
    """
    given = {row["segment_id"]: _given(row, names) for row in segments}
    own = {row["segment_id"]: row["kept_name"] or row["rule_name"] for row in segments}
    asked = {name for name in given.values() if name}
    kept_names = {row["kept_name"] for row in segments if row["kept_name"] and not given[row["segment_id"]]}
    painted = {_given(row, colors) or row["kept_color"] for row in segments} - {None}
    free = [color for color in PALETTE if color not in painted]

    def name_of(row: Mapping[str, Any]) -> str:
        segment, name = row["segment_id"], own[row["segment_id"]]
        if given[segment]:
            return str(given[segment])
        if name in asked or (row["kept_name"] is None and name in kept_names):
            return number_name(name, segment, taken={*asked, *kept_names, *own.values()})
        return str(name)

    looked = []
    for row in segments:
        color = _given(row, colors) or row["kept_color"]
        if color is None:
            usual = PALETTE[row["segment_id"] % len(PALETTE)]
            color = usual if usual in free or not free else free[0]
            free = [one for one in free if one != color]
        looked.append({**row, "segment_name": name_of(row), "color": color})
    return looked


def keep(segments: Rows, lineage: Rows, former: Rows, *, most_shift: float) -> Rows:
    """Return rows of ``tables.SEGMENTS`` with their keys, and with the names and colours that survivors keep.

    The name goes where the nature does: a survivor of another archetype, or, where no archetype names it, one whose centre
    moved by more than ``most_shift`` standard deviations under another name of the rules, is named anew and its former name told.
    A name that the configuration gave is not kept: it is given again by key.
    """
    known = {row["segment_key"]: row for row in former}
    by_id = {row["segment_id"]: row for row in lineage if row["segment_id"] is not None}
    kept = []
    for row in segments:
        line = by_id[row["segment_id"]]
        before = known.get(line["previous_key"]) if line["verdict"] == "survived" else None
        name = color = renamed = None
        if before is not None:
            name, color = before["kept_name"] or before["rule_name"], before["color"]
            moved = (line["shift_deviations"] or 0.0) > most_shift and row["rule_name"] != before["rule_name"]
            if row["archetype"] != before["archetype"] or (row["archetype"] is None and moved):
                name, renamed = None, before["segment_name"]
        kept.append({**row, "segment_key": line["segment_key"], "kept_name": name, "former_name": renamed, "kept_color": color})
    return kept


def keep_again(segments: Rows, own: Rows) -> Rows:
    """Return what ``keep`` did for a run that is repeated, by the ``own`` rows that it wrote then."""
    known = {row["segment_id"]: row for row in own}
    names = ("segment_key", "kept_name", "former_name", "kept_color")
    return [{**row, **{name: known[row["segment_id"]][name] for name in names}} for row in segments]


def _given(row: Mapping[str, Any], looks: Mapping[int | str, str]) -> str | None:
    return looks.get(row["segment_key"]) or looks.get(row["segment_id"])


_COUNTED = ("customers", "customer_share", "revenue", "revenue_share", "sets_apart")


def carry_segments(trained: Rows, counted: Rows) -> Rows:
    """Return the segments of a score: all that the model's run says of each, but for what was counted now.

    That its nature had changed was news of that run alone.

    Parameters
    ----------
    trained : rows of ``tables.SEGMENTS`` of the model's run
    counted : the same of the customers scored; a segment without any has no row
    """
    known = {row["segment_id"]: row for row in trained}
    carried = [{**known[row["segment_id"]], **{name: row[name] for name in _COUNTED}, "former_name": None} for row in counted]
    return [{name: value for name, value in row.items() if name != "run_id"} for row in carried]
