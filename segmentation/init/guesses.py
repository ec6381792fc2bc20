"""Samples in, which table is which source out."""

from collections.abc import Sequence
from dataclasses import dataclass

from segmentation.errors import SourceError
from segmentation.init.columns import Profile, has_decimal_comma, profile_columns
from segmentation.init.roles import find_customer_key, find_products, find_transactions, name_table, refuse
from segmentation.init.sample import Sample


@dataclass(frozen=True)
class Table:
    """A sample with what its columns hold."""

    sample: Sample
    profiles: dict[str, Profile]
    decimal_comma: bool

    @property
    def prefers_day_first(self) -> bool:
        """Whether the day comes first where a date leaves that open."""
        return self.decimal_comma or self.sample.shape.dialect.delimiter == ";"


def guess_tables(samples: Sequence[Sample]) -> dict[str, Table]:
    """Return each table by the name of the source that it is.

    Raises
    ------
    SourceError
        If a table is none, two are the same, or what a source needs is not there; it lists the columns.
    """
    tables: dict[str, Table] = {}
    for sample in samples:
        decimal_comma = has_decimal_comma(sample)
        table = Table(sample, profile_columns(sample, decimal_comma=decimal_comma), decimal_comma)
        name = name_table(table.profiles)
        if name is None:
            raise refuse(sample, table.profiles)
        if name in tables:
            found = f"{tables[name].sample.told} and {sample.told}"
            raise SourceError("DATA", expected=f"one table of {name} (files of one table have the same columns)", found=found)
        tables[name] = table
    _check(tables)
    return tables


def _check(tables: dict[str, Table]) -> None:
    """Refuse tables that do not go together."""
    transactions = tables.get("transactions")
    if transactions is None and "products" in tables:
        lone = tables["products"].sample
        raise SourceError(lone.told, expected="transactions beside products", found=f"products alone, {lone.columns}")
    if transactions is not None and "products" in tables and "product_id" not in find_transactions(transactions.profiles):
        what = "a column for product_id of transactions, for there are products"
        raise refuse(transactions.sample, transactions.profiles, what=what)


def customer_key(tables: dict[str, Table]) -> Profile:
    """Return the key of the customers.

    Raises
    ------
    SourceError
        If there is none, or none of its values is one of the transactions'.
    """
    table = tables["customers"]
    buyers = buyers_of(tables)
    key = find_customer_key(table.profiles, buyers)
    if key is None:
        raise refuse(table.sample, table.profiles, what="a column for customer_id of customers, with an id in each row")
    if buyers and not buyers & set(key.keys.dropna()):
        found = f"none among {key.name}, {table.sample.columns}"
        raise SourceError(table.sample.told, expected="customers of the transactions", found=found)
    return key


def buyers_of(tables: dict[str, Table]) -> set[str]:
    """Return the ids of customers in the transactions' sample."""
    if "transactions" not in tables:
        return set()
    return set(find_transactions(tables["transactions"].profiles)["customer_id"][0].keys.dropna())


def product_columns(tables: dict[str, Table]) -> dict[str, Profile]:
    """Return the key and the category of the products.

    Raises
    ------
    SourceError
        If one is not there.
    """
    table = tables["products"]
    found = find_products(table.profiles)
    missing = [role for role in ("product_id", "category") if role not in found]
    if missing:
        raise refuse(table.sample, table.profiles, what=f"a column for {' and '.join(missing)} of products")
    return found
