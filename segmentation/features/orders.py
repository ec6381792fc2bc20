"""Transactions and customers in, one row of features per customer out."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation import catalogue
from segmentation.frames import conform
from segmentation.money import millionths, total
from segmentation.tables import Table

_LONGEST_NAME = 63


def name_shares(categories: Sequence[str]) -> dict[str, str]:
    """Return a column for the share of each category: ``category_share_`` and the category as a snake_case ASCII slug.

    Where the slug is empty, too long, lacks a letter or digit of the category, or is that of another of ``categories`` too, it
    bears the first eight digits of the category's SHA-256. The order of the categories changes no column.

    Returns
    -------
    dict
        Category by column, in order.
    """
    slugs = {category: catalogue.slug_of(category) for category in categories}
    longest = _LONGEST_NAME - len(catalogue.SHARE_PREFIX)
    columns = {}
    for category, slug in slugs.items():
        loses = any(letter.isalnum() and not letter.isascii() for letter in category)
        if loses or not slug or len(slug) > longest or list(slugs.values()).count(slug) > 1:
            mark = hashlib.sha256(category.encode()).hexdigest()[:8]
            slug = "_".join(filter(None, (slug[: longest - 9].strip("_"), mark)))
        columns[catalogue.SHARE_PREFIX + slug] = category
    return columns


def build_order_features(
    transactions: DataFrame, *, as_of: date, max_quantity: float | None, categories: Mapping[str, str]
) -> DataFrame:
    """Summarise each customer's orders before ``as_of``.

    Parameters
    ----------
    transactions : DataFrame of ``tables.TRANSACTIONS``
    as_of : date
        First day *not* seen: ``recency_days`` is ``as_of`` minus the day of the last order.
    max_quantity : float, units
        A line with more is a measured good and counts as one item; None counts all units.
    categories : ``category`` by column, of ``name_shares``
        The columns hold net spend on it / net spend, 0 to 1.

    Returns
    -------
    DataFrame
        The order features of ``tables.FEATURES`` and the shares, one row per customer with a line.
        Orders made of returns alone do not count as orders; their amounts count.
    """
    transactions = transactions.where(F.col("ordered_at") < F.lit(as_of).cast("timestamp"))
    bought = ~F.col("is_return")
    units = F.greatest(millionths(F.col("quantity")), F.lit(0))
    is_measured = F.col("quantity") > max_quantity if max_quantity is not None else F.lit(False)
    items = F.when(is_measured, 1_000_000).otherwise(units)
    orders = transactions.groupBy("customer_id", "order_id").agg(
        F.min(F.when(bought, F.to_date("ordered_at"))).alias("first_day"),
        F.max(F.when(bought, F.to_date("ordered_at"))).alias("last_day"),
        F.sum(millionths(F.col("amount"))).alias("amount"),
        F.sum(F.when(bought, millionths(F.col("amount")))).alias("paid"),
        F.sum(F.when(bought, millionths(F.col("discount")))).alias("discount"),
        F.sum(F.when(bought, items)).alias("items"),
        F.count(F.lit(1)).alias("lines"),
        F.count_if(~bought).alias("return_lines"),
        *(
            F.sum(F.when(F.col("category") == category, millionths(F.col("amount")))).alias(f"spend_{number}")
            for number, category in enumerate(categories.values())
        ),
    )
    spends = [f"spend_{number}" for number in range(len(categories))]
    customers = orders.groupBy("customer_id").agg(
        F.min("first_day").alias("first_day"),
        F.max("last_day").alias("last_day"),
        F.count("first_day").alias("orders"),
        *(F.sum(name).alias(name) for name in ("lines", "return_lines")),
        *(total(F.col(name)).alias(name) for name in ("amount", "paid", "discount", "items", *spends)),
    )
    known = customers.withColumn("as_of", F.lit(as_of))
    found = (F.expr(one.expression).cast(one.type).alias(one.name) for one in catalogue.FEATURES)
    return known.select("customer_id", *found, *_share_columns(list(categories)))


def _share_columns(columns: Sequence[str]) -> list[Column]:
    share = [
        F.try_divide(F.coalesce(F.col(f"spend_{number}"), F.lit(0)).cast("double"), F.col("amount").cast("double"))
        for number in range(len(columns))
    ]
    return [
        F.greatest(F.least(value, F.lit(1.0)), F.lit(0.0)).alias(column) for value, column in zip(share, columns, strict=True)
    ]


def rank_categories(transactions: DataFrame, *, top: int) -> DataFrame:
    """Return the ``top`` categories by amount, largest first, names breaking ties."""
    spend = transactions.where(F.col("category").isNotNull()).groupBy("category").agg(F.sum("amount").alias("amount"))
    return spend.orderBy(F.desc("amount"), "category").limit(top)


def build_features(
    order_features: DataFrame | None, customers: DataFrame | None, table: Table, *, run_id: str, as_of: date | None
) -> DataFrame:
    """Bring order features and customer attributes together.

    Parameters
    ----------
    order_features : DataFrame of ``build_order_features``, customer_id unique
    customers : DataFrame of ``tables.CUSTOMERS``, customer_id unique
    table : Table
        ``tables.FEATURES`` with the attributes and shares appended.

    Returns
    -------
    DataFrame of ``table``
        A customer without orders has 0 orders and 0 spend, and null for what only orders can tell.
    """
    if order_features is None:
        if customers is None:
            raise ValueError("order_features or customers is needed")
        joined = customers
    elif customers is None:
        joined = order_features
    else:
        joined = order_features.join(customers.drop("run_id"), on="customer_id", how="full")
    if order_features is not None:
        joined = joined.withColumns(
            {
                one.name: F.coalesce(one.name, F.lit(one.without_orders)).cast(one.type)
                for one in catalogue.FEATURES
                if one.without_orders is not None
            }
        )
    absent = {field.name: F.lit(None).cast(field.type) for field in table.columns if field.name not in joined.columns}
    return joined.withColumns({**absent, "run_id": F.lit(run_id), "as_of": F.lit(as_of).cast("date")}).transform(conform, table)
