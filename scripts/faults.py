"""Kills a run, or a score, before each of its writes, and says what a reader finds then and what the next command makes of it.

``python scripts/faults.py --writer delta-rs`` (or ``spark``) publishes a run, then starts another again and again and ends
its process with SIGKILL before its first write, its second, and so on, until one comes through. After each kill: is the
newest published run whole, do ``current_*`` show it once any command was run, and does the run, resumed or repeated in
turn, end with the tables of one that was never killed? All the while another process' reader looks at ``current_*`` again and
again. It ends with the table of docs/reliability.md; exit code 1 if anything was mixed, torn or unequal. With ``--command score``
the run that is killed is a score of the second month by the first one's model, which is the champion.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from deltalake import DeltaTable

from segmentation.cli import main as segment
from segmentation.segments.stage import KEY_VARIABLE
from segmentation.tables import CHAMPIONS, CURRENT, EVERY, PUBLISHED, RUN_METRICS, STREAMED_ASSIGNMENTS

_READ_EVERY_SECONDS = 0.05
_CLOCK = {"started_at", "published_at", "published_seq", "table_versions", "model_path"}
_CONFIG = """
warehouse: {path: %s}
sources:
  customers:
    format: csv
    path: %s
    customer_id: id
    attributes: {spend: {from: spend, type: number}, visits: {from: visits, type: number}}
features: {use: {spend: {}, visits: {}}}
segments: {names: {0: The first}}
"""


def write_inputs(folder: Path) -> tuple[Path, Path]:
    """Write two months of 200 customers, and a configuration that reads the first; return it and the second month."""
    for name, groups in (("one", 3), ("two", 4)):
        random = np.random.default_rng(groups)
        spots = random.integers(0, groups, 200)[:, None] * [[40, 10]] + random.normal(0, 2, (200, 2)) + 10
        rows = "\n".join(f"{number},{spend:.2f},{visits:.2f}" for number, (spend, visits) in enumerate(spots))
        (folder / f"{name}.csv").write_text(f"id,spend,visits\n{rows}\n")
    config = folder / "config.yaml"
    config.write_text(_CONFIG % (folder / "w", folder / "one.csv"))
    return config, folder / "two.csv"


def die_before(step: int, writer: str) -> Callable[[], int]:
    """End this process before its ``step``-th write (1 is the first); return a function that says how many there were."""
    from segmentation.warehouse import lake, models
    from segmentation.warehouse.arrow_store import ArrowStore
    from segmentation.warehouse.spark_store import SparkStore

    seen = 0

    def counted(write: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(*arguments, **options)

        return run

    class Watched:
        """A Hadoop file system whose changes are writes too."""

        def __init__(self, system: Any) -> None:
            self._system = system

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._system, name)
            return counted(found) if name in ("rename", "delete") else found

    if writer == "spark":
        lake.is_plain = lambda path, spark: spark is None
    for store, name in ((ArrowStore, "replace"), (ArrowStore, "copy"), (SparkStore, "replace_frame")):
        setattr(store, name, counted(getattr(store, name)))
    plain = vars(models)["hadoop"]

    def hadoop(spark: Any, path: str) -> tuple[Any, Any]:
        system, java_path = plain(spark, path)
        return Watched(system), java_path

    vars(models)["hadoop"] = hadoop
    return lambda: seen


def read(warehouse: Path, name: str, run_id: str | None = None) -> list[tuple[Any, ...]]:
    """Return a table's rows, or those of a run, sorted, without what says when they were made."""
    if not DeltaTable.is_deltatable(str(warehouse / name)):
        return []
    rows = DeltaTable(str(warehouse / name)).to_pyarrow_table().to_pylist()
    wanted = [row for row in rows if run_id in (None, row["run_id"])]
    return sorted(tuple((key, str(value)) for key, value in row.items() if key not in _CLOCK) for row in wanted)


def is_published(warehouse: Path, run_id: str) -> bool:
    """Say whether a run is published."""
    return any(dict(row)["status"] == PUBLISHED for row in read(warehouse, "runs", run_id))


def find_faults(warehouse: Path, *, is_mended: bool) -> list[str]:
    """Say what a reader finds that does not fit: within the newest published run, and once mended in ``current_*``."""
    runs = DeltaTable(str(warehouse / "runs")).to_pyarrow_table().to_pylist()
    newest = max((row for row in runs if row["status"] == PUBLISHED), key=lambda row: int(row["published_seq"]))
    run_id, faults = newest["run_id"], []
    placed = [dict(row)["segment_id"] for row in read(warehouse, "assignments", run_id)]
    sizes = {dict(row)["segment_id"]: int(dict(row)["customers"]) for row in read(warehouse, "segments", run_id)}
    if {segment: placed.count(segment) for segment in set(placed)} != sizes or len(placed) != newest["customers"]:
        faults.append(f"run {run_id} is torn")
    if not (warehouse / "models" / (newest["scored_with"] or run_id) / "manifest.json").exists():
        faults.append(f"run {run_id} has no model")
    for name, current in CURRENT.items():
        if is_mended and read(warehouse, current.name) != read(warehouse, name, run_id):
            faults.append(f"{current.name} does not show run {run_id}")
    return faults


