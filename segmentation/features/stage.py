"""``transactions`` and ``customers`` to ``features``, laid out for all that follows."""

import json

from pyspark.sql import DataFrame

from segmentation.catalogue import BY_NAME
from segmentation.clustering.fits import count_partitions, lay_out
from segmentation.features.orders import build_features as join_features
from segmentation.features.orders import build_order_features, name_shares, rank_categories
from segmentation.readings import attribute_columns, customers_table
from segmentation.run import Run, check_begun, note
from segmentation.tables import DOUBLE, FEATURES, KEPT, ROW_COUNTS, TRANSACTIONS, Column


def build_features(run: Run) -> str:
    """Summarise transactions and attributes per customer, and lay the customers out for all that follows."""
    check_begun(run)
    config = run.config
    orders, categories = None, dict[str, str]()
    if config.sources.transactions is not None:
        assert config.as_of is not None  # load_config asks for it
        transactions = run.read(TRANSACTIONS)
        shares = config.features.category_shares
        if shares is not None:
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
    count = run.lake.store.count(FEATURES, run.run_id)
    note(run, customers=count, layout_partitions=partitions, category_shares=json.dumps(categories, ensure_ascii=False))
    return f"{len(BY_NAME) if orders is not None else 0} order features, {len(table.columns) - len(FEATURES.columns)} others"


def _lay_out(run: Run, features: DataFrame) -> tuple[DataFrame, int, int]:
    """Return the features in the canonical layout, cached; a bound of their number; and the partitions."""
    asked = run.config.clustering.partitions
    sources = {"transactions", "customers"}
    bound = sum(row["rows"] for row in run.read_rows(ROW_COUNTS) if row["outcome"] == KEPT and row["source"] in sources)
    if asked or count_partitions(bound) == 1:
        partitions = asked or 1
        return run.hold(lay_out(features, partitions=partitions)), bound, partitions
    # Only a count tells the partitions, and counting is working it all out.
    counted = run.hold(features)
    customers = counted.count()
    partitions = count_partitions(customers)
    return run.hold(lay_out(counted, partitions=partitions)), customers, partitions
