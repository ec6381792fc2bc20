"""Run every contender in turn, each in a process of its own, and write one Markdown table of medians and ratios."""

import argparse
import importlib.util
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from measuring import adopt_orphans, children_cpu, wait_for_orphans, watch

from segmentation.clustering.points import LOCAL_BYTES

HERE = Path(__file__).resolve().parent
WARM_UP_ROWS = 10_000
# Contenders of scripts/benchmark/requirements.txt, by the module that each needs.
EXTRAS = {"sklearn-intelex": "sklearnex", "faiss": "faiss"}
IN_MEMORY = ("sklearn", "sklearn-intelex", "minibatch", "faiss")
# Below it RESULTS.md keeps what stands there: figures of other machines and versions.
EARLIER = "## Earlier runs"


@dataclass(frozen=True)
class Table:
    """A Parquet table of made-up customers."""

    kind: str
    rows: int
    features: int = 10

    @property
    def name(self) -> str:
        """Name of the file, without its ending."""
        return f"{self.kind}_{self.rows}_{self.features}"

    @property
    def title(self) -> str:
        """The table as the results call it."""
        return f"{self.kind}, {self.rows:,} x {self.features}"


@dataclass(frozen=True)
class Case:
    """One line of the table: a contender on a table, ``times`` warm and ``cold`` times cold."""

    contender: str
    table: Table
    times: int = 3
    k_max: int = 12
    cores: int = 2
    cold: int = 0


def plan(scale: float) -> list[Case]:
    """Return the cases in the order in which they run, the short ones first."""
    mixture, skewed = ([Table(kind, int(rows * scale)) for rows in (100_000, 1_000_000)] for kind in ("mixture", "skewed"))
    huge, wide = Table("mixture", int(10_000_000 * scale)), Table("mixture", int(1_000_000 * scale), 50)
    harder, harder_huge = (Table("harder", int(rows * scale)) for rows in (1_000_000, 10_000_000))
    small, million = mixture
    return [
        Case("fused", harder, cold=3),
        *(Case(contender, harder, times=0, cold=2) for contender in IN_MEMORY),
        *(Case(contender, million, cold=1) for contender in ("fused", "sklearn")),
        *(Case("fused", table) for table in (small, skewed[1], wide, huge)),
        Case("fused", huge, cores=1),
        Case("fused", million, k_max=6),
        Case("fused", million, k_max=20),
        Case("fused-vectors", million),
        Case("floor", million),
        Case("evidence", million),
        Case("evidence", skewed[1]),
        Case("determinism", skewed[0], times=1),
        Case("determinism", skewed[0], times=1, cores=1),
        *(Case("sklearn", table) for table in (small, skewed[1], wide)),
        Case("tutorial", million, times=1),
        Case("tutorial", skewed[1], times=1),
        Case("mllib", small),
        Case("mllib", million, cold=1),
        Case("tutorial", small),
        Case("sklearn", huge),
        *(Case(contender, harder_huge, times=0, cold=1) for contender in ("fused", *IN_MEMORY)),
    ]


def is_installed(contender: str) -> bool:
    """Say whether a contender can run; where not, one line says why."""
    module = EXTRAS.get(contender)
    if module is None or importlib.util.find_spec(module) is not None:
        return True
    print(f"{contender}: skipped, {module} is not installed (scripts/benchmark/requirements.txt)", flush=True)
    return False