@dataclass
class Reader:
    """Reads ``current_*`` again and again while a run writes, as a BI tool would; counts the reads and those that do not fit."""

    warehouse: Path
    reads: int = 0
    misfits: list[str] = field(default_factory=list)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Read during the block."""
        done = threading.Event()

        def go_on() -> None:
            while not done.is_set():
                self._read()
                done.wait(_READ_EVERY_SECONDS)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _read(self) -> None:
        """Read the customers and, by their run, the segments: one run a table, and as many customers as each segment says."""
        customers = DeltaTable(str(self.warehouse / CURRENT["assignments"].name)).to_pyarrow_table(
            columns=["run_id", "segment_id"]
        )
        run_ids = customers["run_id"].unique().to_pylist()
        placed = Counter(customers["segment_id"].to_pylist())
        segments = DeltaTable(str(self.warehouse / "segments")).to_pyarrow_table(filters=[("run_id", "in", run_ids)])
        sizes = {row["segment_id"]: row["customers"] for row in segments.to_pylist()}
        shown = (
            DeltaTable(str(self.warehouse / CURRENT["segments"].name))
            .to_pyarrow_table(columns=["run_id"])["run_id"]
            .unique()
            .to_pylist()
        )
        self.reads += 1
        if len(run_ids) != 1 or len(shown) != 1 or dict(placed) != sizes:
            self.misfits.append(f"current_assignments of {run_ids}, current_segments of {shown}: {dict(placed)}, {sizes}")


def start(step: int, writer: str, *arguments: str) -> int:
    """Run the command in a process that ends before its ``step``-th write; return its exit code."""
    child = [sys.executable, __file__, "--child", str(step), "--writer", writer, *arguments]
    # With a key of their own the pseudonyms of two runs would never be equal.
    environment = {**os.environ, KEY_VARIABLE: "the same for all of these runs"}
    return subprocess.run(child, check=False, capture_output=True, timeout=600, env=environment).returncode


def prepare(command: str, writer: str, folder: Path) -> list[str]:
    """Write inputs, and the warehouses ``before`` and ``clean``: without and with the command, which nobody killed; return it.

    Raises
    ------
    SystemExit
        If a command fails.
    """
    config, second = write_inputs(folder)
    common = ["--config", str(config)]
    following = [command, *common, "--input", f"customers={second}", "--run-id", "two"]
    first = [["run", *common, "--run-id", "one"]]
    first += [["promote", *common, "--run-id", "one"]] if command == "score" else []
    for commands, copy in ((first, "before"), ([following], "clean")):
        for arguments in commands:
            if start(0, writer, *arguments) != 0:
                raise SystemExit(f"a command that nobody killed failed: segmentation {' '.join(arguments)}")
        shutil.copytree(folder / "w", folder / copy)
    return following


def kill_everywhere(command: str, writer: str, first: int, stride: int) -> int:
    """Kill before every ``stride``-th write from the ``first`` on, print what came of it, and return how many had faults."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    warehouse, before, clean = folder / "w", folder / "before", folder / "clean"
    following = prepare(command, writer, folder)
    compared = (table for table in EVERY if table not in (CHAMPIONS, RUN_METRICS, STREAMED_ASSIGNMENTS))
    expected = {table.name: read(clean, table.name, "two") for table in compared}
    kills, mixed, torn, unequal, step = 0, 0, 0, 0, first
    reader = Reader(warehouse)
    while True:
        # In turn a new run, and the published one again: its model is exchanged, and its rows are replaced.
        again = kills % 2 == 1
        shutil.rmtree(warehouse)
        shutil.copytree(clean if again else before, warehouse)
        with reader.at_work():
            code = start(step, writer, *following)
        if code == 0:
            break
        kills += 1
        faults = find_faults(warehouse, is_mended=False)
        torn += bool([fault for fault in faults if "torn" in fault])
        with redirect_stdout(StringIO()):
            segment(["show", *following[1:3]])
        late = find_faults(warehouse, is_mended=True)
        resumed = [*following[:-2], "--resume", *following[-2:]]
        # One that is published already, and died writing down what it took, has nothing to go on with.
        resumes = command == "run" and kills % 4 < 2 and not again and step > 1 and not is_published(warehouse, "two")
        with reader.at_work():
            ended = start(0, writer, *(resumed if resumes else following))
        differing = [name for name, rows in expected.items() if read(warehouse, name, "two") != rows]
        late += find_faults(warehouse, is_mended=True)
        mixed, unequal = mixed + bool(late), unequal + bool(differing or ended)
        print(
            f"killed before write {step}{' of a repeat' if again else ''}: then {faults or 'whole'}; "
            f"after the next command {late or 'whole'}; in the end {differing or ended or 'equal'}",
            flush=True,
        )
        step += stride
    figures = {
        "command": command,
        "writer": writer,
        "kills": kills,
        "newest published run torn": torn,
        "mixed after the next command": mixed,
        "unequal to a run never killed": unequal,
        "reads meanwhile": reader.reads,
        "mixed or torn reads": len(reader.misfits),
    }
    print(*reader.misfits, *(f"| {' | '.join(map(str, line))} |" for line in (figures, figures.values())), sep="\n")
    shutil.rmtree(folder)
    return torn + mixed + unequal + len(reader.misfits)


def main() -> int:
    """Be the parent that kills, or the child that is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writer", choices=("delta-rs", "spark"), default="delta-rs")
    parser.add_argument("--command", choices=("run", "score"), default="run")
    parser.add_argument("--first", type=int, default=1, help="kill before this write first")
    parser.add_argument("--stride", type=int, default=1, help="kill before every so many-th write")
    parser.add_argument("--child", type=int)
    options, arguments = parser.parse_known_args()
    if options.child is None:
        return int(kill_everywhere(options.command, options.writer, options.first, options.stride) > 0)
    die_before(options.child, options.writer)
    return segment(arguments)


if __name__ == "__main__":
    sys.exit(main())
