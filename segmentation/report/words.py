"""Findings in the words of a marketer."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Rows = Sequence[Row]
Tables = Mapping[str, Rows]  # a few collected rows by table name: plain values, null is None


def sort_checks(checks: Rows) -> list[Row]:
    """Return what looks wrong with the input, in the order in which it was looked at."""
    return sorted(checks, key=lambda row: (row["stage"] == "features", row["check"], row["subject"]))


def tell_few(run: Row) -> str:
    """Return why a number of a run is not shown."""
    least = run.get("min_cell")
    return f"fewer than {least} customers, or what would tell of so few" if least else "too few customers"


_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NO_COLOR = "#7F7F7F"
_REASONS = {
    "return": "Returns and cancelled orders",
    "missing_customer_id": "No customer on the line",
    "non_positive_price": "Price of zero or less",
    "exact_duplicate": "Exact copies of another row",
    "on_or_after_as_of": "After the day the run looks back from",
    "no_orders": "Customers without an order",
    "customer_without_purchase": "Customers with returns only",
    "non_product": "Not a product (fees, postage)",
    "objection": "Customers who object to being profiled",
}
GATES = {
    "converged": "The search ended by itself",
    "effective_k": "Every segment holds customers",
    "smallest_share": "Smallest segment is large enough",
    "largest_share": "Largest segment is small enough",
    "stability": "Segments return when the data vary",
    "better_than_null": "More than shuffled data show",
}
STRUCTURES = {
    "strong": "Every segment is a kind of customer of its own, with hardly anybody in between.",
    "moderate": "Every segment is a kind of customer of its own, but their borders are soft.",
    "weak": "Some segments are kinds of customers of their own, others are parts of one crowd. The table of borders says so.",
    "continuum": "The customers are one crowd without gaps. The segments divide it where it is convenient: of use for choosing "
    "whom to address, but no kinds of people. Customers near a border could as well be next door.",
    "none": "No groups were found that shuffled data would not show as well. The division is arbitrary: do not base "
    "decisions on it.",
}
GLOSSARY = (
    ("Segment", "A group of customers who behave alike. Each customer is in exactly one."),
    ("Median", "The customer in the middle: half have less, half have more. A few huge buyers do not move it."),
    ("Against all customers", "Every comparison is with all customers of this run, the segment's own included."),
    ("Standard deviation", "The usual distance from the average. One or more above it is far above; half of one is noticeable."),
    ("Addressable", "The customers of a segment who themselves meet the condition of the advice."),
    ("Hold-out", "Customers left out by chance and compared with those addressed. Without it nobody can say what worked."),
    (
        "Precision, recall",
        "Of the customers a rule catches, how many belong to the segment; of the segment, how many it catches.",
    ),
    ("K", "The number of segments."),
    ("Silhouette", "How much nearer customers are to their own segment than to the next: 1 is clear-cut, 0 is a toss-up."),
    ("Scatter (WSSSE)", "What is left of the differences inside segments. It always falls with more segments; a bend is a hint."),
    (
        "Valley",
        "A stretch between two segments with clearly fewer customers than on either side. Without one, a crowd was cut.",
    ),
    ("Stability", "How far the same segments come back when they are found again: 1 is the same, 0 is none of it."),
)


def text_of(value: Any) -> str:
    """Return a text without characters that no HTML or XML may hold, or that would steer a terminal."""
    return _CONTROL.sub("\ufffd", str(value))


def shorten(text: str, most: int) -> str:
    """Return at most ``most`` letters of a text."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def color_of(segment: Row) -> str:
    """Return a segment's colour; it goes into a style, so anything but #rrggbb is grey."""
    color = str(segment["color"])
    return color if _COLOR.fullmatch(color) else _NO_COLOR


def reason_words(outcome: str) -> str:
    """Return why rows were set aside, in words."""
    words = outcome.replace("_", " ")
    return _REASONS.get(outcome, words[:1].upper() + words[1:])
