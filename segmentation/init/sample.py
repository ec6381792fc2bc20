"""Paths as a user gives them in, tables with their first rows out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from glob import glob
from pathlib import Path
from typing import Any

import pandas as pd

from segmentation.errors import SourceError
from segmentation.init.days import DayForm
from segmentation.init.records import Shape, find_shape, read_frames

SAMPLE_ROWS = 50_000
# A day is read of each row, so that as_of lies beyond the last; of more rows the end stays unread.
DATED_ROWS = 30_000_000
_BATCH_ROWS = 100_000
_MOST_FILES = 1000
_DATA_SUFFIXES = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"}


@dataclass(frozen=True)
class Sample:
    """The first rows of a table.

    Attributes
    ----------
    path : as the configuration shall say it
    frame : text as objects, None where it is missing; what Parquet types as it does
    is_whole : there are no more rows
    spans_lines : a record of text spans lines
    """

    path: str | list[str]
    files: tuple[Path, ...]
    shape: Shape
    frame: pd.DataFrame
    is_whole: bool
    spans_lines: bool

    @property
    def told(self) -> str:
        """Where it lies, in few words."""
        first, more = (self.path, 0) if isinstance(self.path, str) else (self.path[0], len(self.path) - 1)
        return first + (f" and {more} more" if more else "")

    @property
    def columns(self) -> str:
        """The names of its columns, in words."""
        return f"columns {', '.join(self.shape.names)}"

    @property
    def rows(self) -> str:
        """How much was read, in words."""
        return f"{len(self.frame):,} rows" if self.is_whole else f"the first {len(self.frame):,} rows"


@dataclass(frozen=True)
class DayCounts:
    """How often each day occurs: as text where the source holds text, as a day elsewhere; up to which row was read."""

    texts: Counter[str]
    days: Counter[date]
    rows: int
    is_whole: bool
    spans_lines: bool


def take_samples(given: Sequence[str]) -> list[Sample]:
    """Return a table for each set of files that have the same columns, in the order in which they were given.

    Raises
    ------
    SourceError
        If a path leads nowhere, a file is none that can be read, or there are more than three tables.
    """
    groups: dict[tuple[str, ...], list[tuple[str, Path, Shape]]] = {}
    for path in given:
        files = list(_expand(path))
        for file, shape in _find_shapes(files, are_named=not Path(path).is_dir()):
            groups.setdefault((shape.format, *shape.names), []).append((path, file, shape))
    if len(groups) > 3:
        found = "; ".join(f"{members[0][1].name}: {', '.join(key[1:])}" for key, members in groups.items())
        raise SourceError("DATA", expected="at most three tables: transactions, products, customers", found=found)
    if not groups:
        raise SourceError("DATA", expected="files of CSV, JSON lines or Parquet", found=f"none in {', '.join(given)}")
    return [_take(members) for members in groups.values()]


def _expand(path: str) -> Iterator[Path]:
    """Yield the files of a path: itself, those of a folder, or those of a pattern."""
    place = Path(path)
    if place.is_dir():
        if (place / "_delta_log").is_dir():
            raise SourceError(path, expected="files", found="a Delta table; write its source by hand, format: delta")
        inner = [one for one in sorted(place.iterdir()) if not one.name.startswith((".", "_"))]
        deeper = [one for folder in inner if folder.is_dir() and "=" in folder.name for one in sorted(folder.rglob("*"))]
        found = [one for one in (*inner, *deeper) if one.is_file() and not one.name.startswith((".", "_"))]
    else:
        matching = glob(path)  # noqa: PTH207  Path.glob knows no absolute patterns
        found = [place] if place.is_file() else [Path(one) for one in sorted(matching) if Path(one).is_file()]
    if not found:
        raise SourceError("DATA", expected="a file, a folder with files, or a pattern", found=f"{path}, where there is none")
    if len(found) > _MOST_FILES:
        raise SourceError("DATA", expected=f"at most {_MOST_FILES} files", found=f"{len(found):,} of {path}")
    yield from found


def _find_shapes(files: Sequence[Path], *, are_named: bool) -> Iterator[tuple[Path, Shape]]:
    """Yield each file with its shape; of a folder, without those that do not look like data and are not named so."""
    for file in files:
        try:
            yield file, find_shape(file)
        except SourceError:
            if are_named or _DATA_SUFFIXES & set(file.suffixes):
                raise


def _take(members: Sequence[tuple[str, Path, Shape]]) -> Sample:
    """Read the first rows of a table, some of each of its files."""
    files, shape = [file for _, file, _ in members], members[0][2]
    shapes = {file: one for _, file, one in members}
    share = max(SAMPLE_ROWS // len(files), 100)
    frames: list[pd.DataFrame] = []
    is_whole, spans, left = True, False, SAMPLE_ROWS
    for file in files:
        wanted = min(share, left)
        if wanted == 0:
            is_whole = False
            break
        # One row more than is wanted says whether there are more.
        taken = next(read_frames(file, shapes[file], rows=wanted + 1), None)
        if taken is None:
            continue
        is_whole &= len(taken[0]) <= wanted
        frames.append(taken[0].head(wanted))
        spans |= taken[1]
        left -= len(frames[-1])
    if not sum(len(frame) for frame in frames):
        raise SourceError(str(files[0]), expected="at least one row", found="a file of names alone")
    encoding = next((one.dialect.encoding for one in shapes.values() if one.dialect.encoding != "UTF-8"), shape.dialect.encoding)
    told = replace(shape, dialect=replace(shape.dialect, encoding=encoding))
    return Sample(_path_of(members), tuple(files), told, pd.concat(frames, ignore_index=True), is_whole, spans)


def _path_of(members: Sequence[tuple[str, Path, Shape]]) -> str | list[str]:
    """Return the path as it was given where that holds the files of this table and nothing else."""
    files = [file for _, file, _ in members]
    given = list(dict.fromkeys(path for path, _, _ in members))
    if len(given) == 1 and list(_expand(given[0])) == files:
        return given[0]
    paths = [str(file) for file in files]
    return paths if len(paths) > 1 else paths[0]


def count_days(sample: Sample, name: str, form: DayForm | None) -> DayCounts:
    """Count the days of a column, to the end of the table unless it has more than ``DATED_ROWS`` rows."""
    texts: Counter[str] = Counter()
    days: Counter[date] = Counter()
    rows, spans, is_whole = 0, sample.spans_lines, True
    for frame, has_spans in _frames(sample, name):
        rows += len(frame)
        spans |= has_spans
        column = frame[name].dropna()
        if form is None:
            days.update(Counter(as_utc(column).dt.date.tolist()))
        else:
            texts.update(day for text in column.tolist() if isinstance(text, str) and (day := form.day_text(text)) is not None)
        if rows >= DATED_ROWS:
            is_whole = False
            break
    return DayCounts(texts, days, rows, is_whole, spans)


def _frames(sample: Sample, name: str) -> Iterator[tuple[pd.DataFrame, bool]]:
    if sample.is_whole:
        yield sample.frame, sample.spans_lines
        return
    for file in sample.files:
        yield from read_frames(file, sample.shape, columns=[name], rows=_BATCH_ROWS)


def as_utc(column: Any) -> Any:
    """Return instants without their zone, in UTC."""
    return column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
