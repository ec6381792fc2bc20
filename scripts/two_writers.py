"""Two writers append to one Delta table at once, without the warehouse's lock: which commits are lost.

``python scripts/two_writers.py s3a://bucket/trial spark spark`` (or ``delta-rs``). Each writer appends rows one at a time, a
commit each, and counts those that it was told are written; then the table is read. Nothing may lie at the place before.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from segmentation.faults import is_of_spark


def by_delta_rs(place: str, name: str) -> Callable[[int], None]:
    """Return what appends a row by delta-rs."""
    return lambda number: write_deltalake(place, pa.table({"writer": [name], "number": [number]}), mode="append")


def by_spark(place: str, name: str) -> Callable[[int], None]:
    """Return what appends a row by a Spark driver of its own."""
    from segmentation.warehouse.session import TINY_BYTES, open_session

    spark, _ = open_session(source_bytes=TINY_BYTES, places=[place])

    def append(number: int) -> None:
        rows = spark.sql(f"SELECT '{name}' AS writer, CAST({number} AS bigint) AS number")
        rows.coalesce(1).write.format("delta").mode("append").save(place)

    append(-1)  # the first commit of a session takes seconds, in which the other would be done
    return append


WRITERS = {"spark": by_spark, "delta-rs": by_delta_rs}


def write(place: str, kind: str, name: str, commits: int) -> None:
    """Append when told to, and print what was said to be written, and what was refused."""
    append = WRITERS[kind](place, name)
    print("ready", flush=True)
    sys.stdin.readline()
    told: Counter[str] = Counter()
    for number in range(commits):
        try:
            append(number)
            told["written"] += 1
        except Exception as error:
            if not (is_of_spark(error) or isinstance(error, DeltaError | OSError)):
                raise
            told["refused"] += 1
    print(json.dumps(told), flush=True)


def compare(place: str, kinds: list[str], commits: int) -> None:
    """Let two writers loose, and print what they were told and what is there."""
    write_deltalake(place, pa.table({"writer": ["nobody"], "number": [0]}))
    command = [sys.executable, __file__, place, "--commits", str(commits)]
    writers = [
        subprocess.Popen([*command, kind, "--name", f"{number} {kind}"], stdin=-1, stdout=-1, text=True)
        for number, kind in enumerate(kinds)
    ]
    for one in writers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    answers = [json.loads(one.communicate()[0]) for one in writers]
    rows = DeltaTable(place).to_pyarrow_table().to_pylist()
    kept = Counter(row["writer"] for row in rows if row["number"] >= 0)
    for number, (kind, told) in enumerate(zip(kinds, answers, strict=True)):
        name = f"{number} {kind}"
        lost = told.get("written", 0) - kept[name]
        print(f"{name:12} told written {told.get('written', 0):3}, refused {told.get('refused', 0):3}, lost {lost:3}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place")
    parser.add_argument("writers", nargs="+", choices=list(WRITERS))
    parser.add_argument("--commits", type=int, default=20)
    parser.add_argument("--name", help="of the one writer to be; without it two are started")
    options = parser.parse_args()
    if options.name:
        write(options.place, options.writers[0], options.name, options.commits)
    else:
        compare(options.place, options.writers, options.commits)
