"""Java's ``StrictMath.log1p`` for arrays: numpy's own differs in the last bit, and from processor to processor.

Java prescribes the algorithm of Sun's fdlibm: 1 + x = 2^k (1 + f) with 1 + f between the roots of 1/2 and 2, and log(1 + f) =
f - f^2/2 + s (f^2/2 + r), where s = f / (2 + f) and r is a polynomial in s^2.
"""

import numpy as np
import numpy.typing as npt

from segmentation.clustering.points import Array

_LN2, _LN2_REST = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_COEFFICIENTS = (
    1.479819860511658591e-01,
    1.531383769920937332e-01,
    1.818357216161805012e-01,
    2.222219843214978396e-01,
    2.857142874366239149e-01,
    3.999999999940941908e-01,
    6.666666666666735130e-01,
)
_ITSELF, _SQUARE_IS_LAST, _ONE_IS_LOST = 2.0**-54, 2.0**-29, 2.0**53
# Words of 32 bits, as the algorithm compares them: the root of 2 less 1, the root's own fraction, and one in that place.
_ROOT_LESS_ONE, _ROOT, _ONE = 0x3FDA827A, 0x6A09E, 0x100000
_FRACTION = np.uint64(2**52 - 1)
# What a step leaves stays in the processor's cache: a fifth of the time.
_CHUNK_ROWS = 8192


def log1p(values: Array) -> Array:
    """Return the logarithm of one more of values, shape (n,), finite and nought or more, to the last bit as Java has it."""
    found = np.empty_like(values)
    for start in range(0, len(values), _CHUNK_ROWS):
        chunk = slice(start, start + _CHUNK_ROWS)
        found[chunk] = _log1p(values[chunk])
    return found


def _log1p(values: Array) -> Array:
    is_small = _high_word(values) < _ROOT_LESS_ONE
    is_large = values >= _ONE_IS_LOST
    more = np.where(is_large, values, 1.0 + values)
    k = (_high_word(more) >> 20) - 1023
    lost = np.where(is_large, 0.0, np.where(k > 0, 1.0 - (more - values), values - (more - 1.0)) / more)
    fraction = _high_word(more) & (_ONE - 1)
    is_halved = fraction >= _ROOT
    exponent = np.where(is_halved, np.uint64(1022 << 52), np.uint64(1023 << 52))
    f = ((more.view(np.uint64) & _FRACTION) | exponent).view(np.float64) - 1.0
    is_near = np.where(is_halved, (_ONE - fraction) >> 2, fraction) == 0
    k, lost, f = (np.where(is_small, one, other) for one, other in ((0, k + is_halved), (0.0, lost), (values, f)))
    half = 0.5 * f * f
    s = f / (2.0 + f)
    low = k * _LN2_REST + lost
    tail = s * (half + _polynomial(s * s))
    found = k * _LN2 - ((half - (tail + low)) - f)
    near = k * _LN2 - ((half * (1.0 - 0.66666666666666666 * f) - low) - f)
    found = np.where(is_near, np.where(f == 0.0, k * _LN2 + low, near), found)
    found = np.where(is_small, f - (half - tail), found)
    tiny = np.minimum(values, _SQUARE_IS_LAST)
    found = np.where(values < _SQUARE_IS_LAST, tiny - tiny * tiny * 0.5, found)
    return np.asarray(np.where(values < _ITSELF, values, found))


def _high_word(values: Array) -> npt.NDArray[np.int64]:
    return (values.view(np.uint64) >> np.uint64(32)).astype(np.int64)


def _polynomial(square: Array) -> Array:
    total = np.zeros_like(square)
    for coefficient in _COEFFICIENTS:
        total = square * (coefficient + total)
    return total
