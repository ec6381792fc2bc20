"""Customers without orders have the same features and the same counts in this process as by Spark."""

import random
import string
from datetime import date

import pyarrow as pa
import pytest
from conftest import first_row
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.features.checks import can_differ_by_case, observed
from segmentation.features.here import list_features, observe_here
from segmentation.features.orders import build_features
from segmentation.tables import DOUBLE, FEATURES, STRING, Column

ATTRIBUTES = (Column("age", DOUBLE, "years"), Column("region", STRING, "text"), Column("visits", DOUBLE, "a week"))
LETTERS = string.ascii_letters + string.digits + "-_éÉßẞİıſΣςσǅﬁ中🙂\u0345"


def make_customers(ids: list[str]) -> pa.Table:
    """Return customers of one age, some of no region, none with visits."""
    rows = [
        {"run_id": "r", "customer_id": one, "age": 30.0, "region": [None, "north"][len(one) % 2], "visits": None} for one in ids
    ]
    schema = [("run_id", pa.string()), ("customer_id", pa.string()), ("age", pa.float64()), ("region", pa.string())]
    return pa.Table.from_pylist(rows, pa.schema([*schema, ("visits", pa.float64())]))


def draw_ids(seed: int, letters: str) -> list[str]:
    """Return different ids of few letters, so that some equal another but for capitals."""
    rng = random.Random(seed)
    return sorted({"".join(rng.choices(letters, k=rng.randint(1, 2))) for _ in range(300)} | {"NULL", "n/a", "Total"})


@pytest.mark.parametrize("as_of", [date(2024, 8, 1), None])
def test_the_features_are_those_of_spark(spark: SparkSession, as_of: date | None) -> None:
    customers = make_customers(["b", "a", "ab"])
    table = FEATURES.widened(ATTRIBUTES)
    frame = spark.createDataFrame(customers)

    expected = build_features(None, frame, table, run_id="r", as_of=as_of).toArrow()
    found = list_features(customers, table, as_of=as_of)

    assert found.to_pylist() == expected.to_pylist()
    assert found.schema.names == [one.name for one in table.columns]


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        (draw_ids(1, LETTERS), ["age", "visits"]),
        (draw_ids(2, string.ascii_letters), ["age"]),
        (draw_ids(3, string.ascii_lowercase), []),
        (["1", "2"], ["visits"]),
    ],
    ids=["any letters", "ASCII", "no capitals", "digits"],
)
@pytest.mark.parametrize("has_orders", [True, False])
def test_the_counts_are_those_of_spark(spark: SparkSession, ids: list[str], numbers: list[str], has_orders: bool) -> None:
    features = list_features(make_customers(ids), FEATURES.widened(ATTRIBUTES), as_of=None)
    if has_orders:  # of every second customer
        days = pa.array([None if place % 2 else place + 3 for place in range(len(ids))], pa.int32())
        for name in ("recency_days", "tenure_days"):
            features = features.set_column(features.column_names.index(name), name, days)
    frame = spark.createDataFrame(features)
    expected = first_row(frame.agg(*observed(has_orders=has_orders, numbers=numbers))).asDict()
    folded = first_row(frame.agg(F.count_distinct(F.lower("customer_id")))) if can_differ_by_case(expected) else [len(ids)]

    seen, beyond = observe_here(features, numbers=numbers, has_orders=has_orders)

    assert seen == expected | {"folded": folded[0]}
    assert beyond == [one for one in ids if not one.isascii()]
