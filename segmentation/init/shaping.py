"""Numbers in, whether a logarithm or a cap would tame them out."""

from typing import Any

import numpy as np

_SKEWED = 1.0
_FAR = 3.0
_FEW = 200
_CAP = 0.99


def shape_numbers(values: Any) -> tuple[dict[str, Any], str]:
    """Return ``log`` and ``cap`` of a feature where its numbers ask for them, and why.

    A logarithm, where the skewness is above 1 and smaller after it; a cap, where the largest value, after that, lies more
    than three times as far from the median as the 99th percentile does.
    """
    numbers = values.dropna().astype(float)
    if len(numbers) < 3 or numbers.nunique() < 3:
        return {}, ""
    options: dict[str, Any] = {}
    skew, shaped = float(numbers.skew()), numbers
    logged = np.sign(numbers) * np.log1p(numbers.abs())
    told = f"skewness {skew:.1f}"
    if skew > _SKEWED and abs(float(logged.skew())) < skew:
        options["log"] = True
        shaped = logged
        told += f", {float(logged.skew()):.1f} after the logarithm"
    low, middle, high = (float(shaped.quantile(one)) for one in (1 - _CAP, 0.5, _CAP))
    if len(numbers) >= _FEW and low < high and float(shaped.max()) - middle > _FAR * (high - middle):
        options["cap"] = _CAP
        told += ", and the largest value is far beyond the 99th percentile"
    return options, told
