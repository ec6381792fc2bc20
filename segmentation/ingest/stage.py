"""Sources to ``transactions``, ``customers``, ``quarantine``, ``row_counts``, ``checks``."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.sources import CustomersSource
from segmentation.errors import QualityError
from segmentation.frames import aggregate, observe
from segmentation.ingest.causes import readable
from segmentation.ingest.columns import source_column
from segmentation.ingest.customers import KeyRule, build_customers
from segmentation.ingest.dates import check_dates, suggest_pattern
from segmentation.ingest.declared import declare_columns, declare_conditions
from segmentation.ingest.files import SMALL_BYTES, bound_bytes, read_source, size_of, stamp_sources, told
from segmentation.ingest.here import has_twice, part_customers
from segmentation.ingest.reasons import (
    OBJECTION,
    Tally,
    build_quarantine,
    check_counts,
    check_objectors,
    count_aside,
    count_unreadable,
    find_near_objectors,
    is_kept,
    judge_objections,
    read_tally,
    tallies,
    tell_reasons,
)
from segmentation.ingest.rules import Condition, breaches, check_breaches, judge_conditions
from segmentation.ingest.transactions import (
    add_categories,
    build_transactions,
    check_categories,
    complete_transactions,
    find_non_buyers,
    judge_purchasers,
    judge_transactions,
    uncategorised,
)
from segmentation.readings import customers_table
from segmentation.run import Run, begin_run, note, row_bytes
from segmentation.tables import CHECKS, KEPT, PUBLISHED, QUARANTINE, ROW_COUNTS, TRANSACTIONS, Rows
from segmentation.warehouse.lake import COLLECTED_ROWS

_KEYS = {
    "transactions": ("order_id", "product_id"),
    "products": ("product_id",),
    **dict.fromkeys(("customers", "objections"), ("customer_id",)),
}
_WRITTEN = ("transactions", "customers")


def ingest(run: Run) -> str:
    """Read every source, clean it, and account for every row."""
    is_published = begin_run(run)["status"] == PUBLISHED
    # Before a byte is read: what changes meanwhile has another stamp afterwards. A repetition of a run is judged by its rows.
    stamp = {} if is_published else {"source_files": stamp_sources(run.lake.spark, run.config.sources)}
    judged: dict[str, Judged] = {}
    try:
        for name in ("objections", "products", "transactions", "customers"):
            if getattr(run.config.sources, name) is not None:
                run.step(f"read {name}")
                judged[name] = _judge(run, name, judged, only_look=is_published)
                if name == "objections":
                    _check_objections(run, judged[name])
        run.step("count rows set aside")
        aside, counts = _count_aside(run, judged)
        note(run, input_fingerprint=_fingerprint(counts), **stamp)
        if is_published:
            for name in (one for one in _WRITTEN if one in judged):
                _write(run, name, judged[name].frame, tallies(kept=is_kept()), rows=judged[name].kept.rows)
        run.write_rows((counts, ROW_COUNTS), (_suspect(run, judged, counts), CHECKS))
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
    """The rows of a source with their reasons; how many there are, are kept, and break a condition though they are kept.

    And how many are kept with a product of which no category is known.
    """

    frame: DataFrame
    read: Tally
    kept: Tally
    broken: dict[str, int]
    uncategorised: int = 0

    @classmethod
    def counted(cls, frame: DataFrame, row: Mapping[str, Any], conditions: Sequence[Condition]) -> "Judged":
        """Return the rows with what a row of ``tallies`` and ``breaches`` counted."""
        broken = {one.name: row[one.column] for one in conditions if one.action != "quarantine"}
        return cls(frame, read_tally(row, "read"), read_tally(row, "kept"), broken, row.get("uncategorised", 0))


def _judge(run: Run, name: str, judged: dict[str, Judged], *, only_look: bool) -> Judged:
    """Judge the rows of a source, and unless it is only looked at write those that its table keeps, in the same pass."""
    spec = getattr(run.config.sources, name)
    conditions = declare_conditions(run.config.rules, name)
    looks = only_look or name not in _WRITTEN
    with readable(f"sources.{name} ({told(spec)})"):
        here = name == "customers" and not looks and _takes_in(run, spec)
        # This process takes in one part as soon as several.
        raw = read_source(run.lake.spark, name, spec, declare_columns(spec, as_of=run.config.as_of), spreads=not here)
        if name in _WRITTEN and "objections" in judged:
            raw = judge_objections(raw, judged["objections"].frame.where(is_kept()).select("customer_id"))
        counts = [*tallies(read=F.lit(True), kept=is_kept()), *breaches(conditions)]
        if name == "transactions":
            frame = _judge_transactions(run, raw, judged, conditions)
            counts += [uncategorised()] if "products" in judged else []
            bound = COLLECTED_ROWS if size_of(raw) <= SMALL_BYTES else None
            row = aggregate(frame, counts) if looks else _write(run, name, frame, counts, rows=bound)
            return Judged.counted(frame, row, conditions)
        raw, rule = judge_conditions(raw, conditions, source=name), _key_rule(run, name, judged)
        if here:
            return _judge_here(run, raw, rule, conditions)
        if looks:
            return Judged.counted(*_look(raw, rule, counts), conditions)
        of_keys = aggregate(raw, rule.counts)
        frame = rule.judge(raw, is_kept=rule.is_kept_by(of_keys))
        return Judged.counted(frame, _write(run, name, frame, counts, rows=of_keys["rows"]), conditions)


def _look(raw: DataFrame, rule: KeyRule, counts: Sequence[Column]) -> tuple[DataFrame, dict[str, Any]]:
    """Return the rows judged and ``counts`` of them; a second pass ranks them where a key comes twice."""
    frame = rule.judge(raw, is_kept=True)
    row = aggregate(frame, [*counts, *rule.counts])
    if rule.is_kept_by(row):
        return frame, row
    frame = rule.judge(raw, is_kept=False)
    return frame, aggregate(frame, counts)


def _key_rule(run: Run, name: str, judged: Mapping[str, Judged]) -> KeyRule:
    """Return how a source with a row per key is judged."""
    is_held = name == "customers" and "transactions" in judged and run.config.features.customers_without_orders == "exclude"
    return KeyRule(_KEYS[name][0], run.read(TRANSACTIONS) if is_held else None)


def _takes_in(run: Run, spec: CustomersSource) -> bool:
    """Say whether the customers of a source come into this process."""
    size = bound_bytes(spec, row_bytes(customers_table(spec))) if run.takes_in(0) else None
    return size is not None and run.takes_in(size)


def _judge_here(run: Run, raw: DataFrame, rule: KeyRule, conditions: Sequence[Condition]) -> Judged:
    """Judge customers and write those kept, by one pass that brings all into this process; by two where an id comes twice."""
    assert run.config.sources.customers is not None  # whose rows they are
    table = customers_table(run.config.sources.customers)
    names = [one.name for one in table.columns if one.name != "run_id"]
    flags = {one.name: one.column for one in conditions if one.action != "quarantine"}

    def collect(frame: DataFrame) -> pa.Table:
        return frame.select(*map(source_column, (*names, *flags.values(), "_row_hash", "_is_kept"))).toArrow()

    frame = rule.judge(raw, is_kept=True)
    rows = collect(frame)
    if has_twice(rows[rule.key]):
        del rows
        frame = rule.judge(raw, is_kept=False)
        rows = collect(frame)
    parted = part_customers(rows, names, flags, run_id=run.run_id)
    run.write_arrow(parted.customers, table)
    if run.config.sources.transactions is None:
        run.hands.tables[table.name] = parted.customers
    return Judged(frame, parted.read, parted.kept, parted.broken)


def _judge_transactions(run: Run, raw: DataFrame, judged: dict[str, Judged], conditions: Sequence[Condition]) -> DataFrame:
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
    frame = judge_conditions(frame, conditions, source="transactions")
    if cleaning.returns == "net" and run.config.features.customers_without_orders == "exclude":
        non_buyers = run.hold(find_non_buyers(frame))
        if not non_buyers.isEmpty():
            frame = judge_purchasers(frame, non_buyers)
    if "products" in judged:
        frame = add_categories(frame, judged["products"].frame.where(is_kept()))
    return frame


def _write(run: Run, name: str, judged: DataFrame, counts: Sequence[Column], *, rows: int | None) -> dict[str, Any]:
    """Write the rows kept, at most ``rows`` (None: any number), and work out ``counts`` of all in the same pass."""
    observed, tell = observe(judged, counts)
    if name == "transactions":
        run.write_frame(build_transactions(observed, run_id=run.run_id), TRANSACTIONS, rows=rows)
    else:
        assert run.config.sources.customers is not None  # only sources that are there are judged
        table = customers_table(run.config.sources.customers)
        run.write_frame(build_customers(observed, table, run_id=run.run_id), table, rows=rows)
    return tell()


def _suspect(run: Run, judged: Mapping[str, Judged], counts: Rows) -> Rows:
    """Return rows of ``tables.CHECKS`` about what was read.

    Raises
    ------
    QualityError
        If too many rows do not fulfil a condition of the configuration.
    """
    checks: Rows = []
    for name, one in judged.items():
        of_source = {row["outcome"]: row["rows"] for row in counts if row["source"] == name}
        if name == "transactions":
            unreadable = of_source.get("unreadable_ordered_at", 0)
            checks += check_dates(unreadable, one.read.rows, _suggest(run, one) if unreadable else "")
        conditions = declare_conditions(run.config.rules, name)
        broken = {condition.name: one.broken.get(condition.name, of_source.get(condition.name, 0)) for condition in conditions}
        checks += check_breaches(conditions, broken, rows=one.read.rows, source=name)
        checks += check_categories(one.uncategorised, one.kept.rows)
    if "objections" in judged and judged["objections"].kept.rows:
        objectors = judged["objections"].frame.where(is_kept())
        sources = [run.read(TRANSACTIONS)] if "transactions" in judged else []
        sources += [judged["customers"].frame.where(is_kept())] if "customers" in judged else []
        near = any(not find_near_objectors(one, objectors).isEmpty() for one in sources)
        checks += check_objectors(near=near, left_out=sum(row["rows"] for row in counts if row["outcome"] == OBJECTION))
    return checks


def _suggest(run: Run, judged: Judged) -> str:
    assert run.config.sources.transactions is not None  # whose rows they are
    column = run.config.sources.transactions.columns["ordered_at"]
    assert isinstance(column.source, str)  # as the configuration makes sure
    return suggest_pattern(judged.frame, column.source, column.format)


def _count_aside(run: Run, judged: Mapping[str, Judged]) -> tuple[DataFrame | None, list[dict[str, Any]]]:
    """Return the rows set aside (None without any), cached, and the rows of ``tables.ROW_COUNTS``.

    Raises
    ------
    QualityError
        If a source is empty, or too much of it was set aside.
    """
    keeps_records = run.config.privacy.raw_records == "keep"
    frames = [
        build_quarantine(one.frame, source=name, run_id=run.run_id, key=_KEYS[name], keeps_records=keeps_records)
        for name, one in judged.items()
        if one.read.rows > one.kept.rows
    ]
    aside = run.hold(reduce(DataFrame.unionByName, frames)) if frames else None
    found = [row.asDict() for row in count_aside(aside).collect()] if aside is not None else []
    tallied = [(row["source"], row["outcome"], read_tally(row, "aside")) for row in found]
    tallied += [(name, KEPT, one.kept) for name, one in judged.items() if one.kept.rows]
    cleaning = run.config.cleaning
    for name in judged:
        found_of = {outcome: tally.rows for source, outcome, tally in tallied if source == name}
        if name == "objections":  # checked before any other source was read
            continue
        check_counts(found_of, source=name, max_set_aside_share=cleaning.max_set_aside_share)
        unreadable = count_unreadable(found_of)
        if unreadable > cleaning.max_unreadable_share * sum(found_of.values()):
            hint = _suggest(run, judged[name]) if "unreadable_ordered_at" in found_of else ""
            raise QualityError(
                f"sources.{name}",
                expected=f"at most {cleaning.max_unreadable_share:.0%} of rows not as declared (cleaning.max_unreadable_share)",
                found=f"{unreadable:,} of {sum(found_of.values()):,}: {tell_reasons(found_of)}{hint}",
            )
    counts = [
        {"source": source, "outcome": outcome, "rows": tally.rows, "fingerprint": tally.fingerprint}
        for source, outcome, tally in sorted(tallied, key=lambda one: one[:2])
    ]
    return aside, counts


def _check_objections(run: Run, judged: Judged) -> None:
    """Refuse objections of which one cannot be read, before any customer is stored: whoever is not read may have objected.

    Raises
    ------
    QualityError
    """
    found = {KEPT: judged.kept.rows} if judged.kept.rows else {}
    if judged.read.rows > judged.kept.rows:
        aside = build_quarantine(judged.frame, source="objections", run_id=run.run_id, key=_KEYS["objections"])
        found |= {row["outcome"]: row["aside_rows"] for row in count_aside(aside).collect()}
    if found:  # or nobody objects
        check_counts(found, source="objections", max_set_aside_share=run.config.cleaning.max_set_aside_share)
    if unreadable := count_unreadable(found):
        told_of = f"{unreadable:,} of {judged.read.rows:,}: {tell_reasons(found)}"
        raise QualityError("sources.objections", expected="every row as declared", found=told_of)


def _fingerprint(counts: list[dict[str, Any]]) -> str:
    text = "\n".join(sorted(f"{row['source']} {row['outcome']} {row['rows']} {row['fingerprint']}" for row in counts))
    return hashlib.sha256(text.encode()).hexdigest()
