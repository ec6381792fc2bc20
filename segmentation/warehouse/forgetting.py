"""Taking persons out of every table and its history, so that not even the bytes are left."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from segmentation.errors import PublishError
from segmentation.tables import CURRENT, EVERY, EXEMPLARS, NO_RECORD, QUARANTINE, Table
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.locks import NAME as LOCK
from segmentation.warehouse.objects import is_object_store, list_objects, read_object, remove_objects

_LOG = re.compile(r"_delta_log/([0-9]{20})\.(?:json|checkpoint.*\.parquet)$")
_SCANNED = 6  # letters of an id from which on finding it among bytes means something


@dataclass(frozen=True)
class Files:
    """The files of a warehouse: of a folder of this machine, or of a store."""

    place: str

    @property
    def is_local(self) -> bool:
        """Whether they are a folder's of this machine."""
        return not is_object_store(self.place)

    def names(self, below: str = "") -> list[str]:
        """Return all files below a folder of the warehouse, from the warehouse on, in order; but for locks."""
        if self.is_local:
            folder = Path(self.place)
            found = [str(one.relative_to(folder)) for one in sorted((folder / below).rglob("*")) if one.is_file()]
        else:
            found = [f"{below}/{one}".lstrip("/") for one in list_objects(f"{self.place}/{below}".rstrip("/"))]
        return [one for one in found if not PurePosixPath(one).name.startswith(LOCK)]

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        return (Path(self.place) / name).read_bytes() if self.is_local else read_object(self.place, name)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files."""
        if not self.is_local:
            remove_objects(self.place, names)
            return
        for name in names:
            (Path(self.place) / name).unlink()


def places_of_persons() -> list[Table]:
    """Return the tables that name customers."""
    return [table for table in (*EVERY, *CURRENT.values()) if any(one.name == "customer_id" for one in table.columns)]


def count_rows(lake: Lake, table: Table, ids: Sequence[str], pseudonyms: Sequence[str]) -> int:
    """Return how many rows of a table name one of the customers."""
    if not lake.store.exists(table):
        return 0
    return int(
        lake.store.query(table, f"SELECT count(*) AS rows FROM {{slice}} WHERE {_names(table, ids, pseudonyms)}")[0]["rows"]
    )


def forget_rows(files: Files, table: Table, ids: Sequence[str], pseudonyms: Sequence[str]) -> None:
    """Delete a table's rows of the customers, the files that held them, and the log that told of those files.

    Without the log a reader cannot go back to before; the checkpoint made here says what the table is.
    """
    DeltaTable(f"{files.place}/{table.name}").delete(_names(table, ids, pseudonyms))
    _cut_history(files, table)


def take_out_records(lake: Lake, run_ids: Sequence[str]) -> None:
    """Take the records of runs as they were read out of quarantine, where files can be removed out of its history too."""
    if not run_ids:
        return
    condition = f"run_id IN ({', '.join(map(_quoted, run_ids))}) AND raw_record <> '{NO_RECORD}'"
    if not has_files(lake):
        lake.spark.sql(f"UPDATE {lake.by_spark.identifier(QUARANTINE)} SET raw_record = '{NO_RECORD}' WHERE {condition}")
        return
    files = find_files(lake)
    delta = DeltaTable(f"{files.place}/{QUARANTINE.name}")
    if delta.update({"raw_record": f"'{NO_RECORD}'"}, predicate=condition)["num_updated_rows"]:
        _cut_history(files, QUARANTINE)


def _cut_history(files: Files, table: Table) -> None:
    """Remove the files that the newest version does not need, and the log that told of them."""
    place = f"{files.place}/{table.name}"
    DeltaTable(place).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    delta = DeltaTable(place)
    delta.create_checkpoint()
    # The statistics of files that are gone have their smallest and largest id.
    logs = [(one, _LOG.search(one)) for one in files.names(f"{table.name}/_delta_log")]
    files.remove([name for name, found in logs if found and int(found[1]) < delta.version()])


def find_left(files: Files, ids: Sequence[str]) -> Iterator[str]:
    """Yield each file that still has one of the ids: in its bytes, or as a value of its columns."""
    long = [one.encode() for one in ids if len(one) >= _SCANNED]
    for name in files.names():
        content = files.read(name)
        if any(one in content for one in long) or (name.endswith(".parquet") and _has_value(content, ids)):
            yield f"{files.place}/{name}"


def _has_value(content: bytes, ids: Sequence[str]) -> bool:
    table = pq.ParquetFile(pa.BufferReader(content)).read()
    texts = (table[field.name] for field in table.schema if str(field.type) in ("string", "large_string"))
    return any(pc.any(pc.is_in(column, value_set=pa.array(ids, column.type))).as_py() for column in texts)


def _names(table: Table, ids: Sequence[str], pseudonyms: Sequence[str]) -> str:
    """Return the condition that a row names one of the customers."""
    named = ids if table is not EXEMPLARS else [*ids, *pseudonyms]
    condition = f"customer_id IN ({', '.join(map(_quoted, named))})"
    if table is QUARANTINE:
        condition += "".join(f" OR strpos(raw_record, {_quoted(json_text(one))}) > 0" for one in ids)
    return condition


def json_text(value: str) -> str:
    """Return a text as a value of JSON."""
    return json.dumps(value, ensure_ascii=False)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def find_files(lake: Lake) -> Files:
    """Return the files of a warehouse, to be read and removed.

    Raises
    ------
    PublishError
        If it is a catalog's, or lies where files are removed by other means, which docs/privacy.md names.
    """
    if lake.path is None or not has_files(lake):
        expected = "a warehouse in a folder of this machine or in an object store"
        raise PublishError("forget", expected=expected, found=lake.path or str(lake.catalog_schema))
    return Files(lake.path.removeprefix("file://").removeprefix("file:"))


def has_files(lake: Lake) -> bool:
    """Say whether the warehouse is a folder of this machine or of an object store, whose files can be removed."""
    return lake.path is not None and lake.is_plain
