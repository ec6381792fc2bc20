"""What a configuration declares of its sources, as columns to read and conditions to hold."""

from collections.abc import Sequence
from datetime import date

from segmentation.config.schema import Rule
from segmentation.config.sources import CustomersSource, ObjectionsSource, ProductsSource, SourceSpec, TransactionsSource
from segmentation.ingest.columns import Kind, SourceColumn
from segmentation.ingest.rules import Condition

_KINDS: dict[str, Kind] = {
    "ordered_at": "instant",
    **dict.fromkeys(("quantity", "unit_price", "amount", "discount"), "money"),
}
_ATTRIBUTE_KINDS: dict[str, Kind] = {"number": "number", "category": "text", "ordinal": "level", "date": "days"}


def declare_columns(spec: SourceSpec, *, as_of: date | None) -> list[SourceColumn]:
    """Return the columns of a source; attributes that are dates count the days before ``as_of``."""
    if isinstance(spec, CustomersSource):
        key = spec.customer_id
        return [
            SourceColumn("customer_id", _names(key.source), "text", remove=key.remove),
            *(
                SourceColumn(
                    name, _names(one.source), _ATTRIBUTE_KINDS[one.type], one.format, levels=tuple(one.order or ()), as_of=as_of
                )
                for name, one in spec.attributes.items()
            ),
        ]
    if isinstance(spec, ObjectionsSource):
        return [SourceColumn("customer_id", _names(spec.customer_id.source), "text", remove=spec.customer_id.remove)]
    assert isinstance(spec, TransactionsSource | ProductsSource)
    return [
        SourceColumn(name, _names(one.source), _KINDS.get(name, "text"), one.format, one.remove)
        for name, one in spec.columns.items()
    ]


def declare_conditions(rules: Sequence[Rule], source: str) -> list[Condition]:
    """Return the conditions that rows of a source shall fulfil."""
    return [Condition(one.name, one.expression, one.action, one.max_share) for one in rules if one.source == source]


def _names(source: str | list[str]) -> tuple[str, ...]:
    return (source,) if isinstance(source, str) else tuple(source)
