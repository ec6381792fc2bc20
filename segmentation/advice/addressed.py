"""Whom advice speaks to, and how often such customers did what is hoped for: counted in one Spark job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from segmentation.advice.actions import Addressed, Advice
from segmentation.audiences import count_audiences, read_audiences
from segmentation.catalogue import MISSING_LEVEL, NAMES


@dataclass(frozen=True)
class Counted:
    """The counts of ``count_addressed``: per condition and segment, and the rate at which one order became two."""

    rows: Sequence[Row]
    places: dict[tuple[Any, ...], int]
    again_rate: float | None

    def of(self, advice: Sequence[Advice]) -> list[Addressed]:
        """Return whom each piece of advice speaks to, and how often such customers did what is hoped for."""
        return [self._of(one) for one in advice]

    def _of(self, one: Advice) -> Addressed:
        place = self.places[_key(one)]
        whom = read_audiences(self.rows, place)[one.segment_id]
        lately = read_audiences(self.rows, place + 1)[one.segment_id].customers
        # Without orders there is no rate of second ones, and nothing can be measured.
        orders = lately / whom.customers if whom.customers and self.again_rate is not None else None
        rates = {"more_orders": orders, "no_fewer_orders": orders, "second_order": self.again_rate}
        return Addressed(whom.customers, whom.revenue if whom.customers else None, rates.get(one.rule.outcome))


def count_addressed(
    members: DataFrame, advice: Sequence[Advice], *, days: int | None, usual_tenure: float | None, revenue: str | None
) -> Counted:
    """Count whom each piece of advice speaks to, and those of them with an order lately.

    Parameters
    ----------
    members : DataFrame of ``tables.FEATURES`` joined with ``segment_id``
    days : an order in so many last days counts as lately; None where there are no orders
    usual_tenure : days; of the customers of at least this tenure the share with a second order is the rate of such
    revenue : feature summed as revenue, or None
    """
    conditions: list[Column] = []
    places: dict[tuple[Any, ...], int] = {}
    for one in advice:
        if _key(one) not in places:
            places[_key(one)] = len(conditions)
            addressed = one.addresses(MISSING_LEVEL)
            conditions += [addressed, addressed & (F.lit(False) if days is None else F.col(NAMES["recency"]) <= days)]
    again = len(conditions)
    if days is not None:
        stayed = F.col(NAMES["tenure"]) >= F.lit(usual_tenure)
        conditions += [stayed, stayed & (F.col(NAMES["frequency"]) >= 2)]
    rows = count_audiences(members, conditions, revenue=revenue).collect() if conditions else []
    return Counted(rows, places, _rate(rows, again) if days is not None else None)


def _key(one: Advice) -> tuple[Any, ...]:
    return one.rule.action, one.metric, one.threshold


def _rate(rows: Sequence[Row], place: int) -> float | None:
    whole = sum(one.customers for one in read_audiences(rows, place).values())
    return sum(one.customers for one in read_audiences(rows, place + 1).values()) / whole if whole else None
