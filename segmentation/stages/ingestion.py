"""Sources to ``transactions``, ``customers``, ``quarantine``, ``row_counts``; those to ``features``. Floor 3."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import types as T
from pyspark.storagelevel import StorageLevel

from segmentation.config import ORDER_FEATURES, Config, CustomersSource
from segmentation.customers import build_customers, judge_keys, judge_orders
from segmentation.features import (
    build_features as join_features,
)
from segmentation.features import (
    build_order_features,
    rank_categories,
    share_name,
)
from segmentation.parallel import side_by_side
from segmentation.quality import KEPT, build_quarantine, check_counts, count_rows, forget_kept_records, is_kept
from segmentation.sources import SourceColumn, read_source, readable
from segmentation.sources.columns import Kind
from segmentation.stages.run import Run, begin_run, check_begun, open_run
from segmentation.tables import CUSTOMERS, DOUBLE, FEATURES, QUARANTINE, ROW_COUNTS, STRING, TRANSACTIONS, Table, column
from segmentation.transactions import (
    add_categories,
    build_transactions,
    complete_transactions,
    judge_purchasers,
    judge_transactions,
)

_KEYS = {"transactions": ("order_id", "product_id"), "products": ("product_id",), "customers": ("customer_id",)}
_KINDS: dict[str, Kind] = {
    "ordered_at": "instant",
    **dict.fromkeys(("quantity", "unit_price", "amount", "discount"), "money"),
}


def ingest(run: Run) -> str:
    """Read every source, clean it, and account for every row."""
    judged: dict[str, DataFrame] = {}
    with _held(judged):
        for name in ("products", "transactions", "customers"):
            if getattr(run.config.sources, name) is not None:
                judged[name] = _judge(run, name, judged)
        # Delta's first read takes seconds of one core, which the first read of a source leaves free.
        work: list[Callable[[], Any]] = [partial(open_run, run)]
        work += [partial(_count, run, name, frame) for name, frame in judged.items()]
        known, *found = side_by_side(run.lake.spark, lambda job: job(), work)
        counts = [row for rows in found for row in rows]
        begin_run(run, known, input_fingerprint=_fingerprint(counts))
        run.write(*_outputs(run, judged, counts))
    rows, kept = sum(row["rows"] for row in counts), sum(row["rows"] for row in counts if row["outcome"] == KEPT)
    return f"{kept:,} of {rows:,} rows kept, {rows - kept:,} set aside"


def _outputs(run: Run, judged: dict[str, DataFrame], counts: list[Row]) -> list[tuple[DataFrame, Table]]:
    aside = [run.frame([], QUARANTINE)]
    for name in sorted({row["source"] for row in counts if row["outcome"] != KEPT}):
        aside.append(build_quarantine(judged[name], source=name, run_id=run.run_id, key=_KEYS[name]))
    outputs = [
        (reduce(DataFrame.unionByName, aside), QUARANTINE),
        (run.frame([row.asDict() for row in counts], ROW_COUNTS), ROW_COUNTS),
    ]
    if "transactions" in judged:
        outputs.insert(0, (build_transactions(judged["transactions"], run_id=run.run_id), TRANSACTIONS))
    if run.config.sources.customers is not None:
        table = _customers_table(run.config.sources.customers)
        outputs.append((build_customers(judged["customers"], table, run_id=run.run_id), table))
    return outputs


def _judge(run: Run, name: str, judged: dict[str, DataFrame]) -> DataFrame:
    sources, cleaning = run.config.sources, run.config.cleaning
    raw = read_source(run.lake.spark, name, getattr(sources, name), _columns(run.config, name))
    if name == "products":
        frame = judge_keys(raw, key="product_id")
    elif name == "customers":
        frame = judge_keys(raw, key="customer_id")
        if "transactions" in judged and run.config.features.customers_without_orders == "exclude":
            frame = judge_orders(frame, judged["transactions"].where(is_kept()))
    else:
        assert run.config.as_of is not None  # load_config asks for it
        frame = judge_transactions(
            complete_transactions(raw, return_order_pattern=cleaning.return_order_pattern),
            as_of=run.config.as_of,
            returns=cleaning.returns,
            non_product_pattern=cleaning.non_product_pattern,
            non_positive_prices=cleaning.non_positive_prices,
            exact_duplicates=cleaning.exact_duplicates,
        )
        if cleaning.returns == "net" and run.config.features.customers_without_orders == "exclude":
            frame = judge_purchasers(frame)
        if "products" in judged:
            frame = add_categories(frame, judged["products"].where(is_kept()))
    return forget_kept_records(frame).persist(StorageLevel.MEMORY_AND_DISK)


def _count(run: Run, name: str, judged: DataFrame) -> list[Row]:
    with readable(f"sources.{name} ({getattr(run.config.sources, name).path})"):
        rows = count_rows(judged, source=name, run_id=run.run_id).collect()
    check_counts(
        {row["outcome"]: row["rows"] for row in rows},
        source=name,
        max_set_aside_share=run.config.cleaning.max_set_aside_share,
    )
    return rows


def _columns(config: Config, name: str) -> list[SourceColumn]:
    if name == "customers":
        customers = config.sources.customers
        assert customers is not None  # only sources that are there are read
        key = customers.customer_id
        kinds: dict[str, Kind] = {"number": "number", "category": "text", "ordinal": "level"}
        return [
            SourceColumn("customer_id", _names(key.source), "text", remove=key.remove),
            *(
                SourceColumn(attribute, (spec.source,), kinds[spec.type], levels=tuple(spec.order or ()))
                for attribute, spec in customers.attributes.items()
            ),
        ]
    return [
        SourceColumn(column_name, _names(spec.source), _KINDS.get(column_name, "text"), spec.format, spec.remove)
        for column_name, spec in getattr(config.sources, name).columns.items()
    ]


def _names(source: str | list[str]) -> tuple[str, ...]:
    return (source,) if isinstance(source, str) else tuple(source)


@contextmanager
def _held(judged: dict[str, DataFrame]) -> Iterator[None]:
    """Let go of the cached frames at the end, also after an error."""
    try:
        yield
    finally:
        for frame in judged.values():
            frame.unpersist()


def _fingerprint(counts: list[Row]) -> str:
    text = "\n".join(sorted(f"{row['source']} {row['outcome']} {row['rows']} {row['fingerprint']}" for row in counts))
    return hashlib.sha256(text.encode()).hexdigest()


def _attribute_columns(customers: CustomersSource | None) -> tuple[T.StructField, ...]:
    if customers is None:
        return ()
    return tuple(
        column(name, DOUBLE if spec.type == "number" else STRING, f"{spec.type} attribute from {spec.source}")
        for name, spec in customers.attributes.items()
    )


def _customers_table(customers: CustomersSource) -> Table:
    return CUSTOMERS.widened(_attribute_columns(customers))


def build_features(run: Run) -> str:
    """Summarise transactions and attributes per customer."""
    check_begun(run)
    config = run.config
    orders, categories = None, list[str]()
    if config.sources.transactions is not None:
        assert config.as_of is not None  # load_config asks for it
        transactions = run.read(TRANSACTIONS)
        shares = config.features.category_shares
        if shares is not None:
            top = rank_categories(transactions, top=shares.top).collect() if shares.top else []
            categories = shares.categories or [row["category"] for row in top]
        orders = build_order_features(
            transactions, as_of=config.as_of, max_quantity=config.features.max_quantity, categories=categories
        )
    customers = None
    if config.sources.customers is not None:
        customers = run.read(_customers_table(config.sources.customers))
        customers = customers.select("run_id", "customer_id", *config.sources.customers.attributes)
    extra = tuple(column(share_name(name), DOUBLE, f"net spend on {name} / net spend, 0 to 1") for name in categories)
    table = FEATURES.widened(extra + _attribute_columns(config.sources.customers))
    run.write((join_features(orders, customers, table, run_id=run.run_id, as_of=config.as_of), table))
    return (
        f"{len(ORDER_FEATURES) if orders is not None else 0} order features, {len(table.columns) - len(FEATURES.columns)} others"
    )
