"""The run before beside this run's customers, in this process: what ``movement`` does by Spark, for tables that fit here."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.assign.movement import HANDED_ON, HISTORY
from segmentation.money import ARROW_MONEY, to_money
from segmentation.tables import Rows

_WAY = ("before_id", "mid_id", "is_far", "segment_id")


def count_moves_here(now: pa.Table, assignments: pa.Table, paid: pa.Table | None) -> Rows:
    """Return the rows of ``movement.count_moves``.

    Parameters
    ----------
    now : ``customer_id`` (unique), ``segment_id``, ``mid_id``, ``is_far`` and ``revenue``
    assignments : ``customer_id`` (unique) and ``segment_id`` of the former run
    paid : ``customer_id`` (unique) and the revenue of the former run, decimals or doubles; None without revenue
    """
    place = _find_places(now["customer_id"], assignments)
    before = assignments["segment_id"].take(place)
    here = {name: now[name] for name in ("mid_id", "is_far", "segment_id")}
    both = pa.table(
        {"before_id": before, **here, "revenue_before": _paid_by(now, paid), "revenue_after": to_money(now["revenue"])}
    )
    is_gone = np.ones(len(assignments), dtype=bool)
    is_gone[place.drop_null()] = False
    gone = assignments.filter(is_gone)
    left: dict[str, Any] = {name: pa.nulls(len(gone), both.schema.field(name).type) for name in both.column_names}
    left |= {"before_id": gone["segment_id"], "revenue_before": _paid_by(gone, paid)}
    counted = (
        pa.concat_tables([both, pa.table(left)])
        .group_by(list(_WAY))
        .aggregate([([], "count_all"), ("revenue_before", "sum"), ("revenue_after", "sum")])
    )
    names = {"count_all": "customers", "revenue_before_sum": "revenue_before", "revenue_after_sum": "revenue_after"}
    rows: Rows = counted.rename_columns([names.get(name, name) for name in counted.column_names]).to_pylist()
    return rows


def add_history(now: pa.Table, assignments: pa.Table, *, is_own: bool = False) -> pa.Table:
    """Return ``now`` with the columns of ``movement.read_history``, null for who has none."""
    found = dict(zip(HISTORY, _look_up(now["customer_id"], assignments, HANDED_ON), strict=True))
    found[HISTORY[-1]] = pc.subtract(found[HISTORY[-1]], pa.scalar(int(is_own), pa.int32()))
    for name, values in found.items():
        now = now.append_column(name, values)
    return now


def _look_up(ids: pa.ChunkedArray, table: pa.Table, names: Any) -> list[pa.ChunkedArray]:
    """Return columns of the rows of ``table`` with these ids, null where there is none."""
    place = _find_places(ids, table)
    return [table[name].take(place) for name in names]


def _find_places(ids: pa.ChunkedArray, table: pa.Table) -> pa.ChunkedArray:
    """Return the row of ``table`` (customer_id unique) of each id, null where there is none."""
    return pc.index_in(ids, table["customer_id"].combine_chunks())


def _paid_by(customers: pa.Table, paid: pa.Table | None) -> pa.Array | pa.ChunkedArray:
    """Return the revenue of customers in the former run as ``tables.MONEY_TOTAL`` has it, null for who has none."""
    if paid is None:
        return pa.nulls(len(customers), ARROW_MONEY)
    (values,) = _look_up(customers["customer_id"], paid, paid.column_names[1:])
    return to_money(values)
