"""Raw purchase lines in, the same lines with typed columns and reasons out."""

from datetime import date
from typing import Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from segmentation.frames import conform
from segmentation.ingest.reasons import add_reasons, is_kept
from segmentation.money import MONEY_BOUND, round_money
from segmentation.tables import MONEY, QUANTITY, TRANSACTIONS, Rows


def complete_transactions(raw: DataFrame, *, return_order_pattern: str | None) -> DataFrame:
    """Add what a source need not declare: order, quantity, amount, price, discount, category and ``is_return``.

    Without an order id, a customer's lines of the same instant are one order. Amount is quantity x unit price where
    it is not given, and the price amount / quantity.
    """
    given = set(raw.columns)
    optional = {name: F.col(name) if name in given else F.lit(None) for name in ("product_id", "category")}
    quantity = F.col("quantity") if "quantity" in given else F.lit(1).cast(QUANTITY)
    order = (
        F.col("order_id")
        if "order_id" in given
        else F.concat_ws(" ", "customer_id", F.date_format("ordered_at", "yyyy-MM-dd HH:mm:ss.SSSSSS"))
    )
    if "amount" in given:
        amount = F.col("amount")
        # A quotient of decimals has 38 digits and costs more than the rest of the line.
        magnitude = F.abs(quantity.cast("double")) if "quantity" in given else F.lit(1.0)
        derived = round_money(F.try_divide(F.abs(amount.cast("double")), magnitude))
        price = F.col("unit_price") if "unit_price" in given else derived
        has_negative_amount = amount < 0
    else:
        price = F.col("unit_price")
        types = {field.name: field.dataType for field in raw.schema}
        is_binary = any(isinstance(types.get(name), T.DoubleType) for name in ("quantity", "unit_price"))
        amount = round_money(quantity * price) if is_binary else F.try_multiply(quantity, price).try_cast(MONEY)
        has_negative_amount = F.lit(False)
    is_return = (quantity < 0) | has_negative_amount
    if return_order_pattern is not None:
        is_return = is_return | order.rlike(return_order_pattern)
    return raw.withColumns(
        {
            **{name: value.cast("string") for name, value in optional.items()},
            "order_id": order,
            "quantity": quantity,
            "unit_price": price,
            "amount": amount,
            "discount": F.coalesce(F.col("discount"), F.lit(0)) if "discount" in given else F.lit(0).cast(MONEY),
            "is_return": F.coalesce(is_return, F.lit(False)),
        }
    )


def judge_transactions(
    transactions: DataFrame,
    *,
    as_of: date,
    returns: Literal["net", "exclude"],
    non_product_pattern: str | None,
    non_positive_prices: Literal["keep", "set_aside"],
    exact_duplicates: Literal["keep", "set_aside", "across_files"],
) -> DataFrame:
    """Append to ``reasons`` every rule that a line breaks, the first one being the reason that counts.

    Parameters
    ----------
    transactions : DataFrame of ``complete_transactions``
    as_of : date
        First day *not* seen, UTC.
    """
    never = F.lit(False)
    is_free = F.coalesce(F.col("unit_price"), F.col("amount")) <= 0
    rules: list[tuple[str, Column]] = [
        ("missing_customer_id", F.col("customer_id").isNull()),
        ("missing_ordered_at", F.col("ordered_at").isNull()),
        ("missing_order_id", F.col("order_id").isNull()),
        ("missing_amount", F.col("amount").isNull() | F.col("quantity").isNull()),
        ("unreadable_discount", F.abs("discount") >= MONEY_BOUND),
        ("on_or_after_as_of", F.col("ordered_at") >= F.lit(as_of).cast("timestamp")),
        ("non_product", F.col("product_id").rlike(non_product_pattern) if non_product_pattern else never),
        ("return", F.col("is_return") if returns == "exclude" else never),
        ("non_positive_price", is_free if non_positive_prices == "set_aside" else never),
    ]
    if exact_duplicates == "set_aside":
        copies = Window.partitionBy("_raw").orderBy("_source_file")
        transactions = transactions.withColumn("_copy", F.row_number().over(copies))
        rules.append(("exact_duplicate", F.col("_copy") > 1))
    elif exact_duplicates == "across_files":
        # The second of equal lines in one file is the same line as the second in another.
        within = F.row_number().over(Window.partitionBy("_raw", "_source_file").orderBy(F.lit(0)))
        transactions = transactions.withColumn("_nth", within)
        across = Window.partitionBy("_raw", "_nth").orderBy("_source_file")
        transactions = transactions.withColumn("_copy", F.row_number().over(across))
        rules.append(("in_another_file", F.col("_copy") > 1))
    return add_reasons(transactions, rules)


def find_non_buyers(transactions: DataFrame) -> DataFrame:
    """Return the ``customer_id`` of those whose kept lines are all returns."""
    customers = transactions.where(is_kept()).groupBy("customer_id").agg(F.max(~F.col("is_return")).alias("_has_bought"))
    return customers.where(~F.col("_has_bought"))


def judge_purchasers(transactions: DataFrame, non_buyers: DataFrame) -> DataFrame:
    """Append the reason ``customer_without_purchase`` to kept lines of ``find_non_buyers`` (customer_id unique)."""
    marked = transactions.join(non_buyers, on="customer_id", how="left")
    return add_reasons(marked, [("customer_without_purchase", is_kept() & F.col("_has_bought").isNotNull())]).drop("_has_bought")


def build_transactions(judged: DataFrame, *, run_id: str) -> DataFrame:
    """Return the lines kept.

    Returns
    -------
    DataFrame of ``tables.TRANSACTIONS``
    """
    money = {name: F.col(name).try_cast(MONEY) for name in ("unit_price", "amount", "discount")}
    kept = judged.where(is_kept()).withColumns({**money, "quantity": F.col("quantity").try_cast(QUANTITY)})
    return kept.withColumn("run_id", F.lit(run_id)).transform(conform, TRANSACTIONS)


def add_categories(transactions: DataFrame, products: DataFrame) -> DataFrame:
    """Fill ``category`` from ``products`` (product_id unique, category); a line without a product row keeps null."""
    category = products.select("product_id", "category")
    return transactions.drop("category").join(category, on="product_id", how="left")


def uncategorised() -> Column:
    """Return the count of lines kept whose product has no category, as an aggregate."""
    return F.count_if(is_kept() & F.col("product_id").isNotNull() & F.col("category").isNull()).alias("uncategorised")


def check_categories(uncategorised: int, lines: int) -> Rows:
    """Return rows of ``tables.CHECKS`` about lines kept of whose products no category is known, if most are such."""
    if uncategorised <= lines / 2:
        return []
    said = f"{uncategorised:,} of {lines:,} lines have a product without a category in products: are their ids written alike?"
    subject = {"stage": "ingest", "check": "few_categories", "subject": "products"}
    return [{**subject, "rows": uncategorised, "share": uncategorised / lines, "said": said}]
