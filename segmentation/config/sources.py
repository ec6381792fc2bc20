"""The sections that say what is read: sources, their columns and attributes."""

import codecs
import re
import unicodedata
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


def _check_place(path: str) -> str:
    if not path or path != path.strip() or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in path):
        raise ValueError(f"a path of one line without blanks at its ends is expected, found {path!r}")
    return path


Name = Annotated[str, AfterValidator(_check_name)]
Place = Annotated[str, AfterValidator(_check_place)]
Pattern = Annotated[str, AfterValidator(check_pattern)]
DatetimePattern = Annotated[str, AfterValidator(check_datetime_pattern)]
SourceColumnName = Annotated[str, Field(min_length=1, max_length=1000)]
_PYTHON_ALONE = ("idna", "punycode", "utf-7", "raw-unicode-escape", "unicode-escape", "palmos", "hz", "mbcs", "oem")
# Names of files of zones that are no zones; Java has none of them.
_NO_ZONES = re.compile("(?i)(?:posix|right)/.*|localtime|posixrules|Factory")
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
        if blank := [level for level in self.order or () if not level or level != level.strip()]:
            # Values lose theirs before they are looked up, and an empty one is missing.
            raise ValueError(f"levels without blanks at their ends are expected, found {blank[0]!r}")
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


def _check_delimiter(delimiter: str) -> str:
    if any(letter.isalnum() or letter in '"\\\r\n\0' for letter in delimiter):
        raise ValueError('no letter, digit, backslash, " or end of a line is expected')
    return delimiter


def _check_encoding(name: str) -> str:
    try:
        "a".encode(name)  # codecs that are no character sets, as base64 and zlib, do not encode text
    except (LookupError, ValueError):
        raise ValueError("a character set as UTF-8 is expected") from None
    if codecs.lookup(name).name in _PYTHON_ALONE:
        raise ValueError("a character set that Java knows as well is expected")
    return name


def _check_zone(name: str) -> str:
    try:
        is_zone = bool(ZoneInfo(name)) and not _NO_ZONES.fullmatch(name)
    except (LookupError, ValueError, OSError):
        is_zone = False
    if not is_zone:
        raise ValueError("a zone as Europe/Berlin is expected")
    return name


# What says how text is to be read goes with text: beside another format it would be passed over in silence.
_OF_FORMATS = {"header": ("csv",), "delimiter": ("csv",), "encoding": ("csv", "json"), "multiline": ("csv", "json")}


class SourceSpec(Section):
    """Where a table lies and how its text is to be read."""

    format: Literal["csv", "parquet", "delta", "json", "table"] = Field(description="csv covers csv.gz; table is a catalog table")
    path: Place | Annotated[list[Place], Field(min_length=1)] | None = Field(
        None, description="file, folder, glob, URI, package://PACKAGE/FILE, or the table's name; a list of files is read as one"
    )
    header: list[SourceColumnName] | None = Field(
        None, min_length=1, description="csv: names of the columns of files without a line of names, in order"
    )
    delimiter: Annotated[str, BeforeValidator(_read_delimiter), AfterValidator(_check_delimiter)] = Field(
        ",", min_length=1, max_length=2, description="csv: field separator; tab is one too"
    )
    encoding: Annotated[str, AfterValidator(_check_encoding)] = Field("UTF-8", description="csv, json: character set")
    multiline: bool = Field(False, description="csv, json: records may span lines")
    decimal_comma: bool = Field(False, description="numbers in text are written 1.234,50")
    time_zone: Annotated[str, AfterValidator(_check_zone)] = Field("UTC", description="zone of timestamps written without one")

    @model_validator(mode="after")
    def _check_lists(self) -> "SourceSpec":
        if self.header is not None and len({name.casefold() for name in self.header}) != len(self.header):
            raise ValueError("header: each name once, whatever its capitals, is expected")
        strays = [name for name, formats in _OF_FORMATS.items() if name in self.model_fields_set and self.format not in formats]
        if strays:
            raise ValueError(f"{', '.join(strays)}: nothing is expected beside format {self.format}")
        is_wide = codecs.lookup(self.encoding).name.startswith(("utf-16", "utf-32"))
        if self.format == "json" and is_wide and not self.multiline:  # Spark cannot tell its lines
            raise ValueError(f"multiline: true is expected beside json in {self.encoding}")
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
