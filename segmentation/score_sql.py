"""The model of a run as one query, which DuckDB and Spark SQL both run: preparation, distances, and who is nearest."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from segmentation.catalogue import MISSING_LEVEL
from segmentation.errors import ModelError
from segmentation.tables import Rows

SOURCE = "features"
DISTANCES = "apart"
Steps = Sequence[tuple[str, Sequence[str]]]
_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.,;:()[]<>=+*/&%#@!?|~^")


def read_centers(rows: Rows) -> list[list[float]]:
    """Return each segment's centre in the clustered space, of rows of ``tables.CENTROIDS``."""
    centers: dict[int, list[float]] = {}
    placed = [row for row in rows if row["position"] is not None]
    for row in sorted(placed, key=lambda row: (row["segment_id"], row["position"])):
        centers.setdefault(row["segment_id"], []).append(row["value_scaled"])
    return list(centers.values())


def write_sql(
    preparation: Rows, components: Rows, centers: Sequence[Sequence[float]], *, run_id: str, source: str = SOURCE
) -> str:
    """Return the query: a customer's segment, how far it is from its centre, and which centre is next.

    Of centres equally near the smallest segment id is taken, for the segment and for the runner-up.

    Parameters
    ----------
    preparation, components : rows of ``tables.PREPARATION`` and ``tables.COMPONENTS`` of one run
    centers : shape (k, dimensions), scaled units
    source : table or subquery with ``customer_id`` and the columns of ``tables.FEATURES``, a row per customer
    """
    (first, numbers), *later = list_steps(preparation, components, centers)
    steps = [f"{first} AS (\n  SELECT {_listed('f.*', numbers)}\n  FROM {source} AS f\n)"]
    last = first
    for name, columns in later:
        steps.append(f"{name} AS (\n  SELECT {_listed('customer_id', columns)}\n  FROM {last} AS f\n)")
        last = name
    return (
        f"-- Scores customers with the model of run {run_id}. Read from a table of features, one row per customer.\n"
        f"WITH {', '.join(steps)}\n"
        f"SELECT customer_id, segment_id, SQRT(_squared) AS distance, _runner_up_id AS runner_up_segment_id\nFROM {last}\n"
    )


def list_steps(
    preparation: Rows, components: Rows, centers: Sequence[Sequence[float]], *, log1p: str = "LN(1.0E0 + {})"
) -> list[tuple[str, list[str]]]:
    """Return the steps of ``write_sql``, each its name and what it selects beside the customer from the one before.

    The first keeps every column of the source; each calls the one before ``f``, for only behind a point do all engines read a
    column called ``limit`` or ``group``. The last has ``segment_id``, ``_squared`` (the squared distance, scaled units), and
    of the second nearest centre ``_runner_up_id`` and ``_runner_up_squared``, null where there is one centre. Columns that
    begin with ``_`` cannot be a feature's. Those before the step ``DISTANCES`` have the
    coordinates ``_x_0``, ``_x_1``, ... in scaled units.
    ``log1p`` is the logarithm of one more as every engine knows it; Spark's own is the saved model's to the last bit.
    """
    rows = sorted(preparation, key=lambda row: row["position"])
    points = [_point(row, log1p) for row in rows]
    filled = {row["source_column"]: _filled(row) for row in rows if row["kind"] in ("number", "ordinal")}
    for place, name in enumerate(filled):
        points = [one.replace(f"<{name}>", f"_n_{place}") for one in points]
    steps = [("filled", _numbered("_n", filled.values())), ("prepared", _numbered("_x", points))]
    if components:
        width = 1 + max(row["component"] for row in components)
        steps.append(("turned", _numbered("_x", [_component(components, place) for place in range(width)])))
    steps.append((DISTANCES, _numbered("_d", map(_squared_distance, centers))))
    return [*steps, *_nearest(len(centers))]


def check_sql(chosen: Mapping[str, Any] | None, run_id: str) -> None:
    """Refuse a model that is not the nearest centre's.

    Parameters
    ----------
    chosen : row of ``tables.GRID`` of the chosen K

    Raises
    ------
    ModelError
    """
    algorithm = chosen["algorithm"] if chosen else "none"
    if algorithm != "kmeans":
        raise ModelError(f"run {run_id}", expected="a model of kmeans, which SQL can tell", found=str(algorithm))


