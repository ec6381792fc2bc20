"""Money and numbers in this process are what Spark's casts make of them."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.errors import QualityError
from segmentation.money import ARROW_MONEY, as_money, paid_by, to_doubles, to_money


def test_doubles_become_money_as_in_spark(spark: SparkSession) -> None:
    rng = np.random.default_rng(1)
    cents = [np.round(rng.uniform(10.0**size, 10.0 ** (size + 1), 300), 2) for size in range(-3, 14)]
    amounts = [*np.concatenate(cents).tolist(), 8716638489.29, 673265518589.31, 5e-7, -5e-7, 1.0000005, -0.0, 1e13, 9e21, None]
    table = pa.table({"spend": pa.array([*amounts, *(-one for one in amounts[:-1])])})

    by_spark = spark.createDataFrame(table).select(as_money("spend").alias("money")).toArrow()["money"]

    assert to_money(table["spend"]).to_pylist() == by_spark.to_pylist()
    assert to_money(pa.chunked_array([[float("nan"), 1.5]])).to_pylist() == [None, Decimal("1.500000")]
    assert paid_by(table, "other").null_count == len(table)


def test_money_beyond_its_digits_is_one_line() -> None:
    with pytest.raises(QualityError, match=r"revenue: expected amounts below 1e\+22 of each customer, found 1e\+22"):
        to_money(pa.chunked_array([[1.0, 1e22]]))


@pytest.mark.parametrize("chunks", [1, 3])
def test_decimals_become_the_nearest_double_as_in_spark(spark: SparkSession, chunks: int) -> None:
    rng = np.random.default_rng(2)
    whole = [int(one) for size in range(1, 19) for one in rng.integers(0, 10**size, 100)]
    values = [
        None,
        *(Decimal(one * sign).scaleb(-6) for one in whole for sign in (1, -1)),
        Decimal("9" * 22),
        Decimal("33.766938"),
    ]
    parts = [pa.array(part, ARROW_MONEY) for part in np.array_split(np.array(values, dtype=object), chunks)]
    table = pa.table({"spend": pa.chunked_array(parts)})

    by_spark = spark.createDataFrame(table).select(F.col("spend").cast("double").alias("x")).toArrow()["x"]

    np.testing.assert_array_equal(to_doubles(table["spend"]), by_spark.to_numpy())
    np.testing.assert_array_equal(to_doubles(table["spend"].slice(3, 50)), by_spark.to_numpy()[3:53])
