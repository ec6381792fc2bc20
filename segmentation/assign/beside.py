"""The run before beside this run's customers, in this process: what ``movement`` does by Spark, for tables that fit here."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.assign.movement import HISTORY
from segmentation.tables import Rows

_HANDED_ON = ("segment_key", "previous_key", "changed_at", "since_runs")
_MONEY = pa.decimal128(28, 6)
_WAY = ("before_id", "mid_id", "is_far", "segment_id")


def count_moves_here(now: pa.Table, assignments: pa.Table, paid: pa.Table | None) -> Rows:
    """Return the rows of ``movement.count_moves``.

    Parameters
    ----------
    now : ``customer_id`` (unique), ``segment_id``, ``mid_id``, ``is_far`` and ``revenue``
    assignments : ``customer_id`` (unique) and ``segment_id`` of the former run
    paid : ``customer_id`` (unique) and the revenue of the former run, decimals or doubles; None without revenue
    """
    before = _look_up(now["customer_id"], assignments, ("segment_id",))[0]
    was_paid = _money(_look_up(now["customer_id"], paid, paid.column_names[1:])[0]) if paid else pa.nulls(len(now), _MONEY)
    here = {name: now[name] for name in ("mid_id", "is_far", "segment_id")}
    both = pa.table({"before_id": before, **here, "revenue_before": was_paid, "revenue_after": now["revenue"].cast(_MONEY)})
    gone = assignments.filter(pc.invert(pc.is_in(assignments["customer_id"], now["customer_id"])))
    was_paid = _money(_look_up(gone["customer_id"], paid, paid.column_names[1:])[0]) if paid else pa.nulls(len(gone), _MONEY)
    left: dict[str, Any] = {name: pa.nulls(len(gone), both.schema.field(name).type) for name in both.column_names}
    left |= {"before_id": gone["segment_id"], "revenue_before": was_paid}
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
    found = dict(zip(HISTORY, _look_up(now["customer_id"], assignments, _HANDED_ON), strict=True))
    found[HISTORY[-1]] = pc.subtract(found[HISTORY[-1]], pa.scalar(int(is_own), pa.int32()))
    for name, values in found.items():
        now = now.append_column(name, values)
    return now


def _look_up(ids: pa.ChunkedArray, table: pa.Table, names: Any) -> list[pa.ChunkedArray]:
    """Return columns of the rows of ``table`` with these ids, null where there is none."""
    place = pc.index_in(ids, table["customer_id"].combine_chunks())
    return [table[name].take(place) for name in names]


def _money(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return amounts as ``tables.MONEY_TOTAL`` has them."""
    if not pa.types.is_floating(values.type):
        return values.cast(_MONEY)
    known = np.asarray(values.to_numpy(), dtype=float)
    return pa.chunked_array([pa.array(np.round(known, 6), from_pandas=True).cast(_MONEY)])
