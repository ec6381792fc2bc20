"""Rows in = rows kept + rows set aside."""

import pytest
from conftest import first_row
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.errors import QualityError
from segmentation.ingest.customers import judge_keys
from segmentation.ingest.reasons import add_up, build_quarantine, check_counts, count_aside, is_kept, read_tally, tallies


def frame(spark: SparkSession, ids: list[tuple[str | None, int]], partitions: int = 1):  # type: ignore[no-untyped-def]
    rows = spark.createDataFrame(ids, "customer_id string, age int").repartition(partitions)
    raw = F.struct("customer_id", "age")
    return rows.select(
        "*",
        F.lit("").alias("_reasons"),
        F.lit(True).alias("_is_kept"),
        raw.alias("_raw"),
        F.xxhash64(raw).alias("_row_hash"),
        F.lit("f").alias("_source_file"),
    )


def test_each_row_is_counted_once_and_found_again(spark: SparkSession) -> None:
    judged = judge_keys(frame(spark, [("a", 1), ("a", 2), ("b", 1), (None, 3)]), key="customer_id")

    quarantine = build_quarantine(judged, source="customers", run_id="r", key=("customer_id",))
    counts = {row["outcome"]: row["aside_rows"] for row in count_aside(quarantine).collect()}
    aside = quarantine.collect()
    seen = first_row(judged.agg(*tallies(read=F.lit(True), kept=is_kept()))).asDict()

    hashes = judged.select("_row_hash").toArrow()["_row_hash"].to_numpy()

    assert add_up(hashes) == read_tally(seen, "read")
    assert (read_tally(seen, "read").rows, read_tally(seen, "kept").rows) == (4, 2)
    assert counts == {"duplicate_customer_id": 1, "missing_customer_id": 1}
    assert sorted(row["row_key"] for row in aside) == ["?", "a"]
    assert {row["raw_record"] for row in aside if row["customer_id"] is None} == {'{"age":3}'}


def test_the_row_kept_and_the_fingerprint_do_not_depend_on_order(spark: SparkSession) -> None:
    ids = [("a", 1), ("a", 2), ("b", 1), ("c", 5)]

    def judge(rows: list[tuple[str, int]], partitions: int) -> tuple[object, ...]:
        judged = judge_keys(frame(spark, rows, partitions), key="customer_id")  # type: ignore[arg-type]
        kept = sorted((row["customer_id"], row["age"]) for row in judged.where("_reasons = ''").collect())
        seen = first_row(judged.agg(*tallies(read=F.lit(True), kept=is_kept()))).asDict()
        return kept, read_tally(seen, "read").fingerprint, (read_tally(seen, "read") - read_tally(seen, "kept")).fingerprint

    assert judge(ids, 1) == judge(ids[::-1], 3)
    assert judge(ids, 1)[1:] != judge([*ids[:3], ("c", 6)], 1)[1:]
    assert judge(ids, 1)[1] != judge([*ids, ids[0]], 1)[1]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "expected at least one row, found 0 rows"),
        ({"return": 3}, "all 3 set aside: return 3"),
        ({"kept": 1, "return": 9}, "9 of 10: return 9"),
    ],
)
def test_an_empty_or_mostly_refused_source_fails(counts: dict[str, int], message: str) -> None:
    with pytest.raises(QualityError, match=message):
        check_counts(counts, source="transactions", max_set_aside_share=0.5)
