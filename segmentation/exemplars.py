"""The customers nearest to their segment's centre, under pseudonyms. Floor 2."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

EXEMPLARS_PER_SEGMENT = 5


@dataclass(frozen=True)
class Exemplar:
    """One row of ``tables.EXEMPLARS`` without its run."""

    segment_id: int
    rank: int
    customer_id: str
    distance: float


def find_exemplars(assignments: DataFrame) -> DataFrame:
    """Return the five nearest customers of each segment, ``rank`` 1 first; ids break ties.

    Parameters
    ----------
    assignments : DataFrame of ``tables.ASSIGNMENTS``
    """
    nearest = Window.partitionBy("segment_id").orderBy("distance", "customer_id")
    ranked = assignments.select("segment_id", "customer_id", "distance", F.row_number().over(nearest).alias("rank"))
    return ranked.where(F.col("rank") <= EXEMPLARS_PER_SEGMENT)


def name_exemplars(rows: Sequence[Row], name: Callable[[str], str]) -> list[Exemplar]:
    """Return the collected rows of ``find_exemplars`` in order, each customer under the name given to its id."""
    ordered = sorted(rows, key=lambda row: (row["segment_id"], row["rank"]))
    return [Exemplar(row["segment_id"], row["rank"], name(row["customer_id"]), row["distance"]) for row in ordered]


def pseudonymise(customer_id: str, *, key: bytes) -> str:
    """Return the HMAC-SHA256 of an id as hexadecimal text (RFC 2104). Who has the key can make it again from the id."""
    return hmac.new(key, customer_id.encode(), hashlib.sha256).hexdigest()
