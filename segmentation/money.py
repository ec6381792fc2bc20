"""Money without the cost of decimals: exact where they are, and decimal where it is stored."""

from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.tables import MONEY_TOTAL

MONEY_BOUND = 1e12  # what tables.MONEY holds
MILLION = 1_000_000  # its last digit is a millionth
# Millionths of a smaller amount are whole numbers that a double holds.
_EXACT_DOUBLE = 9e9


def round_money(value: Column) -> Column:
    """Return a double as money would have it, six digits and no more than it holds, else null.

    It becomes a decimal where a line is kept: such a cast goes through text, and most rules need none.
    """
    return F.when(F.abs(value) < MONEY_BOUND, F.rint(value * MILLION) / MILLION)


def millionths(value: Column) -> Column:
    """Return a decimal with six digits as a whole number: sums of these are exact, and many times cheaper than its own."""
    binary = value.cast("double")
    exact = (value * MILLION).cast("bigint")
    return F.when(F.abs(binary) < _EXACT_DOUBLE, F.rint(binary * MILLION).cast("bigint")).otherwise(exact)


def total(value: Column) -> Column:
    """Return the exact sum of ``millionths`` as a decimal; whole units and what is left each fit a long."""
    whole, left = F.sum(F.call_function("div", value, F.lit(MILLION))), F.sum(value % MILLION)
    units = whole.cast("decimal(19,0)") + left.cast("decimal(19,0)") * F.lit(Decimal("0.000001"))
    return units.cast(MONEY_TOTAL)


def as_money(name: str) -> Column:
    """Return a feature that counts as revenue as a decimal."""
    return F.col(f"`{name}`").cast(MONEY_TOTAL)
