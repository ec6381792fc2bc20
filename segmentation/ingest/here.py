"""Customers judged by Spark, in this process: whether an id comes twice, who is kept, and the sums that prove it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from segmentation.ingest.reasons import Tally, add_up


@dataclass(frozen=True)
class Parted:
    """The customers kept; the tallies of all rows and of those kept; and how many of these break a condition, by its name."""

    customers: pa.Table
    read: Tally
    kept: Tally
    broken: dict[str, int]


def has_twice(keys: pa.ChunkedArray) -> bool:
    """Say whether a key, null aside, stands in more than one row."""
    known = keys.drop_null()
    return bool(pc.count_distinct(known).as_py() < len(known))


def part_customers(rows: pa.Table, names: Sequence[str], flags: Mapping[str, str], *, run_id: str) -> Parted:
    """Return the customers kept, and what is counted of all.

    Parameters
    ----------
    rows : ``names``, ``_row_hash``, ``_is_kept`` and the columns of ``flags``
    names : columns of ``tables.CUSTOMERS`` and its attributes, without the run
    flags : of each condition the column that says where it is broken
    """
    hashes, is_kept = rows["_row_hash"].to_numpy(), rows["_is_kept"].to_numpy()
    customers = rows.select(names).filter(is_kept)
    return Parted(
        customers.append_column("run_id", pa.repeat(pa.scalar(run_id), len(customers))),
        read=add_up(hashes),
        kept=add_up(hashes[is_kept]),
        broken={name: int((is_kept & rows[flag].to_numpy()).sum()) for name, flag in flags.items()},
    )
