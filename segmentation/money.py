"""Money without the cost of decimals: exact where they are, and decimal where it is stored. Floor 1."""

from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.tables import MONEY_TOTAL

MONEY_BOUND = 1e12  # what tables.MONEY holds
_UNIT = 1_000_000  # its last digit is a millionth
# Millionths of a smaller amount are whole numbers that a double holds.
_EXACT_DOUBLE = 9e9


def round_money(value: Column) -> Column:
    """Return a double as money would have it, six digits and no more than it holds, else null.

    It becomes a decimal where a line is kept: such a cast goes through text, and most rules need none.
    """
    return F.when(F.abs(value) < MONEY_BOUND, F.rint(value * _UNIT) / _UNIT)


def millionths(value: Column) -> Column:
    """Return a decimal with six digits as a whole number: sums of these are exact, and many times cheaper than its own."""
    binary = value.cast("double")
    exact = (value * _UNIT).cast("bigint")
    return F.when(F.abs(binary) < _EXACT_DOUBLE, F.rint(binary * _UNIT).cast("bigint")).otherwise(exact)


def total(name: str) -> Column:
    """Return the exact sum of a column of ``millionths`` as a decimal; whole units and what is left each fit a long."""
    whole, left = F.sum(F.expr(f"`{name}` div {_UNIT}")), F.sum(F.col(name) % _UNIT)
    units = whole.cast("decimal(19,0)") + left.cast("decimal(19,0)") * F.lit(Decimal("0.000001"))
    return units.cast(MONEY_TOTAL).alias(name)
