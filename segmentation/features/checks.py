"""What looks wrong with the customers of a run though it can go on: too few, too stale, ids that are nearly equal, jumps."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.errors import QualityError
from segmentation.small_groups import is_small, spell_few
from segmentation.tables import Rows

# Below them segments rest on little; as vendors of the field ask: buyers, days of history, days since the last order.
FEW_CUSTOMERS, SHORT_DAYS, STALE_DAYS = 500, 180, 30
_JUMP = 2.0
_LATE_SHARE, _COMMON_SHARE = 0.05, 0.1
OF_COUNTS = ("after_as_of", "jump")  # the checks of ``check_counts``
# What exports write where there is no customer, in small letters: all of these lines would be one customer's.
NOBODY = ("null", "none", "nan", "na", "n/a", "#n/a", "nil", "undefined", "unknown", "-", "--", "?", "total", "sum")
MOST_IDS = 100_000  # ids with letters beyond ASCII that are looked at one by one


def observed(*, has_orders: bool, numbers: Sequence[str]) -> list[Column]:
    """Return what ``check_customers`` needs of ``tables.FEATURES``, as aggregates of one row."""
    days = [F.min("recency_days").alias("stale_days"), F.max("tenure_days").alias("history_days")] if has_orders else []
    return [
        F.count("*").alias("customers"),
        F.count_if(F.lower("customer_id") != F.col("customer_id")).alias("with_capitals"),
        F.count_if(F.upper("customer_id") != F.col("customer_id")).alias("with_small_letters"),
        F.count_if(is_beyond_ascii()).alias("beyond"),
        F.count_if(F.lower("customer_id").isin(*NOBODY)).alias("nobody"),
        F.count_if(F.col("recency_days").isNotNull()).alias("with_orders"),
        *days,
        *(F.coalesce(F.min(name) == F.max(name), F.lit(True)).alias(f"constant {name}") for name in numbers),
    ]


def is_beyond_ascii() -> Column:
    """Return the condition that an id has letters beyond ASCII, of which some are written in two ways."""
    return F.octet_length("customer_id") != F.length("customer_id")


def can_differ_by_case(row: Mapping[str, Any]) -> bool:
    """Say of a row of ``observed`` whether two ids may be equal but for capital letters; seldom, and it is dear to count."""
    return bool(row["with_capitals"] and row["with_small_letters"] + row["beyond"])


def check_customers(row: Mapping[str, Any], *, ids: Iterable[str], min_cell: int = 0) -> Rows:
    """Return rows of ``tables.CHECKS`` about the customers.

    Parameters
    ----------
    row : of ``observed``, and ``folded``: different ids once none has capital letters
    ids : those of ``is_beyond_ascii``
    min_cell : fewer customers are not counted, but called fewer
    """
    customers, stale, history = row["customers"], row.get("stale_days"), row.get("history_days")
    found: list[tuple[str, str, int | None, str]] = []
    if customers < FEW_CUSTOMERS:
        said = f"{customers:,} customers are few: with fewer than {FEW_CUSTOMERS} segments may look otherwise next month"
        found.append(("few_customers", "features", customers, said))
    if history is not None and history < SHORT_DAYS:
        said = f"the orders reach back {history} days: with fewer than {SHORT_DAYS} who buys seldom looks like who is new"
        found.append(("short_history", "transactions", None, said))
    if stale is not None and stale > STALE_DAYS:
        said = f"the last order lies {stale} days before as_of, so all seem to lapse: is as_of right, is the export whole?"
        found.append(("stale", "transactions", None, said))
    if row["folded"] < customers:
        alike = customers - row["folded"]
        found.append(
            (
                "ids_differ_by_case",
                "customer_id",
                alike,
                f"{spell_few(alike, min_cell)} ids equal another but for capital letters",
            )
        )
    if row["nobody"]:
        said = "an id is a word for no customer, as NULL, nan or total, and counts as one (columns: remove takes it out)"
        found.append(("ids_for_nobody", "customer_id", None, said))
    if twins := find_twins(ids):
        letter = max("".join(twins))  # an id itself would name a person
        said = (
            f"{spell_few(len(twins), min_cell)} ids look like another but are written with other Unicode letters, "
            f"as with U+{ord(letter):04X}"
        )
        found.append(("ids_look_alike", "customer_id", len(twins), said))
    for name in (name.removeprefix("constant ") for name, value in row.items() if name.startswith("constant ") and value):
        found.append(("constant", name, customers, f"{name} is the same for all customers and tells none of them apart"))
    return [
        _check(check, subject, None if rows is not None and is_small(rows, min_cell) else rows, customers, said)
        for check, subject, rows, said in found
    ]


def check_overlap(customers: int, *, with_orders: int, with_attributes: int, min_cell: int = 0) -> Rows:
    """Return rows of ``tables.CHECKS`` about the customers that both sources know.

    Raises
    ------
    QualityError
        If there are none: then their ids are written in two ways, and each customer would be there twice.
    """
    common = with_orders + with_attributes - customers
    if common <= 0:
        found = f"none: {with_orders:,} with orders, {with_attributes:,} with attributes; are their ids written alike?"
        raise QualityError("features", expected="customers that both sources know", found=found)
    if common >= _COMMON_SHARE * min(with_orders, with_attributes):
        return []
    few = spell_few(common, min_cell)
    said = f"only {few} of {with_orders:,} customers with orders are among the {with_attributes:,} with attributes"
    return [_check("few_in_common", "customers", None if is_small(common, min_cell) else common, customers, said)]


def find_twins(ids: Iterable[str]) -> list[str]:
    """Return the ids that equal another one once both are in Unicode's normal form C without invisible letters (UAX 15)."""
    forms = {one: "".join(c for c in unicodedata.normalize("NFKC", one) if unicodedata.category(c) != "Cf") for one in ids}
    counts = Counter(forms.values())
    return sorted(one for one, form in forms.items() if counts[form] > 1)


def check_counts(now: Rows, before: Rows, *, before_id: str | None) -> Rows:
    """Return rows of ``tables.CHECKS`` about what became of the rows, beside those of the run published before.

    Parameters
    ----------
    now, before : rows of ``tables.ROW_COUNTS`` of this run and of the one before; none without one
    """
    checks = []
    for source in sorted({row["source"] for row in now}):
        rows, former = (sum(row["rows"] for row in counts if row["source"] == source) for counts in (now, before))
        late = sum(row["rows"] for row in now if row["source"] == source and row["outcome"] == "on_or_after_as_of")
        if late > _LATE_SHARE * rows:
            said = f"{late:,} of {rows:,} rows of {source} lie on or after as_of and were set aside"
            checks.append(_check("after_as_of", source, late, rows, said))
        if former and not 1 / _JUMP <= rows / former <= _JUMP:
            said = f"{source} has {rows:,} rows, the run before ({before_id}) had {former:,}"
            checks.append(_check("jump", source, rows, former, said))
    return checks


def _check(check: str, subject: str, rows: int | None, of: int, said: str) -> dict[str, Any]:
    share = None if rows is None or not of else rows / of
    return {"stage": "features", "check": check, "subject": subject, "rows": rows, "share": share, "said": said}
