"""Every table the project writes: its columns, their types, units and keys; knows no engine.

A BI tool reads these tables, so they hold scalar columns only.
"""

from segmentation.tables.advice import ACTIONS
from segmentation.tables.assign import ASSIGNMENTS
from segmentation.tables.core import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    LONG,
    MONEY,
    MONEY_TOTAL,
    QUANTITY,
    STRING,
    TIMESTAMP,
    Column,
    Rows,
    Table,
    decimal_digits,
)
from segmentation.tables.features import FEATURES
from segmentation.tables.grid import BORDERS, CENTROIDS, COMPARE, DECISION, GRID, GRID_CENTROIDS, STABILITY
from segmentation.tables.ingest import CHECKS, CUSTOMERS, KEPT, NO_RECORD, QUARANTINE, ROW_COUNTS, TRANSACTIONS
from segmentation.tables.lineage import LINEAGE, REACH, TRANSITIONS
from segmentation.tables.monthly import CHAMPIONS, COMPONENTS, DRIFT, PREPARATION, STREAMED_ASSIGNMENTS
from segmentation.tables.runs import CURRENT, DROPPED, FAILED, PUBLISHED, RUN_METRICS, RUNNING, RUNS
from segmentation.tables.segments import (
    EXEMPLARS,
    FIGURES,
    HISTOGRAMS,
    MAP_AXES,
    NEIGHBOURS,
    PROFILES,
    REPRESENTATION,
    SEGMENT_MAP,
    SEGMENT_RULES,
    SEGMENTS,
    TRAITS,
)

EVERY: tuple[Table, ...] = tuple(value for value in tuple(globals().values()) if isinstance(value, Table))

__all__ = [
    "ACTIONS",
    "ASSIGNMENTS",
    "BOOLEAN",
    "BORDERS",
    "CENTROIDS",
    "CHAMPIONS",
    "CHECKS",
    "COMPARE",
    "COMPONENTS",
    "CURRENT",
    "CUSTOMERS",
    "DATE",
    "DECISION",
    "DOUBLE",
    "DRIFT",
    "DROPPED",
    "EVERY",
    "EXEMPLARS",
    "FAILED",
    "FEATURES",
    "FIGURES",
    "GRID",
    "GRID_CENTROIDS",
    "HISTOGRAMS",
    "INT",
    "KEPT",
    "LINEAGE",
    "LONG",
    "MAP_AXES",
    "MONEY",
    "MONEY_TOTAL",
    "NEIGHBOURS",
    "NO_RECORD",
    "PREPARATION",
    "PROFILES",
    "PUBLISHED",
    "QUANTITY",
    "QUARANTINE",
    "REACH",
    "REPRESENTATION",
    "ROW_COUNTS",
    "RUNNING",
    "RUNS",
    "RUN_METRICS",
    "SEGMENTS",
    "SEGMENT_MAP",
    "SEGMENT_RULES",
    "STABILITY",
    "STREAMED_ASSIGNMENTS",
    "STRING",
    "TIMESTAMP",
    "TRAITS",
    "TRANSACTIONS",
    "TRANSITIONS",
    "Column",
    "Rows",
    "Table",
    "decimal_digits",
]
