"""What a table is, the types it may hold, and the columns that many tables share. Types are spelled as SQL spells them."""

from dataclasses import dataclass, replace
from typing import Any

MONEY = "decimal(18,6)"  # 18 digits fit a long; more are several times slower
MONEY_TOTAL = "decimal(28,6)"
QUANTITY = "decimal(18,6)"
STRING, LONG, INT, DOUBLE = "string", "bigint", "int", "double"
BOOLEAN, DATE, TIMESTAMP = "boolean", "date", "timestamp"


def decimal_digits(sql_type: str) -> tuple[int, int] | None:
    """Return the precision and scale of a decimal type, None of another."""
    if not sql_type.startswith("decimal("):
        return None
    precision, scale = sql_type.removeprefix("decimal(").removesuffix(")").split(",")
    return int(precision), int(scale)


@dataclass(frozen=True)
class Column:
    """A column: its SQL type, what it means, and whether it may never be null."""

    name: str
    type: str
    comment: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """A table's name, purpose, unique key and columns in order."""

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def widened(self, extra: tuple[Column, ...]) -> "Table":
        """Return this table with columns that only a configuration knows appended."""
        return replace(self, columns=self.columns + extra)


RUN_ID = Column("run_id", STRING, "run that wrote the row", required=True)
CUSTOMER_ID = Column("customer_id", STRING, "customer, as text", required=True)
SEGMENT_ID = Column("segment_id", INT, "segment, 0 first in canonical order", required=True)
RANK = Column("rank", INT, "order within the segment, 1 first", required=True)
K = Column("k", INT, "number of segments, K", required=True)

Rows = list[dict[str, Any]]  # of a small table, in this process
