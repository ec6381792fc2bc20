"""Delta tables as Arrow, by delta-rs: no JVM, and a commit in milliseconds. For rows that fit into this process."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from segmentation.errors import PublishError
from segmentation.tables import Table
from segmentation.warehouse import objects
from segmentation.warehouse.file_copies import Files, copy_slice, find_files
from segmentation.warehouse.layout import (
    LOOKED_BACK,
    PROPERTIES,
    arrow_schema,
    by_run,
    check_protocol,
    find_new_columns,
    read_published_seq,
    user_metadata,
)

# The schemes that delta-rs writes by the environment's usual variables, with a commit that cannot be lost.
SCHEMES = ("", "file", *objects.SCHEMES)
_DECORATION = re.compile(r"\x1b\[[0-9;]*m|↳")
_SPARK_NAMES = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}


@dataclass(frozen=True)
class ArrowStore:
    """The tables under ``path``."""

    path: str

    @property
    def is_local(self) -> bool:
        """Whether this is a folder of this machine."""
        return "://" not in self.path

    def place(self, table: Table) -> str:
        """Return where a table lies."""
        return f"{self.path}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Say whether there is such a Delta table."""
        try:
            return DeltaTable.is_deltatable(self.place(table))
        except (DeltaError, OSError) as error:
            raise _failed(self.place(table), "a place that can be read", error) from error

    def read(self, table: Table, run_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return a table's rows, or those of some runs."""
        wanted = "true" if run_ids is None else " OR ".join(map(by_run, run_ids))
        return self.query(table, f"SELECT * FROM {{slice}} WHERE {wanted}")

    def slice(self, table: Table, run_id: str, *, most: int, most_files: int) -> pa.Table | Files | None:
        """Return a run's rows, all columns of the stored table; where they are more than ``most``, the files that hold them.

        None where there is no table, where no folder of this machine holds it, or where Spark had better look for the files.
        """
        if not self.exists(table):
            return None
        stored = self._open(table)
        if _count(stored, run_id) <= most:
            return _read(stored, run_id, None)
        return find_files(stored, Path(self.place(table)), run_id, most=most_files) if self.is_local else None

    def columns(self, table: Table, run_id: str, names: Sequence[str]) -> pa.Table:
        """Return a run's rows, of these columns those that the stored table has."""
        return _read(self._open(table), run_id, names)

    def replace(self, rows: pa.Table, table: Table, run_id: str | None) -> None:
        """Replace the slice of ``run_id``, or without one the whole table, in one commit; make the table where there is none.

        Raises
        ------
        PublishError
            If the table cannot be written.
        """
        place = self.place(table)
        options: dict[str, Any] = {"commit_properties": CommitProperties(custom_metadata=user_metadata(run_id))}
        data = _conform(rows, table)
        try:
            if self.exists(table):
                stored = self._open(table)
                data, is_wider = _widen(data, table, stored, place)
                options |= {"schema_mode": "merge"} if is_wider else {}
                options |= {"predicate": by_run(run_id)} if run_id is not None else {}
                write_deltalake(stored, data, mode="overwrite", **options)
            else:
                options |= {"partition_by": ["run_id"]} if run_id is not None else {}
                write_deltalake(place, data, mode="overwrite", description=table.comment, configuration=PROPERTIES, **options)
        except (DeltaError, OSError) as error:
            raise _unwritten(place, error) from error

    def copy(self, table: Table, run_id: str, target: Table, published_seq: int) -> None:
        """Replace ``target`` as a whole by a run's slice of ``table``, batch by batch, and say of which publication it is."""
        schema = arrow_schema(target)
        columns = ", ".join(f'"{name}"' for name in schema.names)
        batches = _ask(self._open(table), f"SELECT {columns} FROM {{slice}} WHERE {by_run(run_id)}")
        reader = pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in batches))
        place = self.place(target)
        said = CommitProperties(custom_metadata=user_metadata(run_id, published_seq=published_seq))
        try:
            if self.exists(target):
                write_deltalake(place, reader, mode="overwrite", schema_mode="overwrite", commit_properties=said)
            else:
                new: dict[str, Any] = {"description": target.comment, "configuration": PROPERTIES}
                write_deltalake(place, reader, commit_properties=said, **new)
        except (DeltaError, OSError) as error:
            raise _unwritten(place, error) from error

    def take_over(self, table: Table, former: str, run_id: str) -> None:
        """Replace the slice of ``run_id`` by that of the run ``former``: its files in a folder, else batch by batch."""
        stored, place = self._open(table), self.place(table)
        try:
            if self.is_local and copy_slice(stored, Path(place), former, run_id):
                return
        except (DeltaError, OSError) as error:
            raise _unwritten(place, error) from error
        schema = pa.schema(stored.schema().to_arrow())
        columns = ", ".join(f"'{run_id}' AS run_id" if name == "run_id" else f'"{name}"' for name in schema.names)
        batches = _ask(stored, f"SELECT {columns} FROM {{slice}} WHERE {by_run(former)}")
        reader = pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in batches))
        said = CommitProperties(custom_metadata=user_metadata(run_id))
        try:
            write_deltalake(stored, reader, mode="overwrite", predicate=by_run(run_id), commit_properties=said)
        except (DeltaError, OSError) as error:
            raise _unwritten(place, error) from error

    def published_seq(self, target: Table) -> int | None:
        """Return which publication a table of ``copy`` shows, None where nothing says so."""
        return read_published_seq(self._open(target).history(LOOKED_BACK)) if self.exists(target) else None

    def count(self, table: Table, run_id: str) -> int:
        """Return the rows of a run's slice as Delta's log has them; no file is opened."""
        return _count(self._open(table), run_id)

    def run_ids(self, table: Table) -> set[str]:
        """Return the runs that have rows in a table."""
        if not self.exists(table):
            return set()
        return set(pa.table(self._open(table).get_add_actions(flatten=True))["partition.run_id"].to_pylist())

    def delete(self, table: Table, run_id: str) -> None:
        """Take a run's rows out of a table, by one commit; its history keeps them until it is vacuumed."""
        self._open(table).delete(by_run(run_id), commit_properties=CommitProperties(custom_metadata=user_metadata(run_id)))

    def query(self, table: Table, question: str) -> list[dict[str, Any]]:
        """Return the answer to a question in SQL about ``{slice}``, the table, by delta-rs's own engine."""
        rows: list[dict[str, Any]] = _ask(self._open(table), question).read_all().to_pylist()
        return rows

    def version(self, table: Table) -> int:
        """Return the newest Delta version of a table."""
        return self._open(table).version()

    def check_protocol(self, table: Table) -> None:
        """Refuse a table that ordinary readers cannot open."""
        protocol = self._open(table).protocol()
        check_protocol(self.place(table), protocol.min_reader_version, protocol.min_writer_version)

    def _open(self, table: Table) -> DeltaTable:
        try:
            return DeltaTable(self.place(table))
        except TableNotFoundError:
            raise PublishError(self.place(table), expected="a Delta table", found="none; run the earlier stages first") from None
        except (DeltaError, OSError) as error:
            raise _failed(self.place(table), "a Delta table that can be read", error) from error


