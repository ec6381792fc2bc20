"""Taking persons out of every table and its history, so that not even the bytes are left."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from segmentation.errors import PublishError
from segmentation.tables import CURRENT, EVERY, EXEMPLARS, NO_RECORD, QUARANTINE, Table
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.locks import NAME as LOCK

_LOG = re.compile(r"^[0-9]{20}\.json$")
_SCANNED = 6  # letters of an id from which on finding it among bytes means something


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


def forget_rows(folder: Path, table: Table, ids: Sequence[str], pseudonyms: Sequence[str]) -> None:
    """Delete a table's rows of the customers, the files that held them, and the log that told of those files.

    Without the log a reader cannot go back to before; the checkpoint made here says what the table is.
    """
    place = folder / table.name
    DeltaTable(str(place)).delete(_names(table, ids, pseudonyms))
    _cut_history(place)


def take_out_records(lake: Lake, run_ids: Sequence[str]) -> None:
    """Take the records of runs as they were read out of quarantine, in a local folder out of its history too."""
    if not run_ids:
        return
    condition = f"run_id IN ({', '.join(map(_quoted, run_ids))}) AND raw_record <> '{NO_RECORD}'"
    if not is_local(lake):
        lake.spark.sql(f"UPDATE {lake.by_spark.identifier(QUARANTINE)} SET raw_record = '{NO_RECORD}' WHERE {condition}")
        return
    place = local_folder(lake) / QUARANTINE.name
    if DeltaTable(str(place)).update({"raw_record": f"'{NO_RECORD}'"}, predicate=condition)["num_updated_rows"]:
        _cut_history(place)


def _cut_history(place: Path) -> None:
    """Remove the files that the newest version does not need, and the log that told of them."""
    delta = DeltaTable(str(place))
    delta.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    delta = DeltaTable(str(place))
    delta.create_checkpoint()
    for file in (place / "_delta_log").iterdir():
        # The statistics of files that are gone have their smallest and largest id.
        if _LOG.match(file.name) and int(file.stem) < delta.version():
            file.unlink()
    for file in (place / "_delta_log").glob("*.checkpoint*.parquet"):
        if int(file.name[:20]) < delta.version():
            file.unlink()


def find_left(folder: Path, ids: Sequence[str]) -> Iterator[Path]:
    """Yield each file below a folder that still has one of the ids: in its bytes, or as a value of its columns."""
    long = [one.encode() for one in ids if len(one) >= _SCANNED]
    for file in sorted(one for one in folder.rglob("*") if one.is_file() and not one.name.startswith(LOCK)):
        content = file.read_bytes()
        if any(one in content for one in long) or (file.suffix == ".parquet" and _has_value(file, ids)):
            yield file


def _has_value(file: Path, ids: Sequence[str]) -> bool:
    table = pq.ParquetFile(file).read()
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


def local_folder(lake: Lake) -> Path:
    """Return the folder of a warehouse on this machine.

    Raises
    ------
    PublishError
        If it lies elsewhere: files are removed there by other means, which docs/privacy.md names.
    """
    if lake.path is None or not is_local(lake):
        raise PublishError(
            "forget", expected="a warehouse in a folder of this machine", found=lake.path or str(lake.catalog_schema)
        )
    return Path(lake.path.removeprefix("file:"))


def is_local(lake: Lake) -> bool:
    """Say whether the warehouse is a folder of this machine, whose files can be removed."""
    return lake.path is not None and "://" not in lake.path and lake.is_plain
