"""What becomes of every row: kept, or set aside with a reason, and the sums that prove it. Floor 1."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.errors import QualityError
from segmentation.tables import QUARANTINE, ROW_COUNTS, conform

KEPT = "kept"


def add_reasons(frame: DataFrame, rules: Sequence[tuple[str, Column]]) -> DataFrame:
    """Append to ``reasons`` the name of each rule whose condition (null is false) holds, in order."""
    # Text, not an array: functions on arrays would keep Spark from compiling the whole projection.
    found = (F.when(broken, F.lit(reason)) for reason, broken in rules)
    return frame.withColumn("reasons", F.concat_ws(",", F.nullif("reasons", F.lit("")), *found))


def forget_kept_records(frame: DataFrame) -> DataFrame:
    """Let go of the raw record of rows kept; only ``quarantine`` needs it."""
    return frame.withColumn("raw", F.when(~is_kept(), F.col("raw")))


def is_kept() -> Column:
    """Return the condition that a row breaks no rule."""
    return F.col("reasons") == ""


def _first_reason() -> Column:
    return F.substring_index("reasons", ",", 1)


def count_rows(frame: DataFrame, *, source: str, run_id: str) -> DataFrame:
    """Count the rows of a frame with ``reasons`` and ``row_hash`` by what became of them.

    Returns
    -------
    DataFrame of ``tables.ROW_COUNTS``
    """
    row_hash = F.col("row_hash").cast("decimal(38,0)")  # as decimal, or the sum overflows
    return (
        frame.groupBy(F.when(is_kept(), F.lit(KEPT)).otherwise(_first_reason()).alias("outcome"))
        .agg(F.count(F.lit(1)).alias("rows"), F.sum(row_hash).cast("string").alias("fingerprint"))
        .withColumns({"run_id": F.lit(run_id), "source": F.lit(source)})
        .transform(conform, ROW_COUNTS)
    )


def build_quarantine(frame: DataFrame, *, source: str, run_id: str, key: Sequence[str]) -> DataFrame:
    """Return the rows set aside, each once, with all its reasons.

    Returns
    -------
    DataFrame of ``tables.QUARANTINE``
    """
    customer = F.col("customer_id") if "customer_id" in frame.columns else F.lit(None)
    key_text = F.concat_ws(" / ", *(F.coalesce(F.col(name), F.lit("?")) for name in key))
    return (
        frame.where(~is_kept())
        .select(
            F.lit(run_id).alias("run_id"),
            F.lit(source).alias("source"),
            _first_reason().alias("reason"),
            F.replace("reasons", F.lit(","), F.lit(", ")).alias("all_reasons"),
            customer.cast("string").alias("customer_id"),
            key_text.alias("row_key"),
            "source_file",
            F.to_json("raw").alias("raw_record"),
        )
        .transform(conform, QUARANTINE)
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
