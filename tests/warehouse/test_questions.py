"""What is asked of assignments in SQL is what a plain count says, by both writers."""

import math
import random
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from segmentation.tables import ASSIGNMENTS
from segmentation.warehouse.arrow_store import ArrowStore
from segmentation.warehouse.layout import arrow_schema
from segmentation.warehouse.questions import count_members, find_limits, find_nearest
from segmentation.warehouse.spark_store import SparkStore

SHARE = 0.9


def test_sizes_limits_and_the_nearest_are_those_of_a_plain_count(jvm: SparkSession, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    # Distances come several times over; segment 2 has a single customer, and another run has customers too.
    rng, path = random.Random(1), str(tmp_path_factory.mktemp("questions"))
    empty = dict.fromkeys(one.name for one in ASSIGNMENTS.columns)
    known = {"run_id": "r", "segment_key": "S0001", "since_runs": 1}
    segments = [0] * 70 + [1] * 31 + [2]
    rows = [
        empty | known | {"customer_id": f"c{number:03d}", "segment_id": segment, "distance": rng.randint(0, 12) / 4}
        for number, segment in enumerate(segments)
    ]
    store = ArrowStore(path)
    for run_id in ("r", "other"):
        own_rows = [row | {"run_id": run_id} for row in rows]
        store.replace(pa.Table.from_pylist(own_rows, arrow_schema(ASSIGNMENTS)), ASSIGNMENTS, run_id)
    own: dict[Any, list[Any]] = {0: [], 1: [], 2: []}
    for row in sorted(rows, key=lambda row: (row["distance"], row["customer_id"])):
        own[row["segment_id"]].append((row["distance"], row["customer_id"]))
    nearest = [(segment, place, one) for segment in own for place, one in enumerate(own[segment][:5], start=1)]
    limits = {segment: found[math.ceil(SHARE * len(found)) - 1][0] for segment, found in own.items()}

    for asked in (store, SparkStore(jvm, path, None)):
        assert count_members(asked, "r") == (102, {0: 70, 1: 31, 2: 1})
        assert find_limits(asked, "r", share=SHARE) == limits
        found = find_nearest(asked, "r", per_segment=5)
        assert [(row["segment_id"], row["place"], (row["distance"], row["customer_id"])) for row in found] == nearest
    assert find_nearest(store, "nobody", per_segment=5) == []
