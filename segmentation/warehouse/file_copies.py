"""The Parquet files of a run's slice of a Delta table: found, and copied for another run, for the run is a folder's name."""

import json
import re
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from segmentation.warehouse.layout import user_metadata

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")  # of other letters the two writers make folders of other names
_PATTERN = set("*?[]{}\\")
_STATISTICS = {"min": "minValues", "max": "maxValues", "null_count": "nullCount"}


class Files(NamedTuple):
    """The Parquet files of a slice, and the schema of its table as JSON."""

    paths: list[str]
    schema: str


def find_files(stored: DeltaTable, folder: Path, run_id: str, *, most: int) -> Files | None:
    """Return the Parquet files of a run's slice of a table in ``folder``.

    None where they are more than ``most``, or where one has a name that Spark would take for a pattern.
    """
    files = pa.table(stored.get_add_actions(flatten=True))
    own = zip(files["path"].to_pylist(), files["partition.run_id"].to_pylist(), strict=True)
    paths = [folder / path for path, run in own if run == run_id]
    is_read = len(paths) <= most and not any(set(str(path)) & _PATTERN or not path.is_file() for path in paths)
    return Files(list(map(str, paths)), stored.schema().to_json()) if is_read and paths else None


def copy_slice(stored: DeltaTable, folder: Path, former: str, run_id: str) -> bool:
    """Make the files of the run ``former`` those of ``run_id`` too, copied, in one commit; False if that cannot be done.

    Parameters
    ----------
    stored : a table that is partitioned by ``run_id``, of which the run has no rows yet
    folder : where it lies, on this machine

    Raises
    ------
    OSError, deltalake.exceptions.DeltaError
        If it cannot be written.
    """
    files = pa.table(stored.get_add_actions(flatten=True)).to_pylist()
    own = [one for one in files if one["partition.run_id"] == former]
    is_new = all(one["partition.run_id"] != run_id for one in files)
    if not _PLAIN.fullmatch(run_id) or not is_new or not all((folder / one["path"]).is_file() for one in own):
        return False
    (folder / f"run_id={run_id}").mkdir(exist_ok=True)
    added: list[AddAction | RemoveAction] = []
    for number, one in enumerate(own):
        path = f"run_id={run_id}/part-{number:05d}-{uuid.uuid4()}{''.join(Path(one['path']).suffixes[-2:])}"
        shutil.copyfile(folder / one["path"], folder / path)
        now = time.time_ns() // 1_000_000
        added.append(AddAction(path, one["size_bytes"], {"run_id": run_id}, now, True, json.dumps(_statistics(one))))
    said = CommitProperties(custom_metadata=user_metadata(run_id))
    stored.create_write_transaction(added, "append", stored.schema(), partition_by=["run_id"], commit_properties=said)
    return True


def _statistics(file: dict[str, Any]) -> dict[str, Any]:
    """Return a file's statistics as Delta's log writes them; bounds of texts and whole numbers, which JSON says as they are."""
    told: dict[str, Any] = {"numRecords": file["num_records"]}
    for name, value in file.items():
        kind, _, column = name.partition(".")
        if kind in _STATISTICS and isinstance(value, str | int):
            told.setdefault(_STATISTICS[kind], {})[column] = value
    return told