def main() -> None:
    """Measure the contenders asked for and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default=str(HERE / "data"), help="where the tables and the raw results go")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows, to try the benchmark out")
    parser.add_argument("--only", default=None, help="run the cases of these contenders, comma separated")
    parser.add_argument("--tables", default=None, help="run the cases of these tables, comma separated: harder_1000000_10")
    asked = parser.parse_args()
    folder = Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    cases = [case for case in plan(asked.scale) if asked.only is None or case.contender in asked.only.split(",")]
    cases = [case for case in cases if asked.tables is None or case.table.name in asked.tables.split(",")]
    able = {contender for contender in dict.fromkeys(case.contender for case in cases) if is_installed(contender)}
    cases = [case for case in cases if case.contender in able]
    tables = {case.table for case in cases}
    warm_ups = {Table(table.kind, min(WARM_UP_ROWS, table.rows), table.features) for table in tables}
    make_tables(folder, sorted(tables | warm_ups, key=lambda table: table.rows))
    results = []
    with (folder / "results.jsonl").open("w") as log:
        for case in cases:
            for is_cold in [False] * case.times + [True] * case.cold:
                result = asdict(case) | {"is_cold": is_cold} | run(folder, case, is_cold=is_cold)
                results.append(result)
                log.write(json.dumps(result) + "\n")
                log.flush()
                print(describe(case, result), flush=True)
            report = HERE / "RESULTS.md"
            report.write_text(write_markdown(results) + earlier_runs(report))


def earlier_runs(report: Path) -> str:
    """Return the part of the report that only people edit."""
    _, found, kept = report.read_text().partition(EARLIER) if report.exists() else ("", "", "")
    return f"\n{EARLIER}{kept}" if found else ""


def describe(case: Case, result: dict[str, Any]) -> str:
    """Return a line for whoever waits."""
    return (
        f"{case.contender:14} {case.table.title:26} cores {case.cores} K 2..{case.k_max:<3} "
        f"{'cold' if result['is_cold'] else 'warm'} {result['seconds']:8.2f} s, process {result['process']:7.1f} s, "
        f"CPU {result['cpu_seconds']:7.1f} s, {result['peak_bytes'] / 2**30:5.2f} GiB"
    )


def make_tables(folder: Path, tables: list[Table]) -> None:
    """Make the tables that are not there yet."""
    missing = [table for table in tables if not (folder / table.name / "_SUCCESS").exists()]
    if not missing:
        return
    asked = [json.dumps([str(folder / table.name), table.kind, table.rows, table.features]) for table in missing]
    subprocess.run([sys.executable, str(HERE / "make_tables.py")], input="\n".join(asked), text=True, check=True)


def run(folder: Path, case: Case, *, is_cold: bool) -> dict[str, Any]:
    """Run one contender once; its own seconds, the whole process's, and the peak of the whole process tree."""
    warm_up = Table(case.table.kind, min(WARM_UP_ROWS, case.table.rows), case.table.features)
    command = [sys.executable, str(HERE / "contenders.py"), case.contender, "--data", str(folder / case.table.name)]
    command += ["--k-max", str(case.k_max), "--cores", str(case.cores)]
    if case.contender.startswith("fused") and case.table.rows * case.table.features * 8 > LOCAL_BYTES:
        command.append("--packed")
    command += [] if is_cold else ["--warm-up", str(folder / warm_up.name)]
    before, started = children_cpu(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process.pid, peak))
    watcher.start()
    answer, _ = process.communicate()
    watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{case}: exit code {process.returncode}")
    wall = time.perf_counter() - started
    wait_for_orphans()
    costs = {"process": wall, "cpu_seconds": children_cpu() - before, "peak_bytes": peak[0]}
    told: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return told | costs


def write_markdown(results: list[dict[str, Any]]) -> str:
    """Return the report of all results."""
    told = (
        "Seconds are medians of the runs, warmed up on 10,000 rows in the same process; *cold* is a whole process without a "
        "warm-up, wall, and *cold CPU* the CPU seconds of it and all its descendants, medians too; *peak* is the process "
        "tree's proportional set size."
    )
    lines = ["# Benchmark results", "", f"{machine()} {told}", ""]
    for part in (
        write_times(results),
        write_costs(results),
        write_floor(results),
        write_evidence(results),
        write_determinism(results),
    ):
        lines += [*part, ""]
    return "\n".join(lines).rstrip() + "\n"


