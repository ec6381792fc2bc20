"""``transactions`` and ``customers`` to ``features``, laid out for all that follows."""

import json

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
from segmentation.features.orders import build_features as join_features
from segmentation.features.orders import build_order_features, name_shares, rank_categories
from segmentation.readings import attribute_columns, computed_shares, customers_table
from segmentation.run import Run, check_begun, note
from segmentation.tables import CHECKS, DOUBLE, FEATURES, KEPT, ROW_COUNTS, RUNS, TRANSACTIONS, Column, Rows
from segmentation.warehouse.champions import find_champion
from segmentation.warehouse.mending import find_shown


def build_features(run: Run) -> str:
    """Summarise transactions and attributes per customer, and lay the customers out for all that follows."""
    check_begun(run)
    run.step("sum up customers")
    config = run.config
    orders, categories = None, dict[str, str]()
    if config.sources.transactions is not None:
        assert config.as_of is not None  # load_config asks for it
        transactions = run.read(TRANSACTIONS)
        shares = config.features.category_shares
        if run.scored_with:  # the model knows these columns and no others
            categories = computed_shares(run.read_model_rows(RUNS)[0])
        elif shares is not None:
            top = rank_categories(transactions, top=shares.top).collect() if shares.top else []
            categories = name_shares(shares.categories or [row["category"] for row in top])
        orders = build_order_features(
            transactions, as_of=config.as_of, max_quantity=config.features.max_quantity, categories=categories
        )
    customers = None
    if config.sources.customers is not None:
        customers = run.read(customers_table(config.sources.customers))
        customers = customers.select("run_id", "customer_id", *config.sources.customers.attributes)
    extra = tuple(Column(name, DOUBLE, f"net spend on {one} / net spend, 0 to 1") for name, one in categories.items())
    table = FEATURES.widened(extra + attribute_columns(config.sources.customers))
    features = join_features(orders, customers, table, run_id=run.run_id, as_of=config.as_of)
    laid_out, bound, partitions = _lay_out(run, features)
    run.write_frame(laid_out, table, rows=bound)
    run.hands.frames[FEATURES.name] = laid_out
    run.let_go(but=laid_out)
    run.step("look for what is odd")
    count = run.lake.store.count(FEATURES, run.run_id)
    suspicions = _suspect(run, laid_out)
    run.write_rows(([*(row for row in run.read_rows(CHECKS) if row["stage"] == "ingest"), *suspicions], CHECKS))
    note(run, customers=count, layout_partitions=partitions, category_shares=json.dumps(categories, ensure_ascii=False))
    return f"{len(BY_NAME) if orders is not None else 0} order features, {len(table.columns) - len(FEATURES.columns)} others"


def _suspect(run: Run, laid_out: DataFrame) -> Rows:
    """Return rows of ``tables.CHECKS`` about the customers, and about the rows beside those of the run before."""
    use = run.config.features.use
    numbers = [name for name, kind in laid_out.dtypes if name in use and use[name].role == "cluster" and kind != "string"]
    has_orders = run.config.sources.transactions is not None
    row = laid_out.agg(*observed(has_orders=has_orders, numbers=numbers)).collect()[0].asDict()
    row["folded"] = row["customers"]
    if can_differ_by_case(row):
        row["folded"] = laid_out.agg(F.count_distinct(F.lower("customer_id"))).collect()[0][0]
    ids = []
    if 0 < row["beyond"] <= MOST_IDS:
        ids = [one["customer_id"] for one in laid_out.where(is_beyond_ascii()).select("customer_id").collect()]
    kept = {one["source"]: one["rows"] for one in run.read_rows(ROW_COUNTS) if one["outcome"] == KEPT}
    overlap: Rows = []
    if has_orders and "customers" in kept:
        sources = {"with_orders": row["with_orders"], "with_attributes": kept["customers"]}
        overlap = check_overlap(row["customers"], **sources, min_cell=run.config.privacy.min_cell)
    return [*check_customers(row, ids=ids, min_cell=run.config.privacy.min_cell), *overlap, *compare_counts(run)]


def compare_counts(run: Run) -> Rows:
    """Return rows of ``tables.CHECKS`` about the run's rows, beside those of the run that is shown now."""
    others = [one for one in run.lake.read_rows(RUNS) if one["run_id"] != run.run_id]
    before = find_shown(others, champion=find_champion(run.lake))
    counts = run.lake.read_rows(ROW_COUNTS, run_ids=[before["run_id"]]) if before else []
    return check_counts(run.read_rows(ROW_COUNTS), counts, before_id=before["run_id"] if before else None)


def _lay_out(run: Run, features: DataFrame) -> tuple[DataFrame, int, int]:
    """Return the features in the canonical layout, cached; a bound of their number; and the partitions."""
    asked = run.config.clustering.partitions
    sources = {"transactions", "customers"}
    kept = {
        row["source"]: row["rows"] for row in run.read_rows(ROW_COUNTS) if row["outcome"] == KEPT and row["source"] in sources
    }
    bound = sum(kept.values())
    is_counted = "transactions" not in kept  # then every row is a customer
    if asked or is_counted or count_partitions(bound) == 1:
        partitions = asked or count_partitions(bound)
        return run.hold(lay_out(features, partitions=partitions)), bound, partitions
    # Only a count tells the partitions, and counting is working it all out.
    counted = run.hold(features)
    customers = counted.count()
    partitions = count_partitions(customers)
    return run.hold(lay_out(counted, partitions=partitions)), customers, partitions
