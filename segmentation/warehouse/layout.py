"""What both writers agree on: the properties of a table, a run's slice of it, and columns of several configurations.

Every column can hold nulls as stored: no Spark writer makes a table and its first rows in one commit otherwise. What
``required`` promises is checked before the rows are written.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from segmentation.errors import PublishError
from segmentation.tables import BOOLEAN, DATE, DOUBLE, INT, LONG, STRING, TIMESTAMP, Column, Table, decimal_digits

# What every Delta reader in use can open; clusters may set other defaults, so they are spelled out.
PROTOCOL = {"delta.minReaderVersion": "1", "delta.minWriterVersion": "2"}
PROPERTIES = {
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
    "delta.dataSkippingNumIndexedCols": "2",  # statistics of every column double the time of a write
}
LARGEST_READER, LARGEST_WRITER = 1, 3
# A table that somebody else maintains has commits of theirs over ours.
LOOKED_BACK = 50
RUN_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,99}")

_ARROW = {
    STRING: pa.string(),
    LONG: pa.int64(),
    INT: pa.int32(),
    DOUBLE: pa.float64(),
    BOOLEAN: pa.bool_(),
    DATE: pa.date32(),
    TIMESTAMP: pa.timestamp("us", tz="UTC"),
}


def by_run(run_id: str) -> str:
    """Return the predicate of a run's slice.

    Raises
    ------
    ValueError
        If ``run_id`` could end the quoted text.
    """
    if not RUN_ID_PATTERN.fullmatch(run_id):
        raise ValueError(f"run_id: letters, digits and ._:+- expected, found {run_id!r}")
    return f"run_id = '{run_id}'"


def user_metadata(run_id: str | None, *, published_seq: int | None = None) -> dict[str, str]:
    """Return what a commit says of itself, as both writers' option; ``published_seq`` is that of a publication."""
    said = {"run_id": run_id, "published_seq": published_seq}
    told = {name: value for name, value in said.items() if value is not None}
    return {"userMetadata": json.dumps(told)} if told else {}


def read_published_seq(commits: Iterable[Mapping[str, Any]]) -> int | None:
    """Return the publication that a table shows: what the newest commit that says so says of itself."""
    for commit in commits:
        said = commit.get("userMetadata")
        if said and '"published_seq"' in said:
            return int(json.loads(said)["published_seq"])
    return None


def arrow_type(sql_type: str) -> pa.DataType:
    """Return the Arrow type of a column of ``tables``."""
    digits = decimal_digits(sql_type)
    return pa.decimal128(*digits) if digits else _ARROW[sql_type]


def arrow_schema(table: Table) -> pa.Schema:
    """Return ``table``'s columns with their comments."""
    return pa.schema([pa.field(one.name, arrow_type(one.type), metadata={"comment": one.comment}) for one in table.columns])


def find_new_columns(table: Table, stored: Mapping[str, str], place: str) -> tuple[Column, ...]:
    """Return the columns of ``table`` that a stored table lacks, for another configuration wrote it.

    Parameters
    ----------
    stored : type of each stored column, in Spark's words

    Raises
    ------
    PublishError
        If a column is stored with another type.
    """
    for field in table.columns:
        own = field.type
        if stored.get(field.name, own) != own:
            raise PublishError(
                f"{place}: column {field.name}",
                expected=f"{stored[field.name]}, as stored by an earlier run",
                found=f"{own}; choose another warehouse or another name",
            )
    return tuple(field for field in table.columns if field.name not in stored)


def check_protocol(place: str, reader: int, writer: int) -> None:
    """Refuse a table that ordinary readers cannot open.

    Raises
    ------
    PublishError
    """
    if reader > LARGEST_READER or writer > LARGEST_WRITER:
        raise PublishError(
            place,
            expected=f"Delta reader {LARGEST_READER}, writer {LARGEST_WRITER} at most",
            found=f"reader {reader}, writer {writer}",
        )
