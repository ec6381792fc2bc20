"""What becomes of every row: kept, or set aside with a reason, and the sums that prove it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.errors import QualityError
from segmentation.redaction import known_secrets
from segmentation.tables import KEPT, NO_RECORD, Rows

OBJECTION = "objection"  # to being profiled, GDPR Art. 21


def add_reasons(frame: DataFrame, rules: Sequence[tuple[str, Column]]) -> DataFrame:
    """Append to ``reasons`` the name of each rule whose condition (null is false) holds, in order; keep ``is_kept`` true to it.

    What only asks whether a row is kept is then spared the text.
    """
    # Text, not an array: functions on arrays would keep Spark from compiling the whole projection.
    found = (F.when(broken, F.lit(reason)) for reason, broken in rules)
    unbroken = [~F.coalesce(broken, F.lit(False)) for _, broken in rules]
    return frame.withColumns(
        {
            "_reasons": F.concat_ws(",", F.nullif("_reasons", F.lit("")), *found),
            "_is_kept": reduce(lambda one, other: one & other, unbroken, F.col("_is_kept")),
        }
    )


def judge_objections(frame: DataFrame, objectors: DataFrame) -> DataFrame:
    """Set aside, for the one reason ``OBJECTION``, the rows of customers among ``objectors`` (customer_id unique)."""
    marked = frame.join(objectors.withColumn("_objects", F.lit(True)), on="customer_id", how="left")
    objects = F.col("_objects").isNotNull()
    return marked.withColumns(
        {"_reasons": F.when(objects, F.lit(OBJECTION)).otherwise(F.col("_reasons")), "_is_kept": is_kept() & ~objects}
    ).drop("_objects")


def find_near_objectors(frame: DataFrame, objectors: DataFrame) -> DataFrame:
    """Return a row for each of ``frame`` whose customer is an objector but for the way it is written.

    That is capitals, Unicode's forms of a letter, leading zeros, a final .0 and signs.
    """
    letters = F.regexp_replace(F.lower("customer_id"), r"\.0+$|^0+|[^\p{L}\p{M}\p{N}]", "")
    folded = F.collate(letters, "UNICODE_CI").alias("_folded")
    return frame.select(folded).join(objectors.select(folded).where("_folded != ''"), on="_folded", how="left_semi")


def check_objectors(*, near: bool, left_out: int) -> Rows:
    """Return rows of ``tables.CHECKS`` about objections that reach nobody, or perhaps not all whom they mean.

    Parameters
    ----------
    near : whether rows are kept of ``find_near_objectors``
    left_out : rows set aside because their customers object
    """
    subject = {"stage": "ingest", "check": "objections_missed", "subject": "objections", "rows": None, "share": None}
    said = []
    if near:
        said.append(
            "ids that are kept equal some of objections but for capitals, letters' forms, zeros or signs: write both alike"
        )
    elif not left_out:
        said.append("nobody of objections is in the other sources: are their ids written alike?")
    return [{**subject, "said": one} for one in said]


def is_kept() -> Column:
    """Return the condition that a row breaks no rule."""
    return F.col("_is_kept")


def _first_reason() -> Column:
    return F.substring_index("_reasons", ",", 1)


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
    row_hash = F.col("_row_hash")
    halves = {"low": row_hash.bitwiseAND(F.lit(2**32 - 1)) - F.lit(2**31), "high": F.shiftright(row_hash, 32)}
    return [
        column
        for name, condition in conditions.items()
        for column in (
            F.count_if(condition).alias(f"{name}_rows"),
            *(F.sum(F.when(condition, half)).alias(f"{name}_{place}") for place, half in halves.items()),
        )
    ]


def add_up(row_hash: npt.NDArray[np.int64]) -> Tally:
    """Return the tally of rows in this process by their hashes, shape (rows,)."""
    low = (row_hash & np.int64(2**32 - 1)) - np.int64(2**31)
    return Tally(len(row_hash), int(low.sum()), int((row_hash >> np.int64(32)).sum()))


def read_tally(row: Mapping[str, Any], name: str) -> Tally:
    """Return the tally of a condition of ``tallies``."""
    return Tally(*(row[f"{name}_{place}"] or 0 for place in ("rows", "low", "high")))


def _hide(text: Column) -> Column:
    """Return a text without the secrets of the configuration."""
    return reduce(lambda shown, secret: F.replace(shown, F.lit(secret), F.lit("***")), known_secrets(), text)


def count_aside(aside: DataFrame) -> DataFrame:
    """Count rows of ``build_quarantine`` by source and first reason."""
    return aside.groupBy("source", F.col("reason").alias("outcome")).agg(*tallies(aside=F.lit(True)))


def build_quarantine(frame: DataFrame, *, source: str, run_id: str, key: Sequence[str], keeps_records: bool = True) -> DataFrame:
    """Return the rows set aside, each once, with all its reasons; as they were read unless ``keeps_records`` is false.

    Returns
    -------
    DataFrame of ``tables.QUARANTINE``
        And ``row_hash``.
    """
    # Of who objected nothing is kept but the count.
    is_shown = (_first_reason() != OBJECTION) & F.lit(source != "objections")
    customer = F.col("customer_id") if "customer_id" in frame.columns else F.lit(None)
    key_text = F.concat_ws(" / ", *(F.coalesce(F.col(name), F.lit("?")) for name in key))
    return frame.where(~is_kept()).select(
        F.lit(run_id).alias("run_id"),
        F.lit(source).alias("source"),
        _first_reason().alias("reason"),
        F.replace("_reasons", F.lit(","), F.lit(", ")).alias("all_reasons"),
        F.when(is_shown, customer.cast("string")).alias("customer_id"),
        F.when(is_shown, key_text).otherwise("?").alias("row_key"),
        _hide(F.col("_source_file")).alias("source_file"),
        F.when(is_shown & F.lit(keeps_records), F.to_json("_raw")).otherwise(NO_RECORD).alias("raw_record"),
        "_row_hash",
    )


_NOT_AS_DECLARED = ("unreadable_", "undeclared_level_")


def count_unreadable(counts: Mapping[str, int]) -> int:
    """Return the rows with a value that cannot be read as declared, of rows by outcome."""
    return sum(rows for reason, rows in counts.items() if reason.startswith(_NOT_AS_DECLARED))


def tell_reasons(counts: Mapping[str, int]) -> str:
    """Return the reasons of rows by outcome, the commonest first."""
    aside = sorted(((rows, reason) for reason, rows in counts.items() if reason != KEPT), key=lambda one: -one[0])
    return ", ".join(f"{reason} {rows:,}" for rows, reason in aside)


def check_counts(counts: Mapping[str, int], *, source: str, max_set_aside_share: float) -> None:
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
    total, kept = sum(counts.values()), counts.get(KEPT, 0)
    if total == 0:
        raise QualityError(f"sources.{source}", expected="at least one row", found="0 rows")
    if kept == 0:
        found = f"all {total:,} set aside: {tell_reasons(counts)}"
        raise QualityError(f"sources.{source}", expected="at least one row kept", found=found)
    if (total - kept) / total > max_set_aside_share:
        raise QualityError(
            f"sources.{source}",
            expected=f"at most {max_set_aside_share:.0%} of rows set aside (cleaning.max_set_aside_share)",
            found=f"{total - kept:,} of {total:,}: {tell_reasons(counts)}",
        )
