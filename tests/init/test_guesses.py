"""What single columns and sets of files are taken for."""

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from segmentation.cli import main
from segmentation.config.load import load_config
from segmentation.config.schema import Config
from segmentation.init.attributes import name_attribute, order_levels
from segmentation.init.roles import words_of


def look_at(folder: Path, *data: str) -> Config:
    """Write a configuration for files of a folder and return it as it is loaded."""
    place = str(folder / "made.yaml")
    assert main(["init", *(str(folder / one) for one in data), "--output", place, "--force"]) == 0
    return load_config(place)


def columns_of(config: Config) -> dict[str, Any]:
    assert config.sources.transactions is not None
    return {str(name): one.source for name, one in config.sources.transactions.columns.items()}


def lines(template: str, *, rows: int = 60) -> str:
    """Return lines of a CSV file; ``template`` is told a customer, an order, a day and an amount."""
    draw = random.Random(7)
    return "\n".join(
        template.format(
            c=draw.randrange(12), o=n // 2, n=n, day=date(2024, 1, 1) + timedelta(days=n), a=f"{draw.lognormvariate(3, 1):.2f}"
        )
        for n in range(rows)
    )


def test_columns_without_names_are_told_by_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text(lines("{c},{day:%d/%m/%Y},{a}"))

    config = look_at(tmp_path, "bare.csv")

    assert config.sources.transactions is not None
    assert config.sources.transactions.header == ["column_1", "column_2", "column_3"]
    assert columns_of(config) == {"customer_id": "column_1", "ordered_at": "column_2", "amount": "column_3"}


def test_the_total_of_an_order_is_no_amount_of_a_line(tmp_path: Path) -> None:
    text = lines("{o},{c},{day},{a},1,{o}5.5")
    (tmp_path / "lines.csv").write_text(f"order_id,customer_id,date,price,quantity,order_total\n{text}")

    columns = columns_of(look_at(tmp_path, "lines.csv"))

    assert columns["unit_price"] == "price"
    assert "amount" not in columns


def test_words_for_nothing_and_letters_of_codes_are_told_from_marks_of_money(tmp_path: Path) -> None:
    text = lines("C{c},{day},{a} EUR,NA\nNULL,{day},$5.00,{n}")
    (tmp_path / "marked.csv").write_text(f"client,day,paid,qty\n{text}")

    source = look_at(tmp_path, "marked.csv").sources.transactions

    assert source is not None
    removed = {str(name): one.remove for name, one in source.columns.items()}
    assert removed == {"ordered_at": None, "customer_id": "^NULL$", "amount": "[^0-9.,+-]", "quantity": "^NA$"}


def test_a_folder_is_one_table_unless_something_else_lies_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in ("a", "b"):
        (folder / f"{part}.csv").write_text("client,day,paid\n" + lines("{c},{day},{a}"))

    whole = look_at(tmp_path, "parts")
    (folder / "README.md").write_text("# How it was made\n\nBy hand.\n")
    parts = look_at(tmp_path, "parts")

    assert whole.sources.transactions is not None
    assert parts.sources.transactions is not None
    assert whole.sources.transactions.path == str(folder)
    assert parts.sources.transactions.path == [str(folder / "a.csv"), str(folder / "b.csv")]
    assert whole.warehouse.path == parts.warehouse.path == "warehouse/parts"


def test_a_folder_of_three_tables_is_three_sources(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "s.csv").write_text("client,sku,day,paid\n" + lines("{c},{o},{day},{a}"))
    (folder / "p.csv").write_text(
        "sku,name,category\n" + "\n".join(f"{n},Thing {n},{'tea' if n % 3 else 'cup'}" for n in range(30))
    )
    (folder / "c.csv").write_text("number,plan\n" + "\n".join(f"{n},{'one' if n % 2 else 'two'}" for n in range(12)))

    config = look_at(tmp_path, "shop")

    assert {name: spec.path for name, spec in config.sources.declared().items()} == {
        "transactions": str(folder / "s.csv"),
        "products": str(folder / "p.csv"),
        "customers": str(folder / "c.csv"),
    }
    assert config.sources.customers is not None
    assert config.sources.customers.customer_id.source == "number"
    assert config.features.use["plan"].role == "describe"


def test_a_row_per_customer_is_no_purchase_though_it_tells_of_some(tmp_path: Path) -> None:
    draw = random.Random(8)
    rows = [
        f"{n},{date(2024, 1, 1) + timedelta(days=n)},{draw.randrange(60)},{draw.randrange(90)},{draw.lognormvariate(4, 1):.2f}"
        for n in range(60)
    ]
    (tmp_path / "crm.csv").write_text("customer_id,last_order_date,orders,items,total_spend\n" + "\n".join(rows))

    config = look_at(tmp_path, "crm.csv")

    assert config.sources.transactions is None
    assert set(config.features.use) == {"last_order_days", "orders", "items", "total_spend"}
    assert config.as_of == date(2024, 3, 1)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            {"seen": pd.to_datetime(["2024-01-01 10:00:00.000000001"] * 2)},
            "instants in microseconds, which Spark reads, found column seen",
        ),
        ({"seen": [[1], [2]]}, "a column for customer_id of customers"),
    ],
)
def test_parquet_that_no_run_reads_is_refused(
    frame: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pd.DataFrame(frame).to_parquet(tmp_path / "x.parquet")

    assert main(["init", str(tmp_path / "x.parquet"), "--output", str(tmp_path / "made.yaml")]) == 5

    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("levels", "ordered"),
    [
        (["25-34", "65+", "19-24"], ["19-24", "25-34", "65+"]),
        (["15-24K", "Under 15K", "100-124K", "250K+"], ["Under 15K", "15-24K", "100-124K", "250K+"]),
        (["1,000-1,999", "2,000 or more", "below 1,000"], ["below 1,000", "1,000-1,999", "2,000 or more"]),
        (["Gold", "bronze", "silver"], ["bronze", "silver", "Gold"]),
        (["Month-to-month", "One year", "Two year"], None),
        (["1 Adult Kids", "1 Adult No Kids", "2 Adults Kids"], None),
        (["yes", "no"], None),
    ],
)
def test_bands_and_ladders_have_an_order(levels: list[str], ordered: list[str] | None) -> None:
    assert order_levels(levels) == ordered


@pytest.mark.parametrize(
    ("column", "words", "name"),
    [
        ("CustomerID", "customer id", "customer_customer_id"),
        ("StreamingTV", "streaming tv", "streaming_tv"),
        ("Größe (cm)", "größe cm", "groesse_cm"),
        ("2nd visit", "2nd visit", "a_2nd_visit"),
        ("k", "k", "customer_k"),
        ("日", "日", "attribute"),
    ],
)
def test_names_of_columns_become_names_of_attributes(column: str, words: str, name: str) -> None:
    assert words_of(column) == words
    assert name_attribute(column, {"customer_id", "k"}) == name


def test_a_protected_trait_is_only_counted(tmp_path: Path) -> None:
    people = [f"c{n},{n * 37 % 101}.5,{n * 53 % 97},{'mf'[n % 2]}" for n in range(60)]
    (tmp_path / "people.csv").write_text("id,spend,visits,Gender\n" + "\n".join(people) + "\n")

    assert look_at(tmp_path, "people.csv").audited == ["gender"]
