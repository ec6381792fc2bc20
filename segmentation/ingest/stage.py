"""Sources to ``transactions``, ``customers``, ``quarantine``, ``row_counts``."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, Observation, Row
from pyspark.sql import functions as F

from segmentation.config.schema import Config
from segmentation.ingest.columns import Kind, SourceColumn
from segmentation.ingest.customers import build_customers, judge_keys, judge_missing_keys, judge_orders
from segmentation.ingest.files import SMALL_BYTES, read_source, readable, size_of
from segmentation.ingest.reasons import Tally, build_quarantine, check_counts, count_aside, is_kept, read_tally, tallies
from segmentation.ingest.transactions import (
    add_categories,
    build_transactions,
    complete_transactions,
    find_non_buyers,
    judge_purchasers,
    judge_transactions,
)
from segmentation.readings import customers_table
from segmentation.run import Run, begin_run, note
from segmentation.tables import KEPT, PUBLISHED, QUARANTINE, ROW_COUNTS, TRANSACTIONS
from segmentation.warehouse.lake import COLLECTED_ROWS

_KEYS = {"transactions": ("order_id", "product_id"), "products": ("product_id",), "customers": ("customer_id",)}
_KINDS: dict[str, Kind] = {
    "ordered_at": "instant",
    **dict.fromkeys(("quantity", "unit_price", "amount", "discount"), "money"),
}


def ingest(run: Run) -> str:
    """Read every source, clean it, and account for every row."""
    is_published = begin_run(run)["status"] == PUBLISHED
    judged: dict[str, Judged] = {}
    try:
        for name in ("products", "transactions", "customers"):
            if getattr(run.config.sources, name) is not None:
                judged[name] = _judge(run, name, judged, only_look=is_published)
        aside, counts = _count_aside(run, judged)
        note(run, input_fingerprint=_fingerprint(counts))
        if is_published and "transactions" in judged:
            _write_transactions(run, judged["transactions"].frame, is_small=False)
        if "customers" in judged:
            _write_customers(run, judged["customers"])
        run.write_rows((counts, ROW_COUNTS))
        rows, kept = sum(row["rows"] for row in counts), sum(row["rows"] for row in counts if row["outcome"] == KEPT)
        if aside is None:
            run.write_rows(([], QUARANTINE))
        else:
            run.write_frame(aside, QUARANTINE, rows=rows - kept)
    finally:
        run.let_go()
    return f"{kept:,} of {rows:,} rows kept, {rows - kept:,} set aside"


@dataclass(frozen=True)
class Judged:
    """The rows of a source with their reasons; how many there are, and how many are kept."""

    frame: DataFrame
    read: Tally
    kept: Tally


def _judge(run: Run, name: str, judged: dict[str, Judged], *, only_look: bool) -> Judged:
    spec = getattr(run.config.sources, name)
    with readable(f"sources.{name} ({spec.path})"):
        raw = read_source(run.lake.spark, name, spec, _columns(run.config, name))
        if name == "transactions":
            frame, is_small = _judge_transactions(run, raw, judged), size_of(raw) <= SMALL_BYTES
            return Judged(frame, *(_look(frame) if only_look else _write_transactions(run, frame, is_small=is_small)))
        if name == "customers" and "transactions" in judged and run.config.features.customers_without_orders == "exclude":
            return _judge_keys(raw, key="customer_id", buyers=run.read(TRANSACTIONS))
        return _judge_keys(raw, key="product_id" if name == "products" else "customer_id")


def _judge_keys(raw: DataFrame, *, key: str, buyers: DataFrame | None = None) -> Judged:
    """Judge a source with a row per key; rank rows of the same key only where there are some."""

    def look(frame: DataFrame) -> tuple[DataFrame, Row]:
        frame = frame if buyers is None else judge_orders(frame, buyers)
        found = frame.agg(
            *tallies(read=F.lit(True), kept=is_kept()), F.count(key).alias("keys"), F.count_distinct(key).alias("ids")
        )
        return frame, found.collect()[0]

    frame, row = look(judge_missing_keys(raw, key=key))
    if row["keys"] > row["ids"]:
        frame, row = look(judge_keys(raw, key=key))
    return Judged(frame, read_tally(row.asDict(), "read"), read_tally(row.asDict(), "kept"))


def _judge_transactions(run: Run, raw: DataFrame, judged: dict[str, Judged]) -> DataFrame:
    cleaning = run.config.cleaning
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
        non_buyers = run.hold(find_non_buyers(frame))
        if not non_buyers.isEmpty():
            frame = judge_purchasers(frame, non_buyers)
    if "products" in judged:
        frame = add_categories(frame, judged["products"].frame.where(is_kept()))
    return frame


def _write_transactions(run: Run, judged: DataFrame, *, is_small: bool) -> tuple[Tally, Tally]:
    """Write the lines kept and count all in the same pass; return the tallies of lines read and kept."""
    seen = Observation()
    watched = judged.observe(seen, *tallies(read=F.lit(True), kept=is_kept()))
    bound = COLLECTED_ROWS if is_small else None
    run.write_frame(build_transactions(watched, run_id=run.run_id), TRANSACTIONS, rows=bound)
    try:
        found = seen.get
    except Py4JJavaError:  # a catalog's CREATE TABLE AS SELECT tells nothing of what it saw
        return _look(judged)
    return read_tally(found, "read"), read_tally(found, "kept")


def _look(judged: DataFrame) -> tuple[Tally, Tally]:
    row = judged.agg(*tallies(read=F.lit(True), kept=is_kept())).collect()[0].asDict()
    return read_tally(row, "read"), read_tally(row, "kept")


def _write_customers(run: Run, judged: Judged) -> None:
    assert run.config.sources.customers is not None  # only sources that are there are judged
    table = customers_table(run.config.sources.customers)
    run.write_frame(build_customers(judged.frame, table, run_id=run.run_id), table, rows=judged.kept.rows)


def _count_aside(run: Run, judged: Mapping[str, Judged]) -> tuple[DataFrame | None, list[dict[str, Any]]]:
    """Return the rows set aside (None without any), cached, and the rows of ``tables.ROW_COUNTS``.

    Raises
    ------
    QualityError
        If a source is empty, or too much of it was set aside.
    """
    frames = [
        build_quarantine(one.frame, source=name, run_id=run.run_id, key=_KEYS[name])
        for name, one in judged.items()
        if one.read.rows > one.kept.rows
    ]
    aside = run.hold(reduce(DataFrame.unionByName, frames)) if frames else None
    found = [row.asDict() for row in count_aside(aside).collect()] if aside is not None else []
    tallied = [(row["source"], row["outcome"], read_tally(row, "aside")) for row in found]
    tallied += [(name, KEPT, one.kept) for name, one in judged.items() if one.kept.rows]
    for name in judged:
        check_counts(
            {outcome: tally.rows for source, outcome, tally in tallied if source == name},
            source=name,
            max_set_aside_share=run.config.cleaning.max_set_aside_share,
        )
    counts = [
        {"source": source, "outcome": outcome, "rows": tally.rows, "fingerprint": tally.fingerprint}
        for source, outcome, tally in sorted(tallied, key=lambda one: one[:2])
    ]
    return aside, counts


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


def _fingerprint(counts: list[dict[str, Any]]) -> str:
    text = "\n".join(sorted(f"{row['source']} {row['outcome']} {row['rows']} {row['fingerprint']}" for row in counts))
    return hashlib.sha256(text.encode()).hexdigest()
