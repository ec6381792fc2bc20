"""Numbers and texts that say which table cell they came from.

A test, or a reader with a doubt, can look every one of them up: ``data-table``, ``data-column`` and ``data-key`` name the
cell, ``data-derived`` a sum or a ratio made here.
"""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from segmentation.report.words import Row, text_of

KEYS: Mapping[str, tuple[str, ...]] = {
    "segments": ("segment_id",),
    "traits": ("segment_id", "rank"),
    "exemplars": ("segment_id", "rank"),
    "segment_rules": ("segment_id", "rule"),
    "actions": ("segment_id", "rank"),
    "profiles": ("segment_id", "feature", "statistic"),
    "histograms": ("feature", "segment_id", "bin"),
    "centroids": ("segment_id", "feature"),
    "map_axes": ("axis", "feature"),
    "grid": ("k",),
    "decision": ("k", "gate"),
    "borders": ("k", "segment_id", "other_segment_id"),
    "compare": ("k", "segment_id", "next_k", "next_segment_id"),
    "neighbours": ("k", "segment_id"),
    "runs": (),
    "checks": ("stage", "check", "subject"),
    "representation": ("segment_id", "attribute", "level"),
    "lineage": ("segment_key",),
    "transitions": ("from_key", "to_key", "why"),
    "row_counts": ("source", "outcome"),
}


def attributes(table: str, row: Row, column: str) -> dict[str, str]:
    """Return the attributes that name a cell."""
    found = {
        "data-table": table,
        "data-column": column,
        "data-key": "|".join(text_of("" if row[name] is None else row[name]) for name in KEYS[table]),
        "data-run": str(row["run_id"]),
    }
    value = row[column]
    return found if value is None or isinstance(value, str) else {**found, "data-value": str(value)}


def derived(name: str, value: Any) -> dict[str, str]:
    """Return the attributes of a number made from several cells."""
    return {"data-derived": name} if value is None else {"data-derived": name, "data-value": str(value)}


def cell(table: str, row: Row, column: str, shown: str) -> Markup:
    """Return a cell's value as HTML."""
    return wrap(attributes(table, row, column), shown)


def wrap(own: Mapping[str, str], shown: str) -> Markup:
    """Return a text in an element with attributes: ``data`` for a number, ``span`` for a text; whose direction it keeps."""
    name = "data" if "data-value" in own else "bdi"
    pairs = {**own, "value": own["data-value"]} if name == "data" else own
    told = Markup("").join(Markup(' {}="{}"').format(Markup(key), value) for key, value in pairs.items())
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), told, escape(text_of(shown)))
