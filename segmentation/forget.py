"""Who asks to be forgotten: out of every table, its history and the reports, with what is left as proof."""

import os
from collections.abc import Sequence
from pathlib import Path

from segmentation.errors import ConfigError, PublishError
from segmentation.report.stage import find_published, save_report
from segmentation.segments.exemplars import pseudonymise
from segmentation.segments.stage import KEY_VARIABLE
from segmentation.tables import PUBLISHED, RUNS
from segmentation.warehouse.forgetting import count_rows, find_files, find_left, forget_rows, places_of_persons
from segmentation.warehouse.lake import Lake


def read_ids(given: Sequence[str], file: str | None) -> list[str]:
    """Return the ids of the command line and of a file with one a line, each once.

    Raises
    ------
    ConfigError
        If there are none, or the file cannot be read.
    """
    lines: list[str] = []
    if file is not None:
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("--file", expected="a text file of ids", found=f"{file} ({error})") from None
    ids = list(dict.fromkeys(one.strip() for one in (*given, *lines) if one.strip()))
    if not ids:
        raise ConfigError("forget", expected="ids, or --file with some", found="none")
    return ids


def forget(lake: Lake, ids: Sequence[str], *, is_dry_run: bool) -> list[str]:
    """Take customers out of a warehouse, and say in lines what was found and what is left.

    Raises
    ------
    PublishError
        If a file still names one of them.
    """
    files = find_files(lake)
    key = os.environ.get(KEY_VARIABLE)
    pseudonyms = [pseudonymise(one, key=key.encode()) for one in ids] if key else []
    told = []
    with lake.locked("forget"):
        for table in places_of_persons():
            rows = count_rows(lake, table, ids, pseudonyms)
            if lake.store.exists(table):
                told.append(f"{table.name}: {rows:,} rows{' would go' if is_dry_run else ''}")
                if not is_dry_run:
                    lake.check_held()
                    forget_rows(files, table, ids, pseudonyms)
        if is_dry_run:
            return told
        drawn = [row["run_id"] for row in lake.read_rows(RUNS) if row["status"] == PUBLISHED]
        pages = set(files.names("reports"))
        for run_id in (one for one in drawn if f"reports/{one}/report.html" in pages):
            told.append(f"report drawn again: {save_report(find_published(lake, run_id))}")
        left = list(find_left(files, ids))
        if left:
            raise PublishError("forget", expected="no file that names one of them", found=", ".join(left[:3]))
    return [*told, f"none of the {len(files.names()):,} files of {files.place} names one of the {len(ids):,} ids"]
