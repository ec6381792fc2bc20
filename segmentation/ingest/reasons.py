"""What becomes of every row: kept, or set aside with a reason, and the sums that prove it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.errors import QualityError
from segmentation.tables import KEPT


def add_reasons(frame: DataFrame, rules: Sequence[tuple[str, Column]]) -> DataFrame:
    """Append to ``reasons`` the name of each rule whose condition (null is false) holds, in order; keep ``is_kept`` true to it.

    What only asks whether a row is kept is then spared the text.
    """
    # Text, not an array: functions on arrays would keep Spark from compiling the whole projection.
    found = (F.when(broken, F.lit(reason)) for reason, broken in rules)
    unbroken = [~F.coalesce(broken, F.lit(False)) for _, broken in rules]
    return frame.withColumns(
        {
            "reasons": F.concat_ws(",", F.nullif("reasons", F.lit("")), *found),
            "is_kept": reduce(lambda one, other: one & other, unbroken, F.col("is_kept")),
        }
    )


def is_kept() -> Column:
    """Return the condition that a row breaks no rule."""
    return F.col("is_kept")


def _first_reason() -> Column:
    return F.substring_index("reasons", ",", 1)


@dataclass(frozen=True)
class Tally:
    """Rows, and the sums of the low and the high halves of their hashes: equal for equal rows in whatever order.

    A half has 32 bits, so that the sums stay in 64 bits up to 2^32 rows.
    """

    rows: int
    low: int
    high: int

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(self.rows - other.rows, self.low - other.low, self.high - other.high)

    @property
    def fingerprint(self) -> str:
        """The sums as text."""
        return f"{self.low}:{self.high}"


def tallies(**conditions: Column) -> list[Column]:
    """Return the sums of a ``Tally`` over the rows of each condition, as aggregates for ``read_tally``."""
    row_hash = F.col("row_hash")
    halves = {"low": row_hash.bitwiseAND(F.lit(2**32 - 1)) - F.lit(2**31), "high": F.shiftright(row_hash, 32)}
    return [
        column
        for name, condition in conditions.items()
        for column in (
            F.count_if(condition).alias(f"{name}_rows"),
            *(F.sum(F.when(condition, half)).alias(f"{name}_{place}") for place, half in halves.items()),
        )
    ]


def read_tally(row: Mapping[str, Any], name: str) -> Tally:
    """Return the tally of a condition of ``tallies``."""
    return Tally(*(row[f"{name}_{place}"] or 0 for place in ("rows", "low", "high")))


def count_aside(aside: DataFrame) -> DataFrame:
    """Count rows of ``build_quarantine`` by source and first reason."""
    return aside.groupBy("source", F.col("reason").alias("outcome")).agg(*tallies(aside=F.lit(True)))


def build_quarantine(frame: DataFrame, *, source: str, run_id: str, key: Sequence[str]) -> DataFrame:
    """Return the rows set aside, each once, with all its reasons.

    Returns
    -------
    DataFrame of ``tables.QUARANTINE``
        And ``row_hash``.
    """
    customer = F.col("customer_id") if "customer_id" in frame.columns else F.lit(None)
    key_text = F.concat_ws(" / ", *(F.coalesce(F.col(name), F.lit("?")) for name in key))
    return frame.where(~is_kept()).select(
        F.lit(run_id).alias("run_id"),
        F.lit(source).alias("source"),
        _first_reason().alias("reason"),
        F.replace("reasons", F.lit(","), F.lit(", ")).alias("all_reasons"),
        customer.cast("string").alias("customer_id"),
        key_text.alias("row_key"),
        "source_file",
        F.to_json("raw").alias("raw_record"),
        "row_hash",
    )


def check_counts(counts: dict[str, int], *, source: str, max_set_aside_share: float) -> None:
    """Refuse a source that is empty or of which too much was set aside.

    Parameters
    ----------
    counts : rows by outcome
    max_set_aside_share : float
        0 to 1.

    Raises
    ------
    QualityError
    """
    total = sum(counts.values())
    kept = counts.get(KEPT, 0)
    if total == 0:
        raise QualityError(f"sources.{source}", expected="at least one row", found="0 rows")
    worst = ", ".join(
        f"{reason} {rows:,}" for reason, rows in sorted(counts.items(), key=lambda item: -item[1]) if reason != KEPT
    )
    if kept == 0:
        raise QualityError(f"sources.{source}", expected="at least one row kept", found=f"all {total:,} set aside: {worst}")
    if (total - kept) / total > max_set_aside_share:
        raise QualityError(
            f"sources.{source}",
            expected=f"at most {max_set_aside_share:.0%} of rows set aside (cleaning.max_set_aside_share)",
            found=f"{total - kept:,} of {total:,}: {worst}",
        )
