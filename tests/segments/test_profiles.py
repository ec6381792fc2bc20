"""Profiles against an oracle in pandas."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from segmentation.segments.profiles import (
    SHARES,
    build_profiles,
    read_flags,
    read_quantiles,
    read_sizes,
    summarise_levels,
    summarise_numbers,
)


def members() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"segment_id": rng.integers(0, 3, 200), "spend": rng.gamma(2, 50, 200).round(2)})
    frame["age"] = np.where(rng.random(200) < 0.2, np.nan, rng.integers(18, 80, 200))
    frame["plan"] = rng.choice(np.array(["basic", "gold", None]), 200)
    return frame


def test_statistics_equal_the_oracle(spark: SparkSession) -> None:
    frame = members()
    rows = spark.createDataFrame(frame.replace({np.nan: None}), "segment_id int, spend double, age double, plan string")

    summary = summarise_numbers(rows, numbers=["spend", "age"], revenue="spend", customers=200)
    levels = summarise_levels(rows, categories=["plan"], missing="(missing)").collect()
    found = {(s.segment_id, s.feature, s.statistic): s.value for s in build_profiles(summary, levels, numbers=["spend", "age"])}

    for segment, own in frame.groupby("segment_id"):
        for name in ("spend", "age"):
            expected = {
                "mean": own[name].mean(),
                "median": own[name].median(),
                "p10": own[name].quantile(0.1),
                "p25": own[name].quantile(0.25),
                "p75": own[name].quantile(0.75),
                "p90": own[name].quantile(0.9),
                "population_median": frame[name].median(),
                "population_mean": frame[name].mean(),
                "index": own[name].mean() / frame[name].mean() * 100,
                "z": (own[name].mean() - frame[name].mean()) / frame[name].std(ddof=0),
                "missing_share": own[name].isna().mean(),
            }
            for statistic, value in expected.items():
                assert found[(segment, name, statistic)] == pytest.approx(value, rel=1e-9), (name, statistic)
        share, overall = (own["plan"] == "gold").mean(), (frame["plan"] == "gold").mean()
        assert found[(segment, "plan=gold", "share")] == pytest.approx(share)
        assert found[(segment, "plan=gold", "index")] == pytest.approx(share / overall * 100)
        assert found[(segment, "plan=(missing)", "share")] == pytest.approx(own["plan"].isna().mean())
    sizes = read_sizes(summary)
    assert [size.customers for size in sizes] == frame.groupby("segment_id").size().tolist()
    assert float(sum(size.revenue or 0 for size in sizes)) == pytest.approx(frame.spend.sum())


def test_quantiles_and_flags_are_read_by_feature(spark: SparkSession) -> None:
    frame = pd.DataFrame({"segment_id": [0, 0, 1, 1, 1], "flag": [0.0, 1.0, 1.0, 0.0, 1.0], "count": [0.0, 0.0, 1.0, 1.0, 2.0]})
    rows = spark.createDataFrame(frame.assign(empty=None), "segment_id int, flag double, count double, empty double")
    numbers = ["flag", "count", "empty"]

    summary = summarise_numbers(rows, numbers=numbers, revenue=None, customers=5)
    everyone = next(row for row in summary if row["segment_id"] is None)

    assert read_flags(everyone, numbers=numbers) == {"flag"}
    found = read_quantiles(everyone, numbers=numbers)
    assert found.keys() == {"flag", "count"}
    assert found["count"] == pytest.approx([frame["count"].quantile(share) for share in SHARES])
