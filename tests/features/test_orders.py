"""Features against an oracle in pandas."""

import hashlib
import re
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from conftest import to_pandas
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from segmentation.catalogue import BY_NAME
from segmentation.features.orders import build_features, build_order_features, name_shares, rank_categories
from segmentation.frames import spark_schema
from segmentation.tables import CUSTOMERS, DOUBLE, FEATURES, STRING, TRANSACTIONS, Column

AS_OF = date(2020, 7, 1)


def make_lines(seed: int, rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, 25, rows)
    order = customer * 100 + rng.integers(0, 6, rows)
    start = pd.Timestamp("2020-01-01")
    frame = pd.DataFrame({"customer_id": customer.astype(str), "order_id": order.astype(str)})
    frame["ordered_at"] = [start + pd.Timedelta(hours=int(o * 7919 % 4300)) for o in order]
    frame["category"] = rng.choice(np.array(["Fresh Food", "Fuel", None]), rows)
    frame["is_return"] = rng.random(rows) < 0.1
    frame["quantity"] = np.where(frame.category == "Fuel", 9000, rng.integers(1, 5, rows)) * np.where(frame.is_return, -1, 1)
    frame["amount"] = np.round(rng.gamma(2, 10, rows), 2) * np.where(frame.is_return, -1, 1)
    frame["discount"] = np.where(frame.is_return, 0, np.round(rng.random(rows), 2))
    return frame


def to_spark(spark: SparkSession, lines: pd.DataFrame):  # type: ignore[no-untyped-def]
    def money(value: float) -> Decimal:
        return Decimal(str(round(value, 6)))

    rows = [
        ("r", r.customer_id, r.order_id, r.ordered_at.to_pydatetime(), None, r.category, money(r.quantity), None,
         money(r.amount), money(r.discount), bool(r.is_return))
        for r in lines.itertuples()
    ]  # fmt: skip
    return spark.createDataFrame(rows, spark_schema(TRANSACTIONS))


def oracle(lines: pd.DataFrame) -> pd.DataFrame:
    bought = lines[~lines.is_return]
    by, all_by = bought.groupby("customer_id"), lines.groupby("customer_id")
    days = bought.ordered_at.dt.normalize().groupby(bought.customer_id)
    first, last, orders = days.min(), days.max(), by.order_id.nunique()
    spend = all_by.amount.sum()
    items = bought.assign(items=np.where(bought.quantity > 100, 1, bought.quantity)).groupby("customer_id")["items"].sum()
    found = pd.DataFrame(
        {
            "recency_days": (pd.Timestamp(AS_OF) - last).dt.days,
            "frequency_orders": orders,
            "monetary_total": spend,
            "tenure_days": (pd.Timestamp(AS_OF) - first).dt.days,
            "average_order_value": spend / orders,
            "days_between_orders": (last - first).dt.days / (orders - 1).where(orders > 1),
            "items_per_order": items / orders,
            "return_rate": all_by.is_return.mean(),
            "discount_share": by.discount.sum() / (by.amount.sum() + by.discount.sum()),
            "category_share_fuel": (lines[lines.category == "Fuel"].groupby("customer_id").amount.sum() / spend)
            .fillna(0)
            .clip(0, 1),
        }
    )
    return found.sort_index().astype(float)


@pytest.mark.parametrize("seed", [1, 2])
def test_order_features_equal_the_oracle(spark: SparkSession, seed: int) -> None:
    lines = make_lines(seed)

    features = build_order_features(to_spark(spark, lines), as_of=AS_OF, max_quantity=100, categories=name_shares(["Fuel"]))

    found = to_pandas(features).set_index("customer_id").sort_index().astype(float)
    expected = oracle(lines).reindex(found.index)
    assert set(expected.columns) >= set(BY_NAME)
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_names=False, rtol=1e-9)


def test_nothing_on_or_after_the_day_is_seen(spark: SparkSession) -> None:
    lines = make_lines(3)
    later = lines.assign(ordered_at=pd.Timestamp(AS_OF), amount=1e6)

    def features(frame: pd.DataFrame) -> list[T.Row]:
        built = build_order_features(to_spark(spark, frame), as_of=AS_OF, max_quantity=None, categories={})
        return built.orderBy("customer_id").collect()

    assert features(pd.concat([lines, later])) == features(lines)


def test_customers_without_orders_have_nothing_but_zeros_where_zero_is_true(spark: SparkSession) -> None:
    rows = [("r", "1", "1", datetime(2020, 6, 30, 12), None, None, Decimal(2), None, Decimal(5), Decimal(0), False)]
    attributes = (Column("age", DOUBLE, "years"), Column("town", STRING, "town"))
    customers = spark.createDataFrame(
        [("r", "1", 30.0, "A"), ("r", "2", 40.0, None)], spark_schema(CUSTOMERS.widened(attributes))
    )
    orders = build_order_features(
        spark.createDataFrame(rows, spark_schema(TRANSACTIONS)), as_of=AS_OF, max_quantity=None, categories={}
    )

    features = build_features(orders, customers, FEATURES.widened(attributes), run_id="r", as_of=AS_OF)

    found = {row["customer_id"]: row for row in features.collect()}
    assert (found["1"]["recency_days"], found["1"]["frequency_orders"], found["1"]["age"]) == (1, 1, 30.0)
    assert (found["2"]["recency_days"], found["2"]["frequency_orders"], found["2"]["monetary_total"]) == (None, 0, 0)


def test_categories_are_ranked_by_amount(spark: SparkSession) -> None:
    lines = make_lines(4).assign(is_return=False, amount=lambda f: f.amount.abs())

    top = [row["category"] for row in rank_categories(to_spark(spark, lines), top=1).collect()]

    assert top == [lines.groupby("category").amount.sum().idxmax()]


# category                        -> column
@pytest.mark.parametrize(
    ("category", "column"),
    [
        ("MEAT-PCKGD & Co.", "category_share_meat_pckgd_co"),
        ("Детские товары", "category_share_00000000"),
        ("Café au lait", "category_share_caf_au_lait_00000000"),
        ("&", "category_share_00000000"),
        ("a" * 80, "category_share_" + "a" * 39 + "_00000000"),
    ],
)
def test_a_category_gets_a_plain_column_or_one_with_its_hash(category: str, column: str) -> None:
    mark = hashlib.sha256(category.encode()).hexdigest()[:8]

    assert list(name_shares([category])) == [re.sub("[0-9a-f]{8}$", mark, column) if column[-1].isdigit() else column]
    assert all(re.fullmatch("[a-z][a-z0-9_]{0,62}", name) for name in name_shares([category]))


def test_categories_cannot_clash_and_keep_their_column_whatever_their_order() -> None:
    categories = ["Home & Garden", "home-garden", "игрушки", "книги", "玩具", "Toys"]

    columns = name_shares(categories)

    assert list(columns.values()) == categories
    assert name_shares(categories[::-1]) == columns
    assert columns["category_share_toys"] == "Toys"
