"""Profiles and names against an oracle in pandas."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from segmentation.naming import Trait, describe_segment, name_segments
from segmentation.profiles import build_profiles, read_sizes, summarise_levels, summarise_numbers


def members() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"segment_id": rng.integers(0, 3, 200), "spend": rng.gamma(2, 50, 200).round(2)})
    frame["age"] = np.where(rng.random(200) < 0.2, np.nan, rng.integers(18, 80, 200))
    frame["plan"] = rng.choice(["basic", "gold", None], 200)
    return frame


def test_statistics_equal_the_oracle(spark: SparkSession) -> None:
    frame = members()
    rows = spark.createDataFrame(frame.replace({np.nan: None}), "segment_id int, spend double, age double, plan string")

    summary = summarise_numbers(rows, numbers=["spend", "age"], revenue="spend", customers=200).collect()
    levels = summarise_levels(rows, categories=["plan"], missing="(missing)").collect()
    found = {(s.segment_id, s.feature, s.statistic): s.value for s in build_profiles(summary, levels, numbers=["spend", "age"])}

    for segment, own in frame.groupby("segment_id"):
        for name in ("spend", "age"):
            expected = {
                "mean": own[name].mean(),
                "median": own[name].median(),
                "p10": own[name].quantile(0.1),
                "p90": own[name].quantile(0.9),
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


def test_names_are_unique_and_say_the_strongest_traits_first() -> None:
    spender = [Trait("monetary_total", 900, 100, 2.0), Trait("recency_days", 5, 50, -1.0), Trait("tenure_days", 9, 9, 0.0)]
    lapsed = [Trait("recency_days", 200, 50, 1.5), Trait("plan=gold", 0.1, 0.5, -0.8), Trait("plan=basic", 0.9, 0.5, 0.8)]
    twin = [*spender[:2], Trait("frequency_orders", 1, 5, -0.5)]
    dull = [Trait("recency_days", 49, 50, -0.01)]

    names = name_segments({0: spender, 1: lapsed, 2: twin, 3: dull, 4: dull})

    assert names[0] == "High spend, recently active"
    assert names[1] == "Long absent, more plan basic"
    assert names[2] == "High spend, recently active, few orders"
    assert len(set(names.values())) == 5
    assert describe_segment(spender) == "monetary total 900 (all 100); recency days 5.00 (all 50.0)"
    assert describe_segment(dull) == "close to the average customer"