def machine() -> str:
    """Return the cores, memory and Python that the figures hold for."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Python {platform.python_version()}."


def select(results: list[dict[str, Any]], is_cold: bool, **wanted: Any) -> list[dict[str, Any]]:
    """Return the results with the values wanted, cold or warm ones."""
    chosen = [one for one in results if one["is_cold"] == is_cold]
    return [one for one in chosen if all(one[name] == value for name, value in wanted.items())]


def write_times(results: list[dict[str, Any]]) -> list[str]:
    """Return the section of times."""
    lines = [
        "| table | K | cores | contender | runs | seconds | spread | cold | cold CPU | peak GiB | times as long as fused |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    timed = [one for one in results if one["contender"] not in ("floor", "evidence", "determinism")]
    places = ("kind", "features", "rows")
    keys = sorted({(*(one["table"][name] for name in places), one["k_max"], -one["cores"], one["contender"]) for one in timed})
    for kind, features, rows, k_max, minus_cores, contender in keys:
        table = asdict(Table(kind, rows, features))
        same: dict[str, Any] = {"table": table, "k_max": k_max, "cores": -minus_cores}
        mine = [one for is_cold in (False, True) for one in select(results, is_cold, contender=contender, **same)]
        warm = [one["seconds"] for one in mine if not one["is_cold"]]
        cold, cpu = ([one[name] for one in mine if one["is_cold"]] for name in ("process", "cpu_seconds"))
        fused = [one["seconds"] for one in select(results, False, contender="fused", **same)]
        ratio = f"{statistics.median(warm) / statistics.median(fused):.1f}" if warm and fused else ""
        lines.append(
            f"| {kind}, {rows:,} x {features} | 2..{k_max} | {-minus_cores} | {contender} | {len(warm)} | {median_of(warm)} | "
            f"{f'{min(warm):.1f} to {max(warm):.1f}' if warm else ''} | {median_of(cold)} | {median_of(cpu)} | "
            f"{max(one['peak_bytes'] for one in mine) / 2**30:.1f} | {ratio} |"
        )
    return lines


def median_of(seconds: list[float]) -> str:
    """Return the median with its spread."""
    return f"{statistics.median(seconds):.1f}" if seconds else ""


def write_costs(results: list[dict[str, Any]]) -> list[str]:
    """WSSSE of fused against each other contender: per cent more (+) or less (-), by K."""
    lines = ["WSSSE of fused against the others' on the same table, per cent (more than nought is worse):", ""]
    lines += ["| table | against | " + " | ".join(f"K = {k}" for k in range(2, 13)) + " |", "|---" * 13 + "|"]
    whole = [one for one in results if one["k_max"] == 12 and one["cores"] == 2]
    fused = {json.dumps(one["table"]): one["found"] for one in whole if one["contender"] == "fused"}
    seen = set()
    for one in whole:
        key = (one["contender"], json.dumps(one["table"]))
        if one["contender"] not in ("tutorial", "mllib", *IN_MEMORY) or key in seen or key[1] not in fused:
            continue
        seen.add(key)
        ours = fused[key[1]]
        cells = [f"{(ours[k]['wssse'] / one['found'][k]['wssse'] - 1) * 100:+.3f}" for k in map(str, range(2, 13))]
        lines.append(f"| {Table(**one['table']).title} | {one['contender']} | " + " | ".join(cells) + " |")
    return lines


def write_floor(results: list[dict[str, Any]]) -> list[str]:
    """Return the section of what cannot be had for less."""
    lines = []
    for title, some in itertools.groupby((one for one in results if one["contender"] == "floor"), lambda one: one["table"]):
        found = [one["found"] for one in some]
        read, product = (statistics.median(one[name] for one in found) for name in ("read", "product"))
        lines.append(
            f"Floor, {Table(**title).title}: Spark reads every column once in {read:.2f} s; numpy multiplies every row by the "
            f"77 centres of K = 2..12 once in {product:.2f} s on one core."
        )
    return lines


def write_evidence(results: list[dict[str, Any]]) -> list[str]:
    """Return the section of what the evidence costs."""
    lines = []
    for title, some in itertools.groupby((one for one in results if one["contender"] == "evidence"), lambda one: one["table"]):
        found = [one["found"] for one in some]
        grid, sample, refits = (statistics.median(one[name] for one in found) for name in ("grid", "sample", "refits"))
        lines.append(
            f"Evidence, {Table(**title).title}: the grid {grid:.1f} s; a sample {sample:.1f} s, and on it 20 refits on resampled "
            f"customers and 5 permuted tables of every K {refits:.1f} s."
        )
    return lines


def write_determinism(results: list[dict[str, Any]]) -> list[str]:
    """Return the section of whether partitions change anything."""
    runs = {
        (one["cores"], partitions): found
        for one in results
        if one["contender"] == "determinism"
        for partitions, found in one["found"].items()
    }
    if not runs:
        return []
    first = next(iter(runs.values()))
    labels = {found["labels"] for found in runs.values()}
    apart = max(abs(a - b) for found in runs.values() for a, b in zip(found["centers"], first["centers"], strict=True))
    where = ", ".join(f"{partitions} on {cores} core{'s' if cores > 1 else ''}" for cores, partitions in runs)
    return [
        f"Fused over partitions ({where}): {len(labels)} set{'s' if len(labels) > 1 else ''} of labels over K = 2..12; "
        f"centres differ by at most {apart:.1e}."
    ]


if __name__ == "__main__":
    main()
