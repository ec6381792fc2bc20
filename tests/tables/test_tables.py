"""Every table is one that a BI tool can read."""

import importlib
import pkgutil
import re

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from segmentation import tables
from segmentation.frames import conform, spark_schema, spark_type
from segmentation.tables import CURRENT, EVERY, SEGMENTS, Table

ALL = [*EVERY, *CURRENT.values()]


def test_no_table_is_forgotten() -> None:
    modules = [importlib.import_module(f"segmentation.tables.{one.name}") for one in pkgutil.iter_modules(tables.__path__)]
    defined = {value.name for module in modules for value in vars(module).values() if isinstance(value, Table)}

    assert defined == {table.name for table in EVERY}
    assert len({table.name for table in ALL}) == len(ALL)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_columns_are_scalar_commented_and_plainly_named(table: Table) -> None:
    scalars = (T.StringType, T.NumericType, T.BooleanType, T.DateType, T.TimestampType)

    for field in table.columns:
        assert isinstance(spark_type(field.type), scalars), field
        assert field.comment, field
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", field.name), field
    assert set(table.key) <= {field.name for field in table.columns}


def test_conform_refuses_a_missing_column_instead_of_filling_it(spark: SparkSession) -> None:
    with pytest.raises(ValueError, match="revenue_share"):
        conform(spark.createDataFrame([], T.StructType(spark_schema(SEGMENTS).fields[:-2])), SEGMENTS)


def test_conform_refuses_another_type(spark: SparkSession) -> None:
    fields = [T.StructField(f.name, T.StringType()) for f in SEGMENTS.columns]

    with pytest.raises(ValueError, match="customers is string, not bigint"):
        conform(spark.createDataFrame([], T.StructType(fields)), SEGMENTS)
