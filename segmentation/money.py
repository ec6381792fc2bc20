"""Money without the cost of decimals: exact where they are, and decimal where it is stored."""

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.tables import MONEY_TOTAL

MONEY_BOUND = 1e12  # what tables.MONEY holds
MILLION = 1_000_000  # its last digit is a millionth
# Millionths of a smaller amount are whole numbers that a double holds.
_EXACT_DOUBLE = 9e9
_ARROW_MONEY = pa.decimal128(28, 6)  # tables.MONEY_TOTAL


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


def to_money(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return decimals or doubles as ``tables.MONEY_TOTAL`` in this process; NaN is no money."""
    if not pa.types.is_floating(values.type):
        return values.cast(_ARROW_MONEY)
    known = np.round(np.asarray(values.to_numpy(), dtype=float), 6)
    return pa.chunked_array([pa.array(known, from_pandas=True).cast(_ARROW_MONEY)])


def to_millionths(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return ``millionths`` of ``to_money`` in this process."""
    return pc.multiply(to_money(values), pa.scalar(Decimal(MILLION))).cast(pa.int64())


def to_doubles(values: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return numbers as doubles, NaN of none: a decimal as the nearest one, as Spark's cast does and Arrow's does not."""
    if not pa.types.is_decimal(values.type):
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy())
    array = pa.concat_arrays(values.chunks) if values.num_chunks != 1 else values.chunk(0)
    words = np.frombuffer(array.buffers()[1], dtype=np.int64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    whole, is_negative = words[:, 0], words[:, 1]
    doubles: npt.NDArray[np.float64] = whole / 10.0**array.type.scale
    is_inexact = (is_negative != whole >> 63) | (np.abs(whole) > 2**53)
    for place in np.flatnonzero(is_inexact & array.is_valid().to_numpy(zero_copy_only=False)):
        doubles[place] = float(array[place].as_py())
    doubles[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return doubles
