"""One row of numbers and attributes per customer."""

from segmentation import catalogue
from segmentation.tables.core import CUSTOMER_ID, DATE, RUN_ID, Column, Table

FEATURES = Table(
    "features",
    "One row per customer in original units, seen from the day as_of.",
    ("run_id", "customer_id"),
    (
        RUN_ID,
        CUSTOMER_ID,
        Column("as_of", DATE, "first day not seen"),
        *(Column(one.name, one.type, one.meaning) for one in catalogue.FEATURES),
    ),
)
