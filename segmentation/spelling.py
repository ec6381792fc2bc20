"""How numbers are written: one way for the terminal, the report, CSV, advice and decisions."""

import math
from typing import Any


def number(value: Any) -> str:
    """Return a number with about three digits, a whole one without decimals."""
    if _is_nothing(value):
        return "–"
    exact = float(value)
    size = abs(exact)
    if size >= 100 or exact == int(exact):
        return f"{exact:,.0f}"
    return f"{exact:,.1f}" if size >= 10 else f"{exact:,.2f}"


def percent(value: Any) -> str:
    """Return a share as a percentage, with one decimal below ten."""
    if _is_nothing(value):
        return "–"
    exact = float(value)
    return f"{exact:.0%}" if abs(exact) >= 0.0995 or exact == 0 else f"{exact:.1%}"


def whole(value: Any) -> str:
    """Return a count or a sum without decimals."""
    return "–" if _is_nothing(value) else f"{float(value):,.0f}"


def signed(value: Any) -> str:
    """Return a number with its sign and one decimal."""
    if _is_nothing(value):
        return "–"
    told = f"{float(value):+.1f}"
    return "0.0" if told in ("-0.0", "+0.0") else told


def exact(value: Any) -> str:
    """Return a measure with three decimals."""
    return "–" if _is_nothing(value) else f"{float(value):.3f}"


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
