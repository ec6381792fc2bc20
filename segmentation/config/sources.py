"""The sections that say what is read: sources, their columns and attributes."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SOURCE_NAMES = ("transactions", "products", "customers")
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _check_name(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError("a name of lower-case letters, digits and _, at most 63, is expected")
    return name


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"a regular expression is expected: {error}") from None
    return pattern


Name = Annotated[str, AfterValidator(_check_name)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]


class Section(BaseModel):
    """Base of every section: frozen, strict, no unknown key."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True)


def _spell_out(value: Any) -> Any:
    return {"from": value} if isinstance(value, str | list) else value


class ColumnSpec(Section):
    """Where a column comes from; a plain name is short for ``{from: name}``."""

    source: str | list[str] = Field(alias="from", description="source column, or several to be added up (discount)")
    format: str | None = Field(None, description="date or timestamp pattern of text, as in Spark's datetime patterns")
    remove: Pattern | None = Field(None, description="regular expression cut from text before use")


Column = Annotated[ColumnSpec, BeforeValidator(_spell_out)]


class AttributeSpec(Section):
    """One attribute of the customers table."""

    source: str = Field(alias="from", description="source column")
    type: Literal["number", "category", "ordinal"] = Field(description="how the attribute is read")
    order: list[str] | None = Field(None, description="levels of an ordinal attribute, lowest first")

    @model_validator(mode="after")
    def _order_goes_with_ordinal(self) -> "AttributeSpec":
        if (self.type == "ordinal") != bool(self.order):
            raise ValueError("an ordinal attribute, and no other, has an order")
        if self.order and len(set(self.order)) != len(self.order):
            raise ValueError("the levels of an order are expected once each")
        return self


class SourceSpec(Section):
    """Where a table lies and how its text is to be read."""

    format: Literal["csv", "parquet", "delta", "json", "table"] = Field(description="csv covers csv.gz; table is a catalog table")
    path: str | None = Field(None, description="file, folder, glob, URI, package://PACKAGE/FILE, or the table's name")
    delimiter: str = Field(",", min_length=1, max_length=2, description="csv: field separator")
    encoding: str = Field("UTF-8", description="csv: character set")
    multiline: bool = Field(False, description="csv, json: records may span lines")
    decimal_comma: bool = Field(False, description="numbers in text are written 1.234,50")
    time_zone: str = Field("UTC", description="zone of timestamps written without one")


class TransactionsSource(SourceSpec):
    """Purchase lines."""

    columns: dict[
        Literal[
            "customer_id",
            "order_id",
            "ordered_at",
            "product_id",
            "category",
            "quantity",
            "unit_price",
            "amount",
            "discount",
        ],
        Column,
    ] = Field(description="customer_id and ordered_at, and amount or unit_price, are needed")

    @model_validator(mode="after")
    def _needs(self) -> "TransactionsSource":
        missing = sorted({"customer_id", "ordered_at"} - set(self.columns))
        if missing:
            raise ValueError(f"columns {', '.join(missing)} are expected")
        if not {"amount", "unit_price"} & set(self.columns):
            raise ValueError("columns.amount or columns.unit_price is expected")
        return self


class ProductsSource(SourceSpec):
    """The category of each product."""

    columns: dict[Literal["product_id", "category"], Column] = Field(description="product_id and category")

    @model_validator(mode="after")
    def _needs(self) -> "ProductsSource":
        if set(self.columns) != {"product_id", "category"}:
            raise ValueError("columns product_id and category are expected")
        return self


class CustomersSource(SourceSpec):
    """Attributes of customers."""

    customer_id: Column = Field(description="key of the table")
    attributes: dict[Name, AttributeSpec] = Field(min_length=1, description="attributes by name")


class Sources(Section):
    """What is read; transactions, customers or both."""

    transactions: TransactionsSource | None = None
    products: ProductsSource | None = None
    customers: CustomersSource | None = None

    @model_validator(mode="after")
    def _needs(self) -> "Sources":
        if self.transactions is None and self.customers is None:
            raise ValueError("transactions or customers is expected")
        if self.products is not None and (self.transactions is None or "product_id" not in self.transactions.columns):
            raise ValueError("products goes with transactions that have a product_id")
        return self

    def declared(self) -> dict[str, SourceSpec]:
        """Return the sources that are there, by name."""
        return {name: spec for name in SOURCE_NAMES if (spec := getattr(self, name)) is not None}
