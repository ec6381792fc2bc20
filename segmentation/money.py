"""Money without the cost of decimals: exact where they are, and decimal where it is stored."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.errors import QualityError
from segmentation.tables import MONEY_TOTAL

MONEY_BOUND = 1e12  # what tables.MONEY holds
MILLION = 1_000_000  # its last digit is a millionth
# Millionths of a smaller amount are whole numbers that a double holds.
_EXACT_DOUBLE = 9e9
# A smaller double lies so near its text that the millionths of both are one number.
_ROUNDED_DOUBLE = 2e9
ARROW_MONEY = pa.decimal128(28, 6)  # tables.MONEY_TOTAL
_MOST_MONEY, _LAST_DIGIT = 1e22, Decimal("0.000001")  # of it


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


def paid_by(customers: pa.Table, revenue: str | None) -> pa.Array | pa.ChunkedArray:
    """Return the revenue of customers in this process as ``ARROW_MONEY``, nulls where it is no feature of theirs."""
    if revenue not in customers.column_names:
        return pa.nulls(len(customers), ARROW_MONEY)
    return to_money(customers[revenue])


def to_money(values: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return decimals or doubles as ``ARROW_MONEY``, rounded as Spark's cast of their text does; NaN is no money.

    Raises
    ------
    QualityError
        If an amount has more digits than that holds.
    """
    if not pa.types.is_floating(values.type):
        return values.cast(ARROW_MONEY)
    doubles = np.asarray(values.to_numpy(), dtype=float)
    is_exact = np.abs(doubles) < _ROUNDED_DOUBLE
    exact = np.where(is_exact, doubles, 0.0)
    low = np.copysign(np.floor(np.abs(exact) * MILLION + 0.5), exact).astype(np.int64)
    is_some = pa.array(~np.isnan(doubles)).buffers()[1]
    found = pa.Array.from_buffers(ARROW_MONEY, len(low), [is_some, pa.py_buffer(np.stack([low, low >> 63], axis=1))])
    beyond = ~is_exact & ~np.isnan(doubles)
    if not beyond.any():
        return found
    if (largest := float(np.abs(doubles[beyond]).max())) >= _MOST_MONEY:
        raise QualityError("revenue", expected=f"amounts below {_MOST_MONEY:g} of each customer", found=repr(largest))
    rounded = [Decimal(repr(one)).quantize(_LAST_DIGIT, ROUND_HALF_UP) for one in doubles[beyond].tolist()]
    return pc.replace_with_mask(found, pa.array(beyond), pa.array(rounded, ARROW_MONEY))


def to_doubles(values: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return numbers as doubles, NaN of none: a decimal as the nearest one, as Spark's cast does and Arrow's does not."""
    if not pa.types.is_decimal(values.type):
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy())
    array = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    words = np.frombuffer(array.buffers()[1], dtype=np.int64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    low, high = words[:, 0], words[:, 1]
    doubles: npt.NDArray[np.float64] = low / 10.0**array.type.scale
    is_inexact = (high != low >> 63) | (np.abs(low) > 2**53)
    for place in np.flatnonzero(is_inexact & array.is_valid().to_numpy(zero_copy_only=False)):
        doubles[place] = float(array[place].as_py())
    doubles[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return doubles
