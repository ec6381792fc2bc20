"""Text that was declared as dates of one pattern and is not: which pattern would read all of it."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from segmentation.tables import Rows

_SAMPLE = 10_000
_DAYS = (
    "yyyy-M-d",
    "d/M/yyyy",
    "M/d/yyyy",
    "d.M.yyyy",
    "d-M-yyyy",
    "M-d-yyyy",
    "yyyy/M/d",
    "yyyyMMdd",
    "d/M/yy",
    "M/d/yy",
    "d.M.yy",
)
_HOURS = ("", " H:mm", " H:mm:ss", "'T'HH:mm:ss", " h:mm a")
CANDIDATES = tuple(f"{day}{hour}" for hour in _HOURS for day in _DAYS)


def suggest_pattern(judged: DataFrame, source: str, declared: str | None) -> str:
    """Return which other pattern than ``declared`` reads every date of a sample, in words; nothing where none does.

    Parameters
    ----------
    judged : DataFrame of ``read_source``
    source : the column of the source that holds the dates
    """
    value = judged.select(F.col("_raw").getField(source).alias("value"))
    if value.schema["value"].dataType != T.StringType():
        return ""
    sample = value.select(F.btrim("value").alias("value")).where("value != ''").limit(_SAMPLE)
    unread = [
        F.count_if(F.try_to_timestamp("value", F.lit(pattern)).isNull()).alias(str(place))
        for place, pattern in enumerate(CANDIDATES)
    ]
    row = sample.agg(F.count("*").alias("all"), *unread).collect()[0]
    reading = [pattern for place, pattern in enumerate(CANDIDATES) if row["all"] and row[str(place)] == 0 and pattern != declared]
    return f"; the pattern {' or '.join(reading[:2])} reads every date of a sample" if reading else ""


def check_dates(unreadable: int, rows: int, suggestion: str) -> Rows:
    """Return rows of ``tables.CHECKS`` about dates of which only a part can be read."""
    if not unreadable:
        return []
    said = f"{unreadable:,} dates of transactions cannot be read as declared{suggestion}"
    subject = {"stage": "ingest", "check": "dates_in_part", "subject": "transactions"}
    return [{**subject, "rows": unreadable, "share": unreadable / rows, "said": said}]
