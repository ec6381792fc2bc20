"""Delta tables by Spark: tables of a catalog, places that only Spark's file systems reach, and frames of any size."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import Column as SqlColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from segmentation.errors import PublishError
from segmentation.frames import conform, quoted, spark_schema
from segmentation.tables import Column, Table
from segmentation.warehouse.layout import (
    LOOKED_BACK,
    PROPERTIES,
    PROTOCOL,
    by_run,
    check_protocol,
    find_new_columns,
    read_published_seq,
    user_metadata,
)


@dataclass(frozen=True)
class SparkStore:
    """The tables under ``path``, or in the catalog schema ``catalog_schema``."""

    spark: SparkSession
    path: str | None
    catalog_schema: str | None

    def place(self, table: Table) -> str:
        """Return where a table lies, as users name it."""
        return f"{self.path}/{table.name}" if self.path else f"{self.catalog_schema}.{table.name}"

    def exists(self, table: Table) -> bool:
        """Say whether there is such a Delta table."""
        if self.path:
            return _is_delta(self.spark, self.place(table))
        return self.spark.catalog.tableExists(self.place(table))

    def frame(self, table: Table, run_id: str | None = None) -> DataFrame:
        """Return a table, or one run's slice of it.

        Raises
        ------
        PublishError
            If there is no such table.
        """
        if not self.exists(table):
            raise PublishError(self.place(table), expected="a Delta table", found="none; run the earlier stages first")
        place = self.place(table)
        frame = self.spark.read.format("delta").load(place) if self.path else self.spark.table(place)
        return frame if run_id is None else frame.where(by_run(run_id))

    def frame_of_files(self, files: Sequence[str], schema: str, run_id: str) -> DataFrame:
        """Return the slice of a run that lies in these Parquet files, its table's schema in JSON; its log stays unread."""
        columns = T.StructType.fromJson(json.loads(schema))
        stored = T.StructType([one for one in columns if one.name != "run_id"])
        own = (F.lit(run_id).alias("run_id") if one.name == "run_id" else F.col(f"`{one.name}`") for one in columns)
        return self.spark.read.schema(stored).parquet(*files).select(*own)

    def read(self, table: Table, run_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return a table's rows, or those of some runs."""
        frame = self.frame(table)
        if run_ids is not None:
            frame = frame.where(F.col("run_id").isin(list(run_ids)))
        rows: list[dict[str, Any]] = frame.toArrow().to_pylist()
        return rows

    def replace(self, rows: pa.Table, table: Table, run_id: str | None) -> None:
        """Replace the slice of ``run_id``, or without one the whole table, by rows of this process."""
        frame = self.spark.createDataFrame(rows.to_pylist(), spark_schema(table))
        self.replace_frame(frame.coalesce(1), table, run_id)

    def replace_frame(self, frame: DataFrame, table: Table, run_id: str | None, said: Mapping[str, str] | None = None) -> None:
        """Replace the slice of ``run_id``, or without one the whole table, in one commit; make the table where there is none.

        The commit says of itself what ``said`` has, by default the run.
        """
        said = user_metadata(run_id) if said is None else said
        whole = conform(frame, table).select(*(_stored(field) for field in table.columns))
        if self.exists(table):
            writer = self._widen(table, whole).write.format("delta").mode("overwrite")
            if run_id is not None:
                writer = writer.option("replaceWhere", by_run(run_id))
            writer = writer.options(**said)
            writer.save(self.place(table)) if self.path else writer.saveAsTable(self.place(table))
            return
        if self.path:
            self._make_at_path(whole, table, run_id, said)
            return
        self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {self.catalog_schema}")
        creator = whole.writeTo(self.identifier(table)).using("delta").options(**said)
        if run_id is not None:
            creator = creator.partitionedBy("run_id")
        for name, value in (PROTOCOL | PROPERTIES).items():
            creator = creator.tableProperty(name, value)
        creator.tableProperty("comment", table.comment).create()

    def append_once(self, frame: DataFrame, table: Table, *, writer: str, batch_id: int) -> None:
        """Add rows to a table that is there; a batch that this writer added before adds nothing.

        Delta keeps the newest batch of each writer with the rows, in the same commit.
        """
        whole = self._widen(table, conform(frame, table).select(*(_stored(field) for field in table.columns)))
        adding = whole.write.format("delta").mode("append").option("txnAppId", writer).option("txnVersion", batch_id)
        adding.save(self.place(table)) if self.path else adding.saveAsTable(self.place(table))

    def _make_at_path(self, frame: DataFrame, table: Table, run_id: str | None, said: Mapping[str, str]) -> None:
        """Make a table by a plain save, which lets a frame be observed; its comment needs a commit of its own then."""
        writer = frame.write.format("delta").mode("append").options(**PROTOCOL, **PROPERTIES, **said)
        if run_id is not None:
            writer = writer.partitionBy("run_id")
        writer.save(self.place(table))
        self.spark.sql(f"COMMENT ON TABLE {self.identifier(table)} IS '{quoted(table.comment)}'")

    def copy(self, table: Table, run_id: str, target: Table, published_seq: int) -> None:
        """Replace ``target`` as a whole by a run's slice of ``table``, and say of which publication it is."""
        self.replace_frame(self.frame(table, run_id), target, None, user_metadata(run_id, published_seq=published_seq))

    def take_over(self, table: Table, former: str, run_id: str) -> None:
        """Replace the slice of ``run_id`` by that of the run ``former``."""
        frame = self.frame(table, former).withColumn("run_id", F.lit(run_id))
        writer = frame.write.format("delta").mode("overwrite").option("replaceWhere", by_run(run_id))
        writer = writer.options(**user_metadata(run_id))
        writer.save(self.place(table)) if self.path else writer.saveAsTable(self.place(table))

    def published_seq(self, target: Table) -> int | None:
        """Return which publication a table of ``copy`` shows, None where nothing says so."""
        if not self.exists(target):
            return None
        commits = self.spark.sql(f"DESCRIBE HISTORY {self.identifier(target)} LIMIT {LOOKED_BACK}")
        newest_first = commits.orderBy(F.desc("version")).select("userMetadata").collect()
        return read_published_seq(row.asDict() for row in newest_first)

    def count(self, table: Table, run_id: str) -> int:
        """Return the rows of a run's slice."""
        return self.frame(table, run_id).count()

    def run_ids(self, table: Table) -> set[str]:
        """Return the runs that have rows in a table."""
        if not self.exists(table):
            return set()
        return {row["run_id"] for row in self.frame(table).select("run_id").distinct().collect()}

    def delete(self, table: Table, run_id: str) -> None:
        """Take a run's rows out of a table, by one commit; its history keeps them until it is vacuumed."""
        self.spark.sql(f"DELETE FROM {self.identifier(table)} WHERE {by_run(run_id)}")

    def query(self, table: Table, question: str) -> list[dict[str, Any]]:
        """Return the answer to a question in SQL about ``{slice}``, the table."""
        rows: list[dict[str, Any]] = self.spark.sql(question, slice=self.frame(table)).toArrow().to_pylist()
        return rows

    def version(self, table: Table) -> int:
        """Return the newest Delta version of a table."""
        return int(self._snapshot(table).version())

    def check_protocol(self, table: Table) -> None:
        """Refuse a table that ordinary readers cannot open."""
        protocol = self._snapshot(table).protocol()
        check_protocol(self.place(table), protocol.minReaderVersion(), protocol.minWriterVersion())

    def identifier(self, table: Table) -> str:
        """Return a table as SQL names it."""
        return _at_path(self.place(table)) if self.path else self.place(table)

    def _snapshot(self, table: Table) -> Any:
        """Return Delta's own snapshot of a table; DESCRIBE DETAIL and HISTORY cost a query each, a second in all."""
        location = self.place(table)
        if self.catalog_schema:
            location = self.spark.sql(f"DESCRIBE DETAIL {location}").select("location").collect()[0]["location"]
        jvm: Any = self.spark._jvm
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, location)
        return log.unsafeVolatileSnapshot()

    def _widen(self, table: Table, frame: DataFrame) -> DataFrame:
        """Bring a frame and a stored table that another configuration wrote to the same columns."""
        stored = {field.name: field for field in self.frame(table).schema}
        names = {name: field.dataType.simpleString() for name, field in stored.items()}
        new = find_new_columns(table, names, self.place(table))
        if new:
            self.spark.sql(f"ALTER TABLE {self.identifier(table)} ADD COLUMNS ({', '.join(map(_column_sql, new))})")
        own = {field.name for field in table.columns}
        absent = {name: F.lit(None).cast(field.dataType) for name, field in stored.items() if name not in own}
        order = [*stored, *(field.name for field in new)]
        return frame.withColumns(absent).select(*(f"`{name}`" for name in order))


