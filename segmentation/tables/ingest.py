"""What is left of the sources, and what became of every row."""

from segmentation.tables.core import BOOLEAN, CUSTOMER_ID, DOUBLE, LONG, MONEY, QUANTITY, RUN_ID, STRING, TIMESTAMP, Column, Table

TRANSACTIONS = Table(
    "transactions",
    "Cleaned purchase lines, one row per line kept.",
    (),
    (
        RUN_ID,
        CUSTOMER_ID,
        Column("order_id", STRING, "order (basket, invoice)", required=True),
        Column("ordered_at", TIMESTAMP, "instant of the order, UTC", required=True),
        Column("product_id", STRING, "product, as text"),
        Column("category", STRING, "product category"),
        Column("quantity", QUANTITY, "units in the line; negative in a return"),
        Column("unit_price", MONEY, "price of one unit, account currency"),
        Column("amount", MONEY, "paid for the line, account currency; negative in a return", required=True),
        Column("discount", MONEY, "given off the line, account currency", required=True),
        Column("is_return", BOOLEAN, "whether the line is a return or belongs to a cancelled order", required=True),
    ),
)

CUSTOMERS = Table(
    "customers",
    "Cleaned customer attributes, one row per customer of the customers source.",
    ("run_id", "customer_id"),
    (RUN_ID, CUSTOMER_ID),
)

NO_RECORD = "{}"  # in place of a row as it was read, where privacy keeps none
KEPT = "kept"  # the outcome of a row that is not set aside

ROW_COUNTS = Table(
    "row_counts",
    "What became of the rows of each source.",
    ("run_id", "source", "outcome"),
    (
        RUN_ID,
        Column("source", STRING, "transactions, products, customers or objections", required=True),
        Column("outcome", STRING, "kept, or the reason for setting aside", required=True),
        Column("rows", LONG, "rows, count", required=True),
        Column("fingerprint", STRING, "sum of row hashes, whatever the order; equal for equal rows", required=True),
    ),
)

CHECKS = Table(
    "checks",
    "What looks wrong with the input though the run went on; no row where nothing does.",
    ("run_id", "stage", "check", "subject"),
    (
        RUN_ID,
        Column("stage", STRING, "ingest or features: the stage that looked", required=True),
        Column("check", STRING, "what was looked for", required=True),
        Column("subject", STRING, "the source, feature or rule that it is about", required=True),
        Column("rows", LONG, "rows or customers that it concerns, count; null of fewer customers than privacy.min_cell"),
        Column("share", DOUBLE, "of the rows or customers looked at, 0 to 1"),
        Column("said", STRING, "the finding in words", required=True),
    ),
)

QUARANTINE = Table(
    "quarantine",
    "Rows set aside, with the reason and what is needed to find them again.",
    (),
    (
        RUN_ID,
        Column("source", STRING, "transactions, products, customers or objections", required=True),
        Column("reason", STRING, "first rule the row breaks", required=True),
        Column("all_reasons", STRING, "every rule the row breaks, comma separated", required=True),
        Column("customer_id", STRING, "the row's customer, where it has one"),
        Column("row_key", STRING, "the row's order and product, or its product", required=True),
        Column("source_file", STRING, "file the row was read from; null for a catalog table"),
        Column("raw_record", STRING, "JSON: the declared columns as they were read; {} where privacy keeps none", required=True),
    ),
)
