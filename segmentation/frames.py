"""Tables as Spark frames: their schema, the check that a frame has it, and counts while one is written."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.sql import Column as Aggregate
from pyspark.sql import DataFrame, Observation
from pyspark.sql import types as T

from segmentation.tables import BOOLEAN, DATE, DOUBLE, INT, LONG, STRING, TIMESTAMP, Column, Table, decimal_digits

# The same customers as a frame, or in this process where they fit.
Customers: TypeAlias = DataFrame | pa.Table
_TYPES: dict[str, T.DataType] = {
    STRING: T.StringType(),
    LONG: T.LongType(),
    INT: T.IntegerType(),
    DOUBLE: T.DoubleType(),
    BOOLEAN: T.BooleanType(),
    DATE: T.DateType(),
    TIMESTAMP: T.TimestampType(),
}


def spark_schema(table: Table) -> T.StructType:
    """Return ``table``'s columns with their comments."""
    return T.StructType([T.StructField(one.name, spark_type(one.type), metadata=_metadata(one)) for one in table.columns])


def spark_type(sql_type: str) -> T.DataType:
    """Return the type that ``tables`` spells as SQL does."""
    digits = decimal_digits(sql_type)
    return T.DecimalType(*digits) if digits else _TYPES[sql_type]


def quoted(text: str) -> str:
    """Return a text as it stands between the quotes of Spark SQL."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def conform(frame: DataFrame, table: Table) -> DataFrame:
    """Select ``table``'s columns in order and in type.

    Raises
    ------
    ValueError
        If a column is missing or has another type. ``DataFrame.to`` alone would fill it with nulls.
    """
    found = {field.name: field.dataType.simpleString() for field in frame.schema}
    missing = [one.name for one in table.columns if one.name not in found]
    if missing:
        raise ValueError(f"{table.name}: columns {missing} are missing; found {sorted(found)}")
    wrong = [f"{one.name} is {found[one.name]}, not {one.type}" for one in table.columns if found[one.name] != one.type]
    if wrong:
        raise ValueError(f"{table.name}: {'; '.join(wrong)}")
    names = [one.name for one in table.columns]
    return frame if list(found) == names else frame.selectExpr(*(f"`{name}`" for name in names))


def aggregate(frame: DataFrame, aggregates: Sequence[Aggregate]) -> dict[str, Any]:
    """Return aggregates of a frame by name; a Spark job."""
    return frame.agg(*aggregates).collect()[0].asDict()


def observe(frame: DataFrame, aggregates: Sequence[Aggregate]) -> tuple[DataFrame, Callable[[], dict[str, Any]]]:
    """Return a frame that is aggregated while it is written, and what then tells ``aggregate`` of it."""
    seen = Observation()

    def tell() -> dict[str, Any]:
        try:
            found: dict[str, Any] = seen.get
        except Py4JJavaError:  # a catalog's CREATE TABLE AS SELECT tells nothing of what it saw
            return aggregate(frame, aggregates)
        return found

    return frame.observe(seen, *aggregates), tell


def _metadata(one: Column) -> dict[str, str]:
    return {"comment": one.comment}
