"""Made-up customers: the same whoever makes them, with the groups that were asked for."""

from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from chispa import assert_df_equality
from conftest import to_pandas
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.synthetic import HABITS, Habit, generate_archetypes, generate_mixture, generate_skewed


def test_customers_depend_on_seed_and_number_alone(spark: SparkSession) -> None:
    few = generate_mixture(spark, customers=50, features=3, shares=[1, 2], seed=4)
    many = generate_mixture(spark, customers=200, features=3, shares=[1, 2], seed=4).repartition(7)
    other = generate_mixture(spark, customers=50, features=3, shares=[1, 2], seed=5)

    assert_df_equality(few, many.where("customer_id < 'C000000050'"), ignore_row_order=True)
    assert few.select("feature_1").collect() != other.select("feature_1").collect()


def test_groups_have_the_shares_centres_and_spreads_asked_for(spark: SparkSession) -> None:
    frame = generate_mixture(
        spark, customers=20_000, features=2, shares=[6, 3, 1], seed=1, separation=9.0, spreads=[0.5, 1.0, 2.0]
    )

    rows = frame.groupBy("true_segment").agg(
        F.count(F.lit(1)), *(function(name) for name in ("feature_1", "feature_2") for function in (F.avg, F.stddev_pop))
    )
    found = np.array(sorted(tuple(row) for row in rows.collect()))

    np.testing.assert_allclose(found[:, 1] / 20_000, [0.6, 0.3, 0.1], atol=0.01)
    np.testing.assert_allclose(found[:, 3], [0.5, 1.0, 2.0], rtol=0.05)
    np.testing.assert_allclose(found[:, 5], [0.5, 1.0, 2.0], rtol=0.05)
    centers = found[:, [2, 4]]
    apart = [np.linalg.norm(centers[one] - centers[other]) for one, other in ((0, 1), (0, 2), (1, 2))]
    assert min(apart) == pytest.approx(9.0, abs=0.15)


def test_skewed_customers_are_many_small_and_few_large(spark: SparkSession) -> None:
    frame = generate_skewed(spark, customers=5000, features=6, seed=2)

    assert frame.columns[1:] == ["recency_days", "frequency_orders", "monetary_total", "tenure_days", "spend_1", "spend_2"]
    row = frame.agg(
        F.skewness("monetary_total").alias("skew"), F.corr(F.log("frequency_orders"), F.log("monetary_total")).alias("corr")
    ).first()
    assert row is not None
    assert row["skew"] > 5
    assert 0.4 < row["corr"] < 0.9


@pytest.mark.parametrize("options", [{"shares": [1, 0]}, {"shares": []}, {"shares": [1, 2], "spreads": [1.0]}])
def test_impossible_groups_are_refused(spark: SparkSession, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected, found"):
        generate_mixture(spark, customers=5, features=2, seed=1, **options)


def test_too_few_skewed_features_are_refused(spark: SparkSession) -> None:
    with pytest.raises(ValueError, match="at least 4"):
        generate_skewed(spark, customers=5, features=3, seed=1)


def test_planted_archetypes_buy_as_their_habits_say(spark: SparkSession) -> None:
    as_of = date(2025, 1, 1)
    lines = to_pandas(generate_archetypes(spark, customers=600, as_of=as_of, seed=3))

    orders = lines.groupby(["true_archetype", "customer_id", "order_id"], as_index=False).agg(
        amount=("amount", "sum"), days=("ordered_at", lambda when: (datetime(2025, 1, 1) - when.min()).total_seconds() / 86_400)
    )
    for archetype, own in orders.groupby("true_archetype"):
        habit, customers = HABITS[archetype], own.groupby("customer_id")
        assert customers.ngroups / 600 == pytest.approx(habit.share, abs=0.06)
        assert customers.size().between(*habit.orders).all()
        assert own["days"].between(0, habit.first_days_ago[1]).all()
        several = customers.filter(lambda one: len(one) > 1).groupby("customer_id")["days"]
        assert several.min().between(habit.last_days_ago[0] - 0.01, habit.last_days_ago[1] + 0.01).all()
        assert float(own["amount"].astype(float).median()) == pytest.approx(habit.basket, rel=0.15)
    assert lines.groupby("order_id").size().isin([1, 2]).all()
    assert lines["ordered_at"].max() < datetime(2025, 1, 1)


def test_planted_customers_depend_on_seed_and_number_alone(spark: SparkSession) -> None:
    as_of = date(2025, 1, 1)
    few = generate_archetypes(spark, customers=20, as_of=as_of, seed=4)
    many = generate_archetypes(spark, customers=60, as_of=as_of, seed=4).repartition(5)
    other = generate_archetypes(spark, customers=20, as_of=as_of, seed=5)

    assert_df_equality(few, many.where("customer_id < 'C000000020'"), ignore_row_order=True)
    assert few.select("amount").collect() != other.select("amount").collect()


@pytest.mark.parametrize("habits", [{}, {"lapsed": Habit(0.0, (1, 1), (1.0, 2.0), (1.0, 2.0), 5.0)}])
def test_habits_without_a_share_are_refused(spark: SparkSession, habits: dict[str, Habit]) -> None:
    with pytest.raises(ValueError, match="positive shares are expected"):
        generate_archetypes(spark, customers=5, as_of=date(2025, 1, 1), seed=1, habits=habits)
