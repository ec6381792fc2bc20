"""The door to the warehouse: which writer a place gets, what lies there, and who may write."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlparse

import pyarrow as pa

from segmentation.config.schema import Warehouse
from segmentation.errors import PublishError
from segmentation.tables import Table
from segmentation.warehouse.arrow_store import SCHEMES, ArrowStore
from segmentation.warehouse.layout import arrow_schema
from segmentation.warehouse.locks import Lease, hold_folder, hold_object
from segmentation.warehouse.objects import is_object_store, write_object

# A command that only reads rows needs no Spark, whose import takes longer than such a command.
if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from segmentation.warehouse.spark_store import SparkStore

# Frames up to here are handed to delta-rs; a partition of the canonical layout holds as many customers.
COLLECTED_ROWS = 50_000
# More files Spark lists by a job of its own.
LISTED_FILES = 32
# Tables up to here are copied and counted by delta-rs within this process.
STREAMED_ROWS = 5_000_000


class Store(Protocol):
    """What a writer can do; ``run_id`` None is the whole table."""

    def place(self, table: Table) -> str: ...
    def exists(self, table: Table) -> bool: ...
    def read(self, table: Table, run_ids: Sequence[str] | None = None) -> list[dict[str, Any]]: ...
    def replace(self, rows: pa.Table, table: Table, run_id: str | None) -> None: ...
    def copy(self, table: Table, run_id: str, target: Table, published_seq: int) -> None: ...
    def take_over(self, table: Table, former: str, run_id: str) -> None: ...
    def published_seq(self, target: Table) -> int | None: ...
    def count(self, table: Table, run_id: str) -> int: ...
    def query(self, table: Table, question: str) -> list[dict[str, Any]]: ...
    def run_ids(self, table: Table) -> set[str]: ...
    def delete(self, table: Table, run_id: str) -> None: ...
    def version(self, table: Table) -> int: ...
    def check_protocol(self, table: Table) -> None: ...


@dataclass(frozen=True)
class Lake:
    """Delta tables under ``path``, or in the catalog schema ``catalog_schema``; models beside them.

    ``session`` None opens a path for reading rows alone, without a JVM.
    """

    session: "SparkSession | None"
    path: str | None
    catalog_schema: str | None
    models: str
    leases: list[Lease] = field(default_factory=list, repr=False, compare=False)  # the lock, while it is held

    @property
    def spark(self) -> "SparkSession":
        """The session.

        Raises
        ------
        ValueError
            If the lake was opened without one.
        """
        if self.session is None:
            raise ValueError("lake: a session is needed to read or write frames")
        return self.session

    @cached_property
    def by_spark(self) -> "SparkStore":
        """The writer of frames of any size."""
        from segmentation.warehouse.spark_store import SparkStore

        return SparkStore(self.spark, self.path, self.catalog_schema)

    @cached_property
    def store(self) -> Store:
        """The one writer of small tables: delta-rs where it can write, else Spark."""
        if self.path and (self.session is None or is_plain(self.path, self.session)):
            return ArrowStore(_without_scheme(self.path))
        return self.by_spark

    @property
    def is_plain(self) -> bool:
        """Whether delta-rs writes the small tables here."""
        return isinstance(self.store, ArrowStore)

    @cached_property
    def has_views(self) -> bool:
        """Whether ``current_*`` are views here, which follow ``runs`` by themselves; a path has tables only."""
        if self.catalog_schema is None:
            return False
        from segmentation.warehouse.views import can_hold_views

        return can_hold_views(self.spark, self.catalog_schema)

    def place(self, table: Table) -> str:
        """Return where a table lies, as users name it."""
        return f"{self.path}/{table.name}" if self.path else f"{self.catalog_schema}.{table.name}"

    def read(self, table: Table, *, run_id: str | None = None) -> "DataFrame":
        """Return a table, or one run's slice of it, as a frame; Spark takes longer to open a table than to read most of them."""
        if run_id is not None and isinstance(self.store, ArrowStore):
            found = self.store.slice(table, run_id, most=COLLECTED_ROWS, most_files=LISTED_FILES)
            if isinstance(found, pa.Table):
                return self.spark.createDataFrame(found)
            if found is not None:
                return self.by_spark.frame_of_files(found.paths, found.schema, run_id)
        return self.by_spark.frame(table, run_id)

    def read_arrow(self, table: Table, names: Sequence[str], *, run_id: str) -> pa.Table:
        """Return one run's slice of a table that delta-rs reads, in this process: of these columns those that are there.

        Raises
        ------
        ValueError
            If Spark alone reads it.
        """
        if not isinstance(self.store, ArrowStore):
            raise ValueError(f"{self.place(table)}: not read in this process")
        return self.store.columns(table, run_id, names)

    def read_rows(self, table: Table, *, run_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a small table, or those of some runs; none where there is no such table."""
        return self.store.read(table, run_ids) if self.store.exists(table) else []

    def write_rows(self, rows: Iterable[dict[str, Any]], table: Table, *, run_id: str) -> None:
        """Replace the slice of ``run_id`` by rows that the driver made, in one commit."""
        self.replace(pa.Table.from_pylist(list(rows), arrow_schema(table)), table, run_id=run_id)

    def replace(self, rows: pa.Table, table: Table, *, run_id: str) -> None:
        """Replace the slice of ``run_id`` by rows in Arrow, in one commit."""
        self.check_held()
        self.store.replace(rows, table, run_id)

    def write_frame(self, frame: "DataFrame", table: Table, *, run_id: str, rows: int | None) -> "DataFrame":
        """Replace the slice of ``run_id`` by ``frame``, in one commit; the same frame twice changes nothing.

        Parameters
        ----------
        rows : rows of ``frame``, or a bound above them; None is any number

        Returns
        -------
        DataFrame of ``table``
            The rows written, to go on with.
        """
        if not self.is_plain or rows is None or rows > COLLECTED_ROWS:
            self.check_held()
            self.by_spark.replace_frame(frame, table, run_id)
            return self.by_spark.frame(table, run_id)
        from segmentation.frames import conform

        collected = conform(frame, table).toArrow()
        self.replace(collected, table, run_id=run_id)
        return self.spark.createDataFrame(collected)

    def copy(self, table: Table, target: Table, *, run_id: str, rows: int, published_seq: int) -> None:
        """Replace ``target`` as a whole by a run's slice of ``table`` of so many rows, in a commit that names the publication."""
        self.check_held()
        self.reader(rows).copy(table, run_id, target, published_seq)

    def take_over(self, table: Table, former: str, *, run_id: str, rows: int) -> None:
        """Replace the slice of ``run_id`` by the ``rows`` rows of the run ``former``, in one commit; none where it has none."""
        self.check_held()
        if rows:
            copies_files = isinstance(self.store, ArrowStore) and self.store.is_local
            (self.store if copies_files else self.reader(rows)).take_over(table, former, run_id)

    def drop(self, table: Table) -> None:
        """Remove a table with all that it holds."""
        if self.path is None:
            self.spark.sql(f"DROP TABLE IF EXISTS {self.place(table)}")
            return
        from segmentation.warehouse.files import hadoop

        system, java_path = hadoop(self.spark, self.place(table))
        system.delete(java_path(self.place(table)), True)

    def reader(self, rows: int) -> Store:
        """Return what looks through a table of so many rows at the least cost."""
        return self.store if rows <= STREAMED_ROWS else self.by_spark

    def write_file(self, path: str, content: bytes) -> None:
        """Write a file beside the tables, where the writer of small tables means ``path`` to be.

        Raises
        ------
        PublishError
            If it cannot be written.
        """
        if not self.is_plain:
            from segmentation.warehouse.files import write_file

            write_file(self.spark, path, content)
            return
        folder = _local_folder(path)
        if folder is None:
            write_object(path, content)
            return
        try:
            Path(folder).parent.mkdir(parents=True, exist_ok=True)
            Path(folder).write_bytes(content)
        except OSError as error:
            raise PublishError(path, expected="a file that can be written", found=str(error).splitlines()[0]) from None

    @contextmanager
    def locked(self, by: str) -> Iterator[None]:
        """Hold the warehouse, for the command that ``by`` names, against every other; a killed one lets go by itself.

        On a local file system, and in S3, two Spark processes can overwrite each other's commits. What is neither a folder
        of this machine nor in an object store or HDFS is not held.

        Raises
        ------
        PublishError
            If another command holds it, or the place cannot be written.
        """
        place = self.path or self.models
        folder = _local_folder(place)
        if self.session is not None and not is_plain(place, self.session):
            from segmentation.warehouse.hdfs_lock import hold_if_hdfs

            with hold_if_hdfs(self.session, place, by):
                yield
        elif folder is not None:
            with hold_folder(folder, by):
                yield
        elif is_object_store(place):
            with hold_object(place, by) as lease:
                self.leases.append(lease)
                try:
                    yield
                finally:
                    self.leases.remove(lease)
        else:
            yield

    def check_held(self) -> None:
        """Refuse to write where a lock was taken and lost.

        Raises
        ------
        PublishError
        """
        for lease in self.leases:
            lease.check()


def open_lake(warehouse: Warehouse, session: "SparkSession | None") -> Lake:
    """Return the warehouse of a configuration."""
    path = _absolute(warehouse.path) if warehouse.path else None
    return Lake(session, path, warehouse.catalog_schema, _absolute(warehouse.models or f"{path}/models"))


def needs_session(warehouse: Warehouse) -> bool:
    """Say whether even small tables can only be read by Spark: a catalog, or a place that is not this machine's."""
    if warehouse.path is None or not is_plain(warehouse.path, None):
        return True
    # Where Hadoop is configured, its default file system may be another than this machine's.
    is_here = Path(_local_folder(warehouse.path) or "/").exists()
    return urlparse(warehouse.path).scheme == "" and not is_here and "HADOOP_CONF_DIR" in os.environ


def _absolute(path: str) -> str:
    """Return a path that means the same to every reader; a URI stays as it is."""
    return (path if urlparse(path).scheme else str(Path(path).absolute())).rstrip("/")


def is_plain(path: str, spark: "SparkSession | None") -> bool:
    """Say whether delta-rs and Spark mean the same place by ``path``, and delta-rs can write there.

    A path without a scheme is Hadoop's default file system to Spark; without a session it counts as this machine's.
    """
    scheme = urlparse(path).scheme
    if scheme == "" and spark is not None:
        jsc: Any = spark.sparkContext._jsc
        return str(jsc.hadoopConfiguration().get("fs.defaultFS", "file:///")).startswith("file:")
    return scheme in SCHEMES


def _local_folder(path: str | None) -> str | None:
    """Return ``path`` as a folder of this machine, None if it is none."""
    if path is None:
        return None
    parts = urlparse(path)
    if parts.scheme == "file":
        return parts.path
    return path if parts.scheme == "" else None


def _without_scheme(path: str) -> str:
    """Return a folder of this machine without ``file:``, which delta-rs takes apart at a blank or a plus."""
    return _local_folder(path) or path
