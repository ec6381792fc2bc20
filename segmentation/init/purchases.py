"""The columns of purchase lines in, what they say of returns, prices and customers out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from segmentation.init.columns import Profile
from segmentation.spelling import percent

_MEASURED_UNITS = 100
_COMMON_CENT = 0.011


@dataclass(frozen=True)
class Purchases:
    """The lines of a sample, one column per role, and what the lines say of each other.

    ``lines`` has ``customer``, ``order``, ``day``, ``quantity``, ``amount``, ``discount`` and ``is_return``.
    """

    columns: Mapping[str, Sequence[Profile]]
    lines: pd.DataFrame
    notes: Mapping[str, str]
    return_prefix: str | None


def describe_purchases(found: Mapping[str, Sequence[Profile]]) -> Purchases:
    """Return the lines of a sample as far as they tell how to read and clean them."""
    columns, notes = _settle_money(found)
    lines = _lines(columns)
    prefix = _find_return_prefix(columns, lines)
    if prefix is not None:
        lines["is_return"] |= lines["order"].str.startswith(prefix, na=False)
    return Purchases(columns, lines, notes, prefix)


def _settle_money(found: Mapping[str, Sequence[Profile]]) -> tuple[dict[str, Sequence[Profile]], dict[str, str]]:
    """Return the columns without an amount or a price that contradicts the others, and why."""
    columns, notes = dict(found), dict[str, str]()
    if "amount" not in columns:
        return columns, notes
    amount = columns["amount"][0]
    is_total = "order_id" in columns and _is_same_within(columns["order_id"][0].keys, amount.values)
    if is_total and "unit_price" in columns:
        notes["unit_price"] = f"{amount.name} is not the amount: it is the same in all lines of an order, so it is its total"
        del columns["amount"]
        return columns, notes
    if is_total:
        notes["amount"] = "look here: it is the same in all lines of an order; if it is the order's total, it counts too often"
    if "unit_price" in columns:
        quantity = columns["quantity"][0].values if "quantity" in columns else 1.0
        product = quantity * columns["unit_price"][0].values
        agrees = float(((product - amount.values).abs() <= _COMMON_CENT * amount.values.abs().clip(lower=1)).mean())
        if agrees >= 0.9:
            notes["amount"] = f"quantity x price in {percent(agrees)} of the rows"
        else:
            notes["amount"] = (
                f"{columns['unit_price'][0].name} is not used: times quantity it gives this in {percent(agrees)} only"
            )
            del columns["unit_price"]
    return columns, notes


def _is_same_within(orders: Any, amounts: Any) -> bool:
    """Say whether lines of an order nearly always have one amount, though they are several."""
    grouped = pd.DataFrame({"order": orders, "amount": amounts}).groupby("order")["amount"].agg(["count", "nunique"])
    several = grouped[grouped["count"] > 1]
    return len(several) >= 10 and bool((several["nunique"] == 1).mean() >= 0.95)


def _lines(columns: Mapping[str, Sequence[Profile]]) -> pd.DataFrame:
    def one(role: str) -> Any:
        return columns[role][0].values if role in columns else None

    customer, day = columns["customer_id"][0].keys, columns["ordered_at"][0].values
    quantity = one("quantity") if "quantity" in columns else pd.Series(1.0, index=customer.index)
    amount = one("amount") if "amount" in columns else quantity * one("unit_price")
    order = columns["order_id"][0].keys if "order_id" in columns else customer.astype(str) + " " + day.astype(str)
    parts = [column.values.fillna(0) for column in columns.get("discount", ())]
    return pd.DataFrame(
        {
            "customer": customer,
            "order": order,
            "day": day.dt.normalize(),
            "quantity": quantity,
            "amount": amount,
            "discount": sum(parts[1:], parts[0]) if parts else 0.0,
            "is_return": (quantity < 0) | (amount < 0),
        }
    )


def _find_return_prefix(columns: Mapping[str, Sequence[Profile]], lines: pd.DataFrame) -> str | None:
    """Return the letters that orders of returns begin with and others do not, None without any."""
    if "order_id" not in columns or not columns["order_id"][0].is_text or not lines["is_return"].any():
        return None
    prefixes = lines["order"].str.extract(r"^([A-Za-z]+)", expand=False)
    for prefix, rows in prefixes[lines["is_return"]].value_counts().items():
        begins = prefixes == prefix
        if rows >= 0.95 * begins.sum() and rows >= 0.5 * lines["is_return"].sum() and begins.sum() < 0.5 * len(lines):
            return str(prefix)
    return None


def describe_cleaning(purchases: Purchases) -> list[tuple[str, Any, str]]:
    """Return the options of cleaning with what each rests on."""
    lines = purchases.lines
    share = float(lines["is_return"].mean())
    told = f"{percent(share)} of the rows are returns: a quantity or an amount below 0" if share else "no row is below 0"
    options: list[tuple[str, Any, str]] = [("returns", "exclude", f"{told}; net keeps them, with negative amounts")]
    if purchases.return_prefix is not None:
        begins = lines["order"].str.startswith(purchases.return_prefix, na=False)
        below = float(lines.loc[begins, "is_return"].mean())
        said = f"{begins.sum():,} rows have such an order id, and {percent(below)} of them are below 0: cancelled orders"
        options.append(("return_order_pattern", f"^{purchases.return_prefix}", said))
    options.append(_judge_free(lines))
    copies = int(pd.DataFrame({name: one.raw for name, one in _every(purchases.columns)}).duplicated().sum())
    said = f"{copies:,} rows equal another in these columns; set_aside drops such copies" if copies else "no row equals another"
    return [*options, ("exact_duplicates", "keep", said)]


def _judge_free(lines: pd.DataFrame) -> tuple[str, str, str]:
    free = (lines["amount"] <= 0) & ~lines["is_return"]
    if not free.any():
        return "non_positive_prices", "set_aside", "no price is 0"
    given = float((lines.loc[free & (lines["quantity"] > 0), "discount"] > 0).mean())
    told = f"{percent(float(free.mean()))} of the rows cost nothing"
    if given >= 0.5:
        said = f"{told}, and {percent(given)} of these that have a quantity have a discount: give-aways, no errors"
        return "non_positive_prices", "keep", said
    return "non_positive_prices", "set_aside", f"{told}; keep counts them as purchases"


def _every(columns: Mapping[str, Sequence[Profile]]) -> list[tuple[str, Profile]]:
    return [(one.name, one) for several in columns.values() for one in several]


def find_measured(purchases: Purchases) -> tuple[int, str] | None:
    """Return the quantity above which a line is a measured good, with what that rests on; None where no line seems one."""
    quantity = purchases.lines["quantity"].clip(lower=0)
    many = quantity > _MEASURED_UNITS
    units = float(quantity[many].sum() / max(quantity.sum(), 1))
    if not many.any() or float(many.mean()) > 0.05 or units < 0.9:
        return None
    said = f"{percent(float(many.mean()))} of the rows hold {percent(units)} of all units: goods that are measured, not counted"
    return _MEASURED_UNITS, said


def summarise_customers(purchases: Purchases) -> pd.DataFrame:
    """Return the order features of the customers in the sample, by the names of the catalogue."""
    lines = purchases.lines[~purchases.lines["is_return"]].dropna(subset=["customer", "day", "amount"])
    grouped = lines.groupby("customer")
    end = lines["day"].max() + pd.Timedelta(days=1)
    orders, spent = grouped["order"].nunique(), grouped["amount"].sum()
    off = grouped["discount"].sum()
    return pd.DataFrame(
        {
            "recency_days": (end - grouped["day"].max()).dt.days,
            "frequency_orders": orders,
            "monetary_total": spent,
            "average_order_value": spent / orders,
            "items_per_order": grouped["quantity"].sum() / orders,
            "discount_share": off / (spent + off).replace(0, np.nan),
        }
    )
