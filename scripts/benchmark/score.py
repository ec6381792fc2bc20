"""What placing a million customers costs beside the full run that trained the model: prints the tables of SCORE.md.

The run trains on the sources as they are and is promoted. The same customers are then scored by ``segmentation score``, which
reads the sources anew or takes their rows over, and their features by ``segmentation stream`` and by the printed query in DuckDB.
Every command is a cold process; Spark's event log is on.
"""

import argparse
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import deltalake
from benchmark import machine
from measuring import Cost, adopt_orphans, measure
from whole_job_data import LINES_PER_CUSTOMER, make_customer_table, make_lines

HERE = Path(__file__).parent
SOURCES = {
    "table": "a row per customer (Parquet)",
    "lines": f"purchase lines (Parquet), {LINES_PER_CUSTOMER} a customer",
}
WAYS = {
    "full": "`segmentation run`, K 2..8",
    "score": "`segmentation score --from none`: sources read anew, all tables but the model's, drift, report",
    "taken": "`segmentation score`, which takes rows and features over from the run",
    "stream": "`segmentation stream` of a Delta table of features",
    "query": "the query of `segmentation sql` in DuckDB, from the same table to Parquet",
}
_QUERY = """
import sys, duckdb, deltalake
from pathlib import Path
query, source, target = sys.argv[1:]
features = deltalake.DeltaTable(source).to_pyarrow_dataset()
duckdb.sql(f"COPY ({Path(query).read_text().strip().rstrip(';')}) TO '{target}' (FORMAT parquet)")
"""
STAGES = ("ingest", "features", "grid", "assign", "segments", "advice", "publish", "report")


@dataclass(frozen=True)
class Measured:
    """A command's cost, and the CPU seconds in the driver's Python and in Spark's tasks of each of its stages."""

    cost: Cost
    stages: Mapping[str, tuple[float, float]]


def main() -> None:
    """Measure the sources asked for, and print and write the tables."""
    asked = parse()
    folder = Path(asked.folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    parts = [write_title(asked.customers)]
    for name in asked.only:
        make = make_customer_table if name == "table" else make_lines
        config = make(folder, asked.customers * (1 if name == "table" else LINES_PER_CUSTOMER))
        parts.append(write_tables(name, compare(folder, config)))
        Path(asked.out).write_text("\n\n".join(parts) + "\n")
        print(parts[-1], file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--only", type=lambda names: names.split(","), default=list(SOURCES), help="table, lines or both")
    parser.add_argument("--folder", default=str(HERE / "data"), help="where sources, warehouses and logs go")
    parser.add_argument("--out", default=str(HERE / "SCORE.md"), help="where the tables go")
    return parser.parse_args()


def compare(folder: Path, config: Path) -> dict[str, Measured]:
    """Return what a full run costs, and each way to place the same customers with its model."""
    warehouse = folder / "warehouses" / f"score_{config.stem}"
    shutil.rmtree(warehouse, ignore_errors=True)
    common = ["--config", str(config), "--warehouse", str(warehouse)]
    full = carry_out(["run", *common, "--run-id", "full"], folder, warehouse)
    carry_out(["promote", *common, "--run-id", "full"], folder, warehouse)
    found = {"full": full, "score": carry_out(["score", *common, "--from", "none", "--run-id", "score"], folder, warehouse)}
    found["taken"] = carry_out(["score", *common, "--run-id", "taken"], folder, warehouse)
    features = copy_features(warehouse)
    words = ["stream", *common, "--source", features, "--checkpoint", f"{warehouse}/checkpoint"]
    found["stream"] = carry_out(words, folder, warehouse)
    query = ["-c", _QUERY, str(warehouse / "models/full/score.sql"), features, str(warehouse / "scored.parquet")]
    return found | {"query": Measured(measured([sys.executable, *query], folder, "query"), {})}


def copy_features(warehouse: Path) -> str:
    """Write the full run's features as a Delta table of their own, as another job would keep them, and return its place."""
    rows = deltalake.DeltaTable(str(warehouse / "features")).to_pyarrow_table(filters=[("run_id", "=", "full")])
    place = str(warehouse / "features_of_others")
    deltalake.write_deltalake(place, rows.drop_columns(["run_id", "as_of"]))
    return place


def measured(command: list[str], folder: Path, name: str) -> Cost:
    """Run a command and return what it cost."""
    log = folder / f"score_{name}.log"
    exit_code, cost = measure(command, folder=folder, log=log)
    if exit_code != 0:
        raise SystemExit(f"{name}: failed with exit code {exit_code}, see {log}")
    return cost


def carry_out(words: list[str], folder: Path, warehouse: Path) -> Measured:
    """Run a command and return what it took."""
    cost = measured([str(Path(sys.executable).with_name("segmentation")), *words], folder, words[0])
    table = deltalake.DeltaTable(str(warehouse / "run_metrics")).to_pyarrow_table()
    rows = [row for row in table.to_pylist() if row["run_id"] == words[-1]]
    return Measured(cost, {row["stage"]: (row["driver_cpu_seconds"], row["executor_cpu_seconds"] or 0.0) for row in rows})


def write_title(customers: int) -> str:
    """Return the head of the page."""
    return (
        f"# What placing {customers:,} customers costs\n\n{machine()} Each row is a cold process, run once. *CPU s* are of "
        "all its descendants. Written by `scripts/benchmark/score.py`."
    )


def write_tables(name: str, found: Mapping[str, Measured]) -> str:
    """Return the tables of a source: the ways, and the stages of a run and of both scores."""
    full = found["full"]
    compared = [full, found["score"], found["taken"]]
    lines = [
        f"## {SOURCES[name]}",
        "",
        "| | CPU s | of the full run | wall s | Spark jobs | peak GiB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for way, title in WAYS.items():
        cost = found[way].cost
        share = cost.cpu_seconds / full.cost.cpu_seconds
        figures = f"{cost.wall_seconds:.0f} | {cost.jobs:.0f} | {cost.peak_bytes / 2**30:.1f}"
        lines.append(f"| {title} | {cost.cpu_seconds:.1f} | {share:.2f} | {figures} |")
    title = "| CPU s by stage, in the driver's Python and in tasks | full run | score, read anew | score, taken over |"
    lines += ["", title, "|---|--:|--:|--:|"]
    by_stage = {stage: [sum(one.stages.get(stage, (0.0, 0.0))) for one in compared] for stage in STAGES}
    lines += [f"| {stage} | {' | '.join(f'{one:.1f}' for one in parts)} |" for stage, parts in by_stage.items()]
    rest = [one.cost.cpu_seconds - sum(parts) for one, parts in zip(compared, zip(*by_stage.values(), strict=True), strict=True)]
    lines.append(
        f"| the rest: starting, compiling and planning, collecting garbage | {' | '.join(f'{one:.1f}' for one in rest)} |"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
