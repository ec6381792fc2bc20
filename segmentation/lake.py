"""The warehouse: the only file that names Delta. Reads, replaces a run's slice, checks the protocol. Floor 2."""

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from segmentation.errors import PublishError
from segmentation.tables import Table, conform

# What every Delta reader in use can open; clusters may set other defaults, so they are spelled out.
_PROPERTIES = {
    "delta.minReaderVersion": "1",
    "delta.minWriterVersion": "2",
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
    "delta.dataSkippingNumIndexedCols": "2",  # statistics of every column double the time of a write
}
_LARGEST_READER, _LARGEST_WRITER = 1, 3
RUN_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,99}")


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


@dataclass(frozen=True)
class Lake:
    """Delta tables under ``path``, or in the catalog schema ``catalog_schema``; models beside them."""

    spark: SparkSession
    path: str | None
    catalog_schema: str | None
    models: str

    def place(self, table: Table) -> str:
        """Return where a table lies, as users name it."""
        return f"{self.path}/{table.name}" if self.path else f"{self.catalog_schema}.{table.name}"

    def exists(self, table: Table) -> bool:
        if self.path:
            return DeltaTable.isDeltaTable(self.spark, self.place(table))
        return self.spark.catalog.tableExists(self.place(table))

    def read(self, table: Table, *, run_id: str | None = None) -> DataFrame:
        """Return a table, or one run's slice of it.

        Raises
        ------
        PublishError
            If there is no such table.
        """
        if not self.exists(table):
            raise PublishError(self.place(table), expected="a Delta table", found="none; run the earlier stages first")
        return self._rows(table, run_id)

    def _rows(self, table: Table, run_id: str | None = None) -> DataFrame:
        frame = self.spark.read.format("delta").load(self.place(table)) if self.path else self.spark.table(self.place(table))
        return frame if run_id is None else frame.where(by_run(run_id))

    def replace_run(self, frame: DataFrame, table: Table, *, run_id: str) -> None:
        """Replace the slice of ``run_id`` by ``frame``, in one commit; the same frame twice changes nothing."""
        if self.create(table):  # nothing to replace, and looking for it takes longer than the write
            writer = conform(frame, table).write.format("delta").mode("append")
        else:
            writer = self._widen(table, frame).write.format("delta").mode("overwrite").option("replaceWhere", by_run(run_id))
        writer = writer.option("userMetadata", json.dumps({"run_id": run_id}))
        writer.save(self.place(table)) if self.path else writer.saveAsTable(self.place(table))

    def replace_all(self, frame: DataFrame, table: Table) -> None:
        """Replace a whole table by ``frame``, in one commit."""
        if self.create(table, partitioned=False):
            writer = conform(frame, table).write.format("delta").mode("append")
        else:
            writer = self._widen(table, frame).write.format("delta").mode("overwrite")
        writer.save(self.place(table)) if self.path else writer.saveAsTable(self.place(table))

    def version(self, table: Table) -> int:
        """Return the newest Delta version of a table."""
        return int(self._snapshot(table).version())

    def check_protocol(self, table: Table) -> None:
        """Refuse a table that ordinary readers cannot open.

        Raises
        ------
        PublishError
        """
        protocol = self._snapshot(table).protocol()
        reader, writer = protocol.minReaderVersion(), protocol.minWriterVersion()
        if reader > _LARGEST_READER or writer > _LARGEST_WRITER:
            raise PublishError(
                self.place(table),
                expected=f"Delta reader {_LARGEST_READER}, writer {_LARGEST_WRITER} at most",
                found=f"reader {reader}, writer {writer}",
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the warehouse against a second process on the same machine; a killed process lets go by itself.

        On a local file system two Spark processes can overwrite each other's commits.

        Raises
        ------
        PublishError
            If another process holds it, or the folder cannot be written.
        """
        folder = _local_folder(self.path)
        if folder is None:
            yield
            return
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            lock = open(Path(folder, ".lock"), "a")  # noqa: SIM115 - held until the block ends
        except OSError as error:
            raise PublishError(folder, expected="a folder that can be written", found=str(error.strerror)) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PublishError(folder, expected="no other run in this warehouse", found="one at work") from None
            yield

    def _identifier(self, table: Table) -> str:
        return f"delta.`{self.place(table)}`" if self.path else self.place(table)

    def _snapshot(self, table: Table) -> Any:
        """Return Delta's own snapshot of a table; DESCRIBE DETAIL and HISTORY cost a query each, a second in all."""
        location = self.place(table)
        if self.catalog_schema:
            location = self.spark.sql(f"DESCRIBE DETAIL {location}").select("location").collect()[0]["location"]
        jvm: Any = self.spark._jvm
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, location)
        return log.unsafeVolatileSnapshot()

    def create(self, table: Table, *, partitioned: bool = True) -> bool:
        """Make a table with its comments and protocol, unless it is there; return whether it was made."""
        if self.exists(table):
            return False
        if self.catalog_schema:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {self.catalog_schema}")
        columns = ", ".join(_column_sql(field) for field in table.columns)
        properties = ", ".join(f"'{name}' = '{value}'" for name, value in _PROPERTIES.items())
        self.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {self._identifier(table)} ({columns}) USING delta"
            f"{' PARTITIONED BY (run_id)' if partitioned else ''} COMMENT '{_quoted(table.comment)}' TBLPROPERTIES ({properties})"
        )
        return True

    def _widen(self, table: Table, frame: DataFrame) -> DataFrame:
        """Bring a frame and a stored table that another configuration wrote to the same columns."""
        stored = {field.name: field for field in self._rows(table).schema}
        new = [field for field in table.columns if field.name not in stored]
        for field in table.columns:
            if field.name in stored and stored[field.name].dataType != field.dataType:
                raise PublishError(
                    f"{self.place(table)}: column {field.name}",
                    expected=f"{stored[field.name].dataType.simpleString()}, as stored by an earlier run",
                    found=f"{field.dataType.simpleString()}; choose another warehouse or another name",
                )
        if new:
            self.spark.sql(f"ALTER TABLE {self._identifier(table)} ADD COLUMNS ({', '.join(map(_column_sql, new))})")
        own = {field.name for field in table.columns}
        absent = {name: F.lit(None).cast(field.dataType) for name, field in stored.items() if name not in own}
        order = [*stored, *(field.name for field in new)]
        return conform(frame, table).withColumns(absent).select(*(f"`{name}`" for name in order))


def delta_version_of(spark: SparkSession, source_format: str, path: str) -> int | None:
    """Return the newest version of a source that is a Delta table, None of any other."""
    if source_format == "table":
        provider = spark.sql("DESCRIBE TABLE EXTENDED IDENTIFIER(:name)", args={"name": path})
        if provider.where("col_name = 'Provider' AND lower(data_type) = 'delta'").isEmpty():
            return None
        return int(DeltaTable.forName(spark, path).history(1).collect()[0]["version"])
    if source_format != "delta":
        return None
    return int(DeltaTable.forPath(spark, path).history(1).collect()[0]["version"])


def _column_sql(field: T.StructField) -> str:
    comment = _quoted(field.metadata["comment"])
    return f"`{field.name}` {field.dataType.simpleString()}{'' if field.nullable else ' NOT NULL'} COMMENT '{comment}'"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _local_folder(path: str | None) -> str | None:
    """Return ``path`` as a folder of this machine, None if it is none."""
    if path is None:
        return None
    parts = urlparse(path)
    if parts.scheme == "file":
        return parts.path
    return path if parts.scheme == "" else None