def delta_version_of(spark: SparkSession, source_format: str, path: str) -> int | None:
    """Return the newest version of a source that is a Delta table, None of any other."""
    if source_format == "table":
        provider = spark.sql("DESCRIBE TABLE EXTENDED IDENTIFIER(:name)", args={"name": path})
        if provider.where("col_name = 'Provider' AND lower(data_type) = 'delta'").isEmpty():
            return None
    elif source_format != "delta":
        return None
    place = path if source_format == "table" else _at_path(path)
    return int(spark.sql(f"DESCRIBE HISTORY {place} LIMIT 1").collect()[0]["version"])


def _at_path(path: str) -> str:
    return "delta.`" + path.replace("`", "``") + "`"


def _is_delta(spark: SparkSession, path: str) -> bool:
    """Ask Delta's JARs, which every platform has, unlike the Python package beside them."""
    jvm: Any = spark._jvm
    return bool(jvm.io.delta.tables.DeltaTable.isDeltaTable(spark._jsparkSession, path))


def _stored(one: Column) -> SqlColumn:
    """Return the column with its comment; where it is required, a null ends the write."""
    value = F.col(f"`{one.name}`")
    if one.required:
        refused = F.raise_error(F.lit(f"{one.name}: a value is required, found none")).cast(one.type)
        value = F.when(value.isNotNull(), value).otherwise(refused)
    return value.alias(one.name, metadata={"comment": one.comment})


def _column_sql(one: Column) -> str:
    return f"`{one.name}` {one.type} COMMENT '{quoted(one.comment)}'"
