"""What the segments are called and painted: the configuration's word over that of the rules."""

from collections.abc import Mapping
from typing import Any

from segmentation.palette import PALETTE
from segmentation.tables import Rows
from segmentation.traits import number_name


def lay_over(segments: Rows, *, names: Mapping[int, str], colors: Mapping[int, str]) -> Rows:
    """Return rows of ``tables.SEGMENTS`` with the names and colours given, every other as the rules and the palette say.

    Giving one segment a name changes no other's, but for one that is called so already: it gets its number.
    """

    def look(row: Mapping[str, Any]) -> dict[str, Any]:
        segment, name = row["segment_id"], row["rule_name"]
        if segment in names:
            name = names[segment]
        elif name in names.values():
            name = number_name(name, segment, taken={*names.values(), *(other["rule_name"] for other in segments)})
        return {**row, "segment_name": name, "color": colors.get(segment, PALETTE[segment % len(PALETTE)])}

    return [look(row) for row in segments]


_COUNTED = ("customers", "customer_share", "revenue", "revenue_share", "sets_apart")


def carry_segments(trained: Rows, counted: Rows) -> Rows:
    """Return the segments of a score: all that the model's run says of each, but for what was counted now.

    Parameters
    ----------
    trained : rows of ``tables.SEGMENTS`` of the model's run
    counted : the same of the customers scored; a segment without any has no row
    """
    known = {row["segment_id"]: row for row in trained}
    carried = [{**known[row["segment_id"]], **{name: row[name] for name in _COUNTED}} for row in counted]
    return [{name: value for name, value in row.items() if name != "run_id"} for row in carried]