def count_records(place: str) -> int | None:
    """Return the rows that the log of a Delta table has, None where it does not say or delta-rs cannot read it."""
    try:
        files = pa.table(DeltaTable(place).get_add_actions(flatten=True))
    except (DeltaError, OSError):
        return None
    numbers = files["num_records"].to_pylist() if "num_records" in files.column_names else [None]
    return None if None in numbers else sum(numbers)


def _count(stored: DeltaTable, run_id: str) -> int:
    files = pa.table(stored.get_add_actions(flatten=True))
    rows = zip(files["partition.run_id"].to_pylist(), files["num_records"].to_pylist(), strict=True)
    return sum(records for run, records in rows if run == run_id)


def _read(stored: DeltaTable, run_id: str, names: Sequence[str] | None) -> pa.Table:
    """Return a run's rows as they are stored, all columns or those of some names."""
    stored_as = pa.schema(stored.schema().to_arrow())
    schema = pa.schema([one for one in stored_as if names is None or one.name in names])
    columns = "*" if names is None else ", ".join(f'"{name}"' for name in schema.names)
    return _ask(stored, f"SELECT {columns} FROM {{slice}} WHERE {by_run(run_id)}").read_all().select(schema.names).cast(schema)


def _ask(stored: DeltaTable, question: str) -> pa.RecordBatchReader:
    engine = QueryBuilder().register("slice", stored)
    return pa.RecordBatchReader.from_stream(engine.execute(question.format(slice="slice")))


def _conform(rows: pa.Table, table: Table) -> pa.Table:
    """Return the rows in ``table``'s order and types.

    Raises
    ------
    ValueError
        If a column is missing, or a required one has a null.
    """
    schema = arrow_schema(table)
    missing = [name for name in schema.names if name not in rows.column_names]
    if missing:
        raise ValueError(f"{table.name}: columns {missing} are missing; found {sorted(rows.column_names)}")
    data = rows.select(schema.names).cast(schema)
    empty = [field.name for field in table.columns if field.required and data[field.name].null_count]
    if empty:
        raise ValueError(f"{table.name}: nulls in the required columns {empty}")
    return data


def _widen(data: pa.Table, table: Table, stored: DeltaTable, place: str) -> tuple[pa.Table, bool]:
    """Bring rows and a stored table that another configuration wrote to the same columns; say whether the table grows."""
    found = pa.schema(stored.schema().to_arrow())
    names = {field.name: _spark_name(field.type) for field in stored.schema().fields}
    new = find_new_columns(table, names, place)
    for field in found:
        if field.name not in data.column_names:
            data = data.append_column(field, pa.nulls(len(data), field.type))
    data = data.select([*found.names, *(field.name for field in new)])
    # A column keeps the comment it was made with: delta-rs refuses another.
    return data.cast(pa.schema([one.remove_metadata() if one.name in found.names else one for one in data.schema])), bool(new)


def _spark_name(data_type: Any) -> str:
    name = str(data_type.type) if hasattr(data_type, "type") and isinstance(data_type.type, str) else str(data_type)
    return _SPARK_NAMES.get(name, name)


def _unwritten(place: str, error: Exception) -> PublishError:
    return _failed(place, "a Delta table that can be written", error)


def _failed(place: str, expected: str, error: Exception) -> PublishError:
    """Return an error of delta-rs in a line: of a store it says in the first ones what, and in the next ones why."""
    lines = [_DECORATION.sub("", line).strip() for line in str(error).splitlines()]
    said = ": ".join(line for line in lines if line and not line.startswith("<")) or type(error).__name__
    return PublishError(place, expected=expected, found=said[:300])
