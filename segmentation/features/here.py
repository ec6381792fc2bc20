"""Features in this process: those of customers without orders, and what is counted of any, as by Spark."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from segmentation.features.checks import MOST_IDS, NOBODY, can_differ_by_case
from segmentation.tables import Table
from segmentation.warehouse.layout import arrow_schema


def list_features(customers: pa.Table, table: Table, *, as_of: date | None) -> pa.Table:
    """Return what ``orders.build_features`` does of customers without orders: null what only orders can tell.

    Parameters
    ----------
    customers : rows of ``tables.CUSTOMERS`` with the attributes
    table : Table
        ``tables.FEATURES`` with the attributes appended.
    """
    known = {name: customers[name] for name in customers.column_names}
    known["as_of"] = pa.repeat(pa.scalar(as_of, pa.date32()), len(customers))
    schema = arrow_schema(table)
    columns = [known[one.name] if one.name in known else pa.nulls(len(customers), one.type) for one in schema]
    return pa.table(columns, schema=schema)


def observe_here(features: pa.Table, *, numbers: Sequence[str], has_orders: bool) -> tuple[dict[str, Any], list[str]]:
    """Return what ``checks.observed`` counts, with ``folded``: different ids once in small letters; and the ids beyond ASCII."""
    ids = features["customer_id"].combine_chunks()
    is_beyond = pc.not_equal(pc.binary_length(ids), pc.utf8_length(ids))
    beyond = ids.filter(is_beyond).to_pylist()
    # Beyond ASCII a letter may become two, as Spark has it and Arrow has not.
    small = pc.replace_with_mask(pc.ascii_lower(ids), is_beyond, pa.array([one.lower() for one in beyond], ids.type))
    capital = pc.replace_with_mask(pc.ascii_upper(ids), is_beyond, pa.array([one.upper() for one in beyond], ids.type))
    seen: dict[str, Any] = {
        "customers": len(ids),
        "with_capitals": _count(pc.not_equal(small, ids)),
        "with_small_letters": _count(pc.not_equal(capital, ids)),
        "beyond": len(beyond),
        "nobody": _count(pc.is_in(small, value_set=pa.array(NOBODY))),
        "with_orders": _count(features["recency_days"].is_valid()),
    }
    if has_orders:
        seen["stale_days"] = pc.min(features["recency_days"]).as_py()
        seen["history_days"] = pc.max(features["tenure_days"]).as_py()
    for name in numbers:
        ends = pc.min_max(features[name])
        seen[f"constant {name}"] = not ends["min"].is_valid or ends["min"] == ends["max"]
    seen["folded"] = pc.count_distinct(small).as_py() if can_differ_by_case(seen) else len(ids)
    return seen, beyond if len(beyond) <= MOST_IDS else []


def _count(mask: pa.ChunkedArray | pa.Array) -> int:
    return int(pc.sum(mask).as_py() or 0)
