"""The whole job's made-up sources, each with its YAML beside it: 200 customers, and purchase lines of any number."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

SEED = 20_260
START = np.datetime64("2024-01-01", "us")
DAYS = 731  # to the configuration's as_of
LINES_PER_CUSTOMER = 20
LINES_PER_FILE = 500_000

# Four kinds of customers: how many there are, how often they order, lines an order, price level, days since they left.
KIND_SHARES = (0.10, 0.25, 0.35, 0.30)
ORDER_RATES = np.array([8.0, 4.0, 2.0, 0.9])
BASKET_LINES = np.array([6.0, 3.0, 4.0, 2.5])
PRICES = np.array([4.0, 12.0, 3.0, 6.0])
DAYS_AWAY = np.array([20.0, 60.0, 90.0, 450.0])

_CUSTOMERS_YAML = """\
warehouse: {path: warehouse}
sources:
  customers:
    format: csv
    path: %s
    customer_id: id
    attributes:
      spend: {from: spend, type: number}
      visits: {from: visits, type: number}
features:
  use:
    spend: {}
    visits: {}
"""
_TABLE_YAML = """\
warehouse: {path: warehouse}
sources:
  customers:
    format: parquet
    path: %s
    customer_id: id
    attributes:
      orders: {from: orders, type: number}
      spend: {from: spend, type: number}
      basket: {from: basket, type: number}
      items: {from: items, type: number}
      away: {from: away, type: number}
      tenure: {from: tenure, type: number}
features:
  use:
    orders: {log: true}
    spend: {log: true}
    basket: {log: true}
    items: {log: true}
    away: {log: true}
    tenure: {}
  revenue: spend
clustering:
  k_min: 2
  k_max: 8
"""
_LINES_YAML = """\
as_of: 2026-01-01
warehouse: {path: warehouse}
sources:
  transactions:
    format: parquet
    path: %s
    columns:
      customer_id: customer_id
      order_id: order_id
      ordered_at: ordered_at
      product_id: product_id
      quantity: quantity
      amount: amount
features:
  use:
    recency_days: {log: true}
    frequency_orders: {log: true}
    monetary_total: {log: true}
    average_order_value: {}
    items_per_order: {}
    tenure_days: {}
clustering:
  k_min: 2
  k_max: 8
"""


def make_customers(folder: Path) -> Path:
    """Write 200 customers in three groups as CSV, and return their YAML; K 2..8 is the default."""
    random = np.random.default_rng(SEED)
    sizes, spends, visits = (90, 70, 40), (120.0, 600.0, 2_000.0), (3.0, 20.0, 8.0)
    rows = [
        f"{random.normal(spend, spend / 8):.2f},{random.normal(visit, visit / 8):.1f}"
        for size, spend, visit in zip(sizes, spends, visits, strict=True)
        for _ in range(size)
    ]
    source = folder / "customers.csv"
    source.write_text("id,spend,visits\n" + "".join(f"c{number:03},{row}\n" for number, row in enumerate(rows)))
    return _write_yaml(source, _CUSTOMERS_YAML)


def make_customer_table(folder: Path, customers: int) -> Path:
    """Write so many customers as Parquet, a row each with six numbers of four kinds of customers, and return their YAML."""
    source = folder / f"customers_{customers}.parquet"
    random = np.random.default_rng([SEED, 2])
    kinds = random.choice(len(KIND_SHARES), customers, p=KIND_SHARES)
    orders = 1 + random.poisson(ORDER_RATES[kinds] * random.lognormal(0, 0.8, customers))
    basket = PRICES[kinds] * BASKET_LINES[kinds] * random.lognormal(0, 0.4, customers)
    away = np.minimum(random.exponential(DAYS_AWAY[kinds]), DAYS)
    columns = {
        "orders": orders,
        "spend": (orders * basket).round(2),
        "basket": basket.round(2),
        "items": (BASKET_LINES[kinds] * random.lognormal(0, 0.3, customers)).round(2),
        "away": away.round(),
        "tenure": (away + (DAYS - away) * random.random(customers)).round(),
    }
    ids = pa.array([f"C{number:07}" for number in range(customers)])
    parquet.write_table(pa.table({"id": ids, **columns}), source)
    return _write_yaml(source, _TABLE_YAML)


def make_lines(folder: Path, lines: int) -> Path:
    """Write so many purchase lines as Parquet files, once, and return their YAML."""
    source = folder / f"lines_{lines}"
    if not source.exists():
        unfinished = folder / f"lines_{lines}.part"
        unfinished.mkdir(exist_ok=True)
        for number, table in enumerate(_draw_tables(lines)):
            parquet.write_table(table, unfinished / f"part-{number:03}.parquet")
        unfinished.rename(source)
    return _write_yaml(source, _LINES_YAML)


def _write_yaml(source: Path, text: str) -> Path:
    path = source.with_suffix(".yaml")
    path.write_text(text % source)
    return path


def _draw_tables(lines: int) -> Iterator[pa.Table]:
    """Yield a table a file: a few customers buy the most, 1 % of the orders name no customer, 1 % of the lines are returns."""
    random = np.random.default_rng([SEED, 0])
    customers = lines // LINES_PER_CUSTOMER
    kinds = random.choice(len(KIND_SHARES), customers, p=KIND_SHARES)
    reach = np.cumsum(ORDER_RATES[kinds] * random.lognormal(0, 0.8, customers))
    prices = PRICES[kinds] * random.lognormal(0, 0.4, customers)
    last_days = np.maximum(DAYS - random.exponential(DAYS_AWAY[kinds]), 1)
    first_days = random.random(customers) * last_days / 2
    names = pa.array([f"C{number:07}" for number in range(customers)])
    for file in range(-(-lines // LINES_PER_FILE)):
        random = np.random.default_rng([SEED, 1 + file])
        size = min(LINES_PER_FILE, lines - file * LINES_PER_FILE)
        buyers = np.searchsorted(reach / reach[-1], random.random(size))  # one order a line would be enough
        orders = np.repeat(np.arange(size), 1 + random.poisson(BASKET_LINES[kinds[buyers]] - 1))[:size]
        days = first_days[buyers] + random.random(size) * (last_days - first_days)[buyers]
        is_nameless = random.random(size) < 0.01
        buyer, sign = buyers[orders], np.where(random.random(size) < 0.01, -1, 1)
        quantities = 1 + random.poisson(1.0, size)
        amounts = np.maximum(quantities * prices[buyer] * random.lognormal(0, 0.5, size), 0.01).round(2)
        yield pa.table(
            {
                "customer_id": names.take(pa.array(buyer, mask=is_nameless[orders])),
                "order_id": file * LINES_PER_FILE + orders,
                "ordered_at": pa.array(START + (days[orders] * 86_400e6).astype("timedelta64[us]"), pa.timestamp("us", tz="UTC")),
                "product_id": (5_000 * random.random(size) ** 2).astype(np.int64),
                "quantity": (sign * quantities).astype(np.int32),
                "amount": sign * amounts,
            }
        )
