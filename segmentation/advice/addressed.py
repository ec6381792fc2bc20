"""Whom advice speaks to, and how often such customers did what is hoped for: counted at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segmentation.advice.actions import Addressed, Advice
from segmentation.audiences import columns_of, find_audiences, read_audiences
from segmentation.catalogue import MISSING_LEVEL, NAMES
from segmentation.frames import Customers
from segmentation.small_groups import is_any_small, is_small


@dataclass(frozen=True)
class Counted:
    """The counts of ``count_addressed``: per condition and segment, and the rate at which one order became two.

    A rate that would tell of fewer customers than ``min_cell`` is None, as one that cannot be measured.
    """

    rows: Sequence[Any]
    places: dict[tuple[Any, ...], int]
    again_rate: float | None
    has_orders: bool
    min_cell: int

    def of(self, advice: Sequence[Advice], *, size: int) -> list[Addressed]:
        """Return whom each advice to a segment of ``size`` customers speaks to, and how often such did what is hoped for."""
        return [self._of(one, size) for one in advice]

    def _of(self, one: Advice, size: int) -> Addressed:
        place = self.places[_key(one)]
        whom = read_audiences(self.rows, place)[one.segment_id]
        lately = read_audiences(self.rows, place + 1)[one.segment_id].customers
        # Without orders there is no rate of second ones, and nothing can be measured.
        is_told = whom.customers and not is_any_small((lately, whom.customers - lately), self.min_cell)
        orders = lately / whom.customers if is_told and self.has_orders else None
        rates = {"more_orders": orders, "no_fewer_orders": orders, "second_order": self.again_rate}
        return Addressed(
            whom.customers,
            whom.revenue if whom.customers else None,
            rates.get(one.rule.outcome),
            is_hidden=is_small(size - whom.customers, self.min_cell),
        )


def count_addressed(
    members: Customers,
    advice: Sequence[Advice],
    *,
    days: int | None,
    usual_tenure: float | None,
    revenue: str | None,
    min_cell: int,
) -> Counted:
    """Count whom each piece of advice speaks to, and those of them with an order lately.

    Parameters
    ----------
    members : ``tables.FEATURES`` joined with ``segment_id``, as a frame or in this process
    days : an order in so many last days counts as lately; None where there are no orders
    usual_tenure : days; of the customers of at least this tenure the share with a second order is the rate of such
    revenue : feature summed as revenue, or None
    """
    columns = columns_of(members)
    conditions: list[Any] = []
    places: dict[tuple[Any, ...], int] = {}
    for one in advice:
        if _key(one) not in places:
            places[_key(one)] = len(conditions)
            addressed = one.addresses(MISSING_LEVEL, columns)
            lately = columns.literal(False) if days is None else columns.number(NAMES["recency"]) <= days
            conditions += [addressed, addressed & lately]
    again = len(conditions)
    if days is not None:
        stayed = columns.number(NAMES["tenure"]) >= columns.literal(usual_tenure)
        conditions += [stayed, stayed & (columns.number(NAMES["frequency"]) >= 2)]
    rows = find_audiences(members, conditions, revenue=revenue)
    return Counted(rows, places, _rate(rows, again, min_cell) if days is not None else None, days is not None, min_cell)


def _key(one: Advice) -> tuple[Any, ...]:
    return one.rule.action, one.metric, one.threshold


def _rate(rows: Sequence[Any], place: int, min_cell: int) -> float | None:
    whole, again = (sum(one.customers for one in read_audiences(rows, number).values()) for number in (place, place + 1))
    return again / whole if whole and not is_any_small((again, whole - again), min_cell) else None
