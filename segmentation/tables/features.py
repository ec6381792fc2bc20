"""One row of numbers and attributes per customer."""

from segmentation.tables.core import CUSTOMER_ID, DATE, DOUBLE, INT, LONG, MONEY_TOTAL, RUN_ID, Column, Table

MISSING_LEVEL = "(missing)"  # the level of a category without a value

FEATURES = Table(
    "features",
    "One row per customer in original units, seen from the day as_of.",
    ("run_id", "customer_id"),
    (
        RUN_ID,
        CUSTOMER_ID,
        Column("as_of", DATE, "first day not seen"),
        Column("recency_days", INT, "days from the last order to as_of"),
        Column("frequency_orders", LONG, "orders, count"),
        Column("monetary_total", MONEY_TOTAL, "sum of amounts, account currency"),
        Column("tenure_days", INT, "days from the first order to as_of"),
        Column("average_order_value", DOUBLE, "amount per order, account currency"),
        Column("days_between_orders", DOUBLE, "mean days between an order and the next; null with a single order"),
        Column("items_per_order", DOUBLE, "items per order, count"),
        Column("return_rate", DOUBLE, "returned lines / all lines, 0 to 1"),
        Column("discount_share", DOUBLE, "discount / (amount + discount) of purchases, 0 to 1"),
    ),
)
