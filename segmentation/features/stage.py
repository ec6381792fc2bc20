"""``transactions`` and ``customers`` to ``features``, laid out for all that follows."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import Column as Aggregate
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.catalogue import BY_NAME
from segmentation.clustering.fits import count_partitions, lay_out
from segmentation.features.checks import (
    MOST_IDS,
    can_differ_by_case,
    check_counts,
    check_customers,
    check_overlap,
    is_beyond_ascii,
    observed,
)
from segmentation.features.here import list_features, observe_here
from segmentation.features.orders import build_features as join_features
from segmentation.features.orders import build_order_features, name_shares, rank_categories
from segmentation.frames import aggregate, conform
from segmentation.readings import attribute_columns, computed_shares, customers_table
from segmentation.run import Run, check_begun, note, row_bytes
from segmentation.tables import (
    CHECKS,
    CUSTOMERS,
    DOUBLE,
    FEATURES,
    KEPT,
    ROW_COUNTS,
    RUNS,
    STRING,
    TRANSACTIONS,
    Column,
    Rows,
    Table,
)
from segmentation.warehouse.champions import find_champion
from segmentation.warehouse.mending import find_shown


def build_features(run: Run) -> str:
    """Summarise transactions and attributes per customer, and lay the customers out for all that follows by Spark."""
    check_begun(run)
    run.step("sum up customers")
    config, use = run.config, run.config.features.use
    orders, categories = _sum_up_orders(run)
    has_orders = orders is not None
    extra = tuple(Column(name, DOUBLE, f"net spend on {one} / net spend, 0 to 1") for name, one in categories.items())
    table = FEATURES.widened(extra + attribute_columns(config.sources.customers))
    numbers = [one.name for one in table.columns if one.type != STRING and one.name in use and use[one.name].role == "cluster"]
    at_hand = run.hands.tables.pop(CUSTOMERS.name, None)
    if at_hand is not None:  # customers of a score without orders
        rows = list_features(at_hand, table, as_of=config.as_of)
        bound, seen, ids = len(rows), *_write_here(run, rows, table, numbers, has_orders=has_orders)
    else:
        features = join_features(orders, _attributes(run), table, run_id=run.run_id, as_of=config.as_of)
        counted, bound = _bound(run, features)
        if run.takes_in(bound * row_bytes(table)):
            seen, ids = _write_here(run, conform(counted, table).toArrow(), table, numbers, has_orders=has_orders)
        else:
            seen, ids = _lay_out(run, counted, bound, table, observed(has_orders=has_orders, numbers=numbers))
    run.let_go(but=run.hands.frames.get(FEATURES.name))
    run.step("look for what is odd")
    suspicions = _suspect(run, seen, ids)
    run.write_rows(([*(row for row in run.read_rows(CHECKS) if row["stage"] == "ingest"), *suspicions], CHECKS))
    note(
        run,
        customers=seen["customers"],
        layout_partitions=_count_partitions(run, bound),
        category_shares=json.dumps(categories, ensure_ascii=False),
    )
    return f"{len(BY_NAME) if has_orders else 0} order features, {len(table.columns) - len(FEATURES.columns)} others"


def _sum_up_orders(run: Run) -> tuple[DataFrame | None, dict[str, str]]:
    """Return the order features, None without transactions, and the category of each share by its column."""
    config, categories = run.config, dict[str, str]()
    if config.sources.transactions is None:
        return None, categories
    assert config.as_of is not None  # load_config asks for it
    transactions = run.read(TRANSACTIONS)
    shares = config.features.category_shares
    if run.scored_with:  # the model knows these columns and no others
        categories = computed_shares(run.read_model_rows(RUNS)[0])
    elif shares is not None:
        top = rank_categories(transactions, top=shares.top).collect() if shares.top else []
        categories = name_shares(shares.categories or [row["category"] for row in top])
    how: dict[str, Any] = {"as_of": config.as_of, "max_quantity": config.features.max_quantity, "categories": categories}
    return build_order_features(transactions, **how), categories


def _attributes(run: Run) -> DataFrame | None:
    """Return the customers with their attributes, None without such a source."""
    source = run.config.sources.customers
    if source is None:
        return None
    return run.read(customers_table(source)).select("run_id", "customer_id", *source.attributes)


def _write_here(
    run: Run, rows: pa.Table, table: Table, numbers: Sequence[str], *, has_orders: bool
) -> tuple[dict[str, Any], list[str]]:
    """Write the features from this process and hand them on to it; return what is counted of them."""
    run.write_arrow(rows, table)
    run.hands.tables[FEATURES.name] = rows
    return observe_here(rows, numbers=numbers, has_orders=has_orders)


def _lay_out(
    run: Run, features: DataFrame, bound: int, table: Table, counts: Sequence[Aggregate]
) -> tuple[dict[str, Any], list[str]]:
    """Write the features in the canonical layout, cached, and hand them on; return what ``observe_here`` does."""
    laid_out = run.hold(lay_out(features, partitions=_count_partitions(run, bound)))
    run.write_frame(laid_out, table, rows=bound)
    run.hands.frames[FEATURES.name] = laid_out
    seen, ids = aggregate(laid_out, counts), list[str]()
    seen["folded"] = seen["customers"]
    if can_differ_by_case(seen):
        seen["folded"] = aggregate(laid_out, [F.count_distinct(F.lower("customer_id")).alias("folded")])["folded"]
    if 0 < seen["beyond"] <= MOST_IDS:
        ids = [row["customer_id"] for row in laid_out.where(is_beyond_ascii()).select("customer_id").collect()]
    return seen, ids


def _count_partitions(run: Run, bound: int) -> int:
    return run.config.clustering.partitions or count_partitions(bound)


def _suspect(run: Run, seen: dict[str, Any], ids: list[str]) -> Rows:
    """Return rows of ``tables.CHECKS`` about the customers, by ``observed``, and about the rows beside the run before's."""
    kept = {one["source"]: one["rows"] for one in run.read_rows(ROW_COUNTS) if one["outcome"] == KEPT}
    overlap: Rows = []
    if run.config.sources.transactions is not None and "customers" in kept:
        sources = {"with_orders": seen["with_orders"], "with_attributes": kept["customers"]}
        overlap = check_overlap(seen["customers"], **sources, min_cell=run.config.privacy.min_cell)
    return [*check_customers(seen, ids=ids, min_cell=run.config.privacy.min_cell), *overlap, *compare_counts(run)]


def compare_counts(run: Run) -> Rows:
    """Return rows of ``tables.CHECKS`` about the run's rows, beside those of the run that is shown now."""
    others = [one for one in run.lake.read_rows(RUNS) if one["run_id"] != run.run_id]
    before = find_shown(others, champion=find_champion(run.lake))
    counts = run.lake.read_rows(ROW_COUNTS, run_ids=[before["run_id"]]) if before else []
    return check_counts(run.read_rows(ROW_COUNTS), counts, before_id=before["run_id"] if before else None)


def _bound(run: Run, features: DataFrame) -> tuple[DataFrame, int]:
    """Return the features, cached where they had to be counted, and their number or a bound of it."""
    sources = {"transactions", "customers"}
    kept = {
        row["source"]: row["rows"] for row in run.read_rows(ROW_COUNTS) if row["outcome"] == KEPT and row["source"] in sources
    }
    bound = sum(kept.values())
    is_counted = "transactions" not in kept  # then every row is a customer
    if run.config.clustering.partitions or is_counted or count_partitions(bound) == 1:
        return features, bound
    # Only a count tells the partitions, and counting is working it all out.
    counted = run.hold(features)
    return counted, counted.count()