def _listed(first: str, columns: Sequence[str]) -> str:
    return ",\n         ".join([first, *columns])


def _numbered(letter: str, expressions: Iterable[str]) -> list[str]:
    return [f"{sql} AS {letter}_{place}" for place, sql in enumerate(expressions)]


def _filled(row: Mapping[str, Any]) -> str:
    """Return a number as it is, the training median where there is none, pulled in to its caps."""
    column = f"f.{row['source_column']}"
    if row["kind"] == "ordinal":
        ranks = " ".join(f"WHEN {_text(level)} THEN {_number(rank)}" for rank, level in enumerate(json.loads(row["ranks"])))
        value = f"CASE {column} {ranks} ELSE {_number(row['fill_value'])} END"
    else:
        number = f"CAST({column} AS DOUBLE)"
        value = f"CASE WHEN {column} IS NULL OR isnan({number}) THEN {_number(row['fill_value'])} ELSE {number} END"
    if row["cap_low"] is not None:
        value = f"LEAST(GREATEST({value}, {_number(row['cap_low'])}), {_number(row['cap_high'])})"
    return value


def _point(row: Mapping[str, Any], log1p: str) -> str:
    """Return a coordinate; ``<column>`` stands for its filled number."""
    column, weight = f"f.{row['source_column']}", _number(row["weight"])
    if row["kind"] == "level":
        known = f"COALESCE({column}, {_text(MISSING_LEVEL)})"
        return f"CASE WHEN {known} = {_text(row['level'])} THEN {weight} ELSE {_number(0)} END"
    if row["kind"] == "missing":
        return f"CASE WHEN {column} IS NULL THEN {weight} ELSE {_number(0)} END"
    value = f"<{row['source_column']}>"
    if row["is_log"]:
        value = f"SIGN({value}) * {log1p.format(f'ABS({value})')}"
    # Multiplied by the inverse, as Spark's scalers do, so that both come to the same last bit.
    return f"({value} - {_number(row['center'])}) * {_number(1 / row['scale'])} * {weight}"


def _component(components: Rows, component: int) -> str:
    own = sorted((row for row in components if row["component"] == component), key=lambda row: row["position"])
    return " + ".join(f"{_number(row['loading'])} * _x_{row['position']}" for row in own)


def _squared_distance(center: Sequence[float]) -> str:
    apart = [f"(_x_{place} - {_number(value)})" for place, value in enumerate(center)]
    return " + ".join(f"{one} * {one}" for one in apart)


def _nearest(segments: int) -> list[tuple[str, list[str]]]:
    names = [f"_d_{segment}" for segment in range(segments)]
    if segments == 1:
        nothing = ["CAST(NULL AS INT) AS _runner_up_id", "CAST(NULL AS DOUBLE) AS _runner_up_squared"]
        return [("near", ["0 AS segment_id", "_d_0 AS _squared", *nothing])]
    least = f"LEAST({', '.join(names)})"
    others = [f"CASE WHEN segment_id = {place} THEN NULL ELSE {name} END" for place, name in enumerate(names)]
    second = f"LEAST({', '.join(others)})"
    return [
        ("placed", [*names, f"{_which(least, names)} AS segment_id", f"{least} AS _squared"]),
        (
            "near",
            ["segment_id", "_squared", f"{_which(second, others)} AS _runner_up_id", f"{second} AS _runner_up_squared"],
        ),
    ]


def _which(least: str, names: Sequence[str]) -> str:
    """Return the first whose value is the least."""
    return f"CASE {least} {' '.join(f'WHEN {name} THEN {place}' for place, name in enumerate(names))} END"


def _number(value: float) -> str:
    """Return a number that every engine reads as a double: with an exponent."""
    text = repr(float(value))
    text = text if "e" in text else f"{text}E0"
    return f"({text})" if text.startswith("-") else text


def _text(value: str) -> str:
    """Return a text that every engine reads alike: what one of them could take for a mark is spelled by its code."""
    parts: list[str] = []
    plain = ""
    for letter in value:
        if letter in _PLAIN or ord(letter) > 127:
            plain += letter
            continue
        parts += [f"'{plain}'", f"chr({ord(letter)})"] if plain else [f"chr({ord(letter)})"]
        plain = ""
    if plain or not parts:
        parts.append(f"'{plain}'")
    return parts[0] if len(parts) == 1 else f"({' || '.join(parts)})"
