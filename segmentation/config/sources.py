"""The sections that say what is read: sources, their columns and attributes."""

import codecs
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from segmentation.config.patterns import check_datetime_pattern, check_pattern

SOURCE_NAMES = ("transactions", "products", "customers", "objections")
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _check_name(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError("a name of lower-case letters, digits and _, at most 63, is expected")
    return name


Name = Annotated[str, AfterValidator(_check_name)]
Pattern = Annotated[str, AfterValidator(check_pattern)]
DatetimePattern = Annotated[str, AfterValidator(check_datetime_pattern)]
SourceColumnName = Annotated[str, Field(min_length=1, max_length=1000)]
_KEYS = ("customer_id", "order_id", "ordered_at", "product_id", "category")


class Section(BaseModel):
    """Base of every section: frozen, strict, no unknown key."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True)


def _spell_out(value: Any) -> Any:
    return {"from": value} if isinstance(value, str | list) else value


class ColumnSpec(Section):
    """Where a column comes from; a plain name is short for ``{from: name}``."""

    source: SourceColumnName | Annotated[list[SourceColumnName], Field(min_length=1)] = Field(
        alias="from", description="source column, or several to be added up (discount)"
    )
    format: DatetimePattern | None = Field(None, description="date or timestamp pattern of text, as in Spark's datetime patterns")
    remove: Pattern | None = Field(None, description="regular expression cut from text before use")


Column = Annotated[ColumnSpec, BeforeValidator(_spell_out)]


def _check_single(columns: Mapping[Any, ColumnSpec]) -> None:
    several = [name for name in _KEYS if name in columns and not isinstance(columns[name].source, str)]
    if several:
        raise ValueError(f"one source column is expected for {', '.join(several)}; only numbers add up")


class AttributeSpec(Section):
    """One attribute of the customers table."""

    source: SourceColumnName | Annotated[list[SourceColumnName], Field(min_length=1)] = Field(
        alias="from", description="source column, or several numbers to be added up"
    )
    type: Literal["number", "category", "ordinal", "date"] = Field(
        description="how the attribute is read; a date becomes the number of days before as_of"
    )
    format: DatetimePattern | None = Field(None, description="pattern of a date that is text, as in Spark's datetime patterns")
    order: list[str] | None = Field(None, description="levels of an ordinal attribute, lowest first")

    @model_validator(mode="after")
    def _order_goes_with_ordinal(self) -> "AttributeSpec":
        if (self.type == "ordinal") != bool(self.order):
            raise ValueError("an ordinal attribute, and no other, has an order")
        if self.order and len(set(self.order)) != len(self.order):
            raise ValueError("the levels of an order are expected once each")
        if self.type != "number" and not isinstance(self.source, str):
            raise ValueError("one source column is expected; only numbers add up")
        if self.type != "date" and self.format is not None:
            raise ValueError("a format goes with type date")
        return self

    @property
    def is_number(self) -> bool:
        """Whether it becomes a number."""
        return self.kind == "number"

    @property
    def kind(self) -> Literal["number", "category", "ordinal"]:
        """What it is once read: a date is a number of days."""
        return "number" if self.type == "date" else self.type


def _read_delimiter(value: Any) -> Any:
    return "\t" if value in ("tab", "\\t") else value


def _check_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError("a character set as UTF-8 is expected") from None
    return name


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError("a zone as Europe/Berlin is expected") from None
    return name


class SourceSpec(Section):
    """Where a table lies and how its text is to be read."""

    format: Literal["csv", "parquet", "delta", "json", "table"] = Field(description="csv covers csv.gz; table is a catalog table")
    path: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="file, folder, glob, URI, package://PACKAGE/FILE, or the table's name; a list of files is read as one"
    )
    header: list[SourceColumnName] | None = Field(
        None, min_length=1, description="csv: names of the columns of files without a line of names, in order"
    )
    delimiter: Annotated[str, BeforeValidator(_read_delimiter)] = Field(
        ",", min_length=1, max_length=2, description="csv: field separator; tab is one too"
    )
    encoding: Annotated[str, AfterValidator(_check_encoding)] = Field("UTF-8", description="csv: character set")
    multiline: bool = Field(False, description="csv, json: records may span lines")
    decimal_comma: bool = Field(False, description="numbers in text are written 1.234,50")
    time_zone: Annotated[str, AfterValidator(_check_zone)] = Field("UTC", description="zone of timestamps written without one")

    @model_validator(mode="after")
    def _check_lists(self) -> "SourceSpec":
        if self.header is not None and len(set(self.header)) != len(self.header):
            raise ValueError("header: each name once is expected")
        if isinstance(self.path, list) and self.format in ("delta", "table"):
            raise ValueError(f"path: one {self.format} table is expected, found a list")
        return self

    @property
    def paths(self) -> list[str]:
        """The paths, one or several."""
        return self.path if isinstance(self.path, list) else [str(self.path)]


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
        _check_single(self.columns)
        return self


class ProductsSource(SourceSpec):
    """The category of each product."""

    columns: dict[Literal["product_id", "category"], Column] = Field(description="product_id and category")

    @model_validator(mode="after")
    def _needs(self) -> "ProductsSource":
        if set(self.columns) != {"product_id", "category"}:
            raise ValueError("columns product_id and category are expected")
        _check_single(self.columns)
        return self


class CustomersSource(SourceSpec):
    """Attributes of customers."""

    customer_id: Column = Field(description="key of the table")
    attributes: dict[Name, AttributeSpec] = Field(min_length=1, description="attributes by name")

    @model_validator(mode="after")
    def _needs(self) -> "CustomersSource":
        _check_single({"customer_id": self.customer_id})
        return self


class ObjectionsSource(SourceSpec):
    """Customers who object to being profiled: they are left out before anything is computed of them, and counted."""

    customer_id: Column = Field(description="key of the table")

    @model_validator(mode="after")
    def _needs(self) -> "ObjectionsSource":
        _check_single({"customer_id": self.customer_id})
        return self


class Sources(Section):
    """What is read; transactions, customers or both."""

    transactions: TransactionsSource | None = None
    products: ProductsSource | None = None
    customers: CustomersSource | None = None
    objections: ObjectionsSource | None = None

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
