"""Configurations are checked whole, and a fault is one line."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT

from segmentation.config.load import load_config
from segmentation.errors import ConfigError

MINIMAL = """
warehouse: {path: w}
sources:
  customers:
    format: csv
    path: c.csv
    customer_id: id
    attributes: {age: {from: age, type: number}}
features:
  use: {age: {}}
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", ["complete_journey", "online_retail", "telco_churn"])
def test_shipped_configurations_are_complete(name: str) -> None:
    inputs = {"online_retail": {"transactions": "t.csv"}, "telco_churn": {"customers": "c.csv"}}.get(name, {})

    config = load_config(str(ROOT / "conf" / f"{name}.yaml"), as_of="2018-01-02", inputs=inputs)

    assert config.features.use


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("age: {}", "age: {lgo: true}"),
            "features.use.age.lgo: expected one of cap, log, role, weight, found unknown key 'lgo'",
        ),
        (("features:", "feature:"), "feature: expected one of"),
        (("age: {}", "agee: {}"), "features: one of age, found agee"),
        (("features:", "clustering: {seeds: [-1]}\nfeatures:"), "clustering.seeds.0: expected greater than or equal to 0"),
        (("type: number", "type: ordinal"), "an ordinal attribute, and no other, has an order"),
        (("path: c.csv", "path: 3"), "sources.customers.path"),
        (("path: c.csv", "path: []"), "sources.customers.path"),
        (("format: csv\n    path: c.csv", "format: delta\n    path: w/features"), "expected a source outside of the warehouse"),
        (
            ("format: csv\n    path: c.csv", "format: parquet\n    path: [w]"),
            "expected a source outside of the warehouse, found w",
        ),
        (("format: csv\n    path: c.csv", "format: delta\n    path: [a, b]"), "expected path: one delta table, found a list"),
        (
            ("path: c.csv", "path: c.csv\n    encoding: utf-9"),
            "customers.encoding: expected a character set as UTF-8",
        ),
        (
            ("path: c.csv", "path: c.csv\n    time_zone: Mars/North"),
            "customers.time_zone: expected a zone as Europe/Berlin",
        ),
        (("path: c.csv", "path: c.csv\n    header: [id, id]"), "expected header: each name once, whatever its capitals, found"),
        (("customer_id: id", "customer_id: [id, age]"), "expected one source column for customer_id; only numbers add up, found"),
        (("customer_id: id", "customer_id: []"), "sources.customers.customer_id"),
        (("customer_id: id", "customer_id: {from: id, remove: '(a+)+'}"), "without a repeat of a repeat"),
        (("{from: age, type: number}", "{from: age, type: category, format: yyyy}"), "a format goes with type date"),
        (
            ("{from: age, type: number}", "{from: age, type: date}"),
            "--as-of: expected a day YYYY-MM-DD, for an attribute is a date",
        ),
        (("{from: age, type: number}", "{from: age, type: date, format: HH}"), "a datetime pattern with a year"),
        (("{age: {from: age, type: number}}", "{rank: {from: age, type: number}}"), "other names than rank, found"),
        (
            ("{age: {from: age, type: number}}", "{a__scaled: {from: age, type: number}}"),
            "other names than a__scaled, found",
        ),
        (("features:", "as_of: 2021-02-30\nfeatures:"), "expected YAML with each key once, found day is out of range"),
        (("features:", "as_of: 0001-01-01\nfeatures:"), "as_of: expected greater than or equal to 1900-01-01"),
        (
            ("features:", "rules: [{name: x, source: products, expression: a}]\nfeatures:"),
            "rules: a source that is there, found products",
        ),
        (("customer_id: id", "customer_id: 0123"), "customer_id: expected text, in quotes where it looks like a number"),
        (("from: age", "from: 2024-01-01"), "age.from: expected text, in quotes where it looks like a number, a date"),
        (("customer_id: id", "customer_id: &x [*x]"), "expected values that end, found an anchor within itself"),
        (("customer_id: id", "customer_id: !!bool x"), "expected YAML with each key once, found 'x'"),
        (("path: c.csv", "path: ''"), "customers.path: expected a path of one line without blanks at its ends, found ''"),
        (("path: c.csv", "path: [c.csv, ' d.csv']"), "path.1: expected a path of one line without blanks at its ends"),
        (("path: w", "path: ' '"), "warehouse.path: expected a path of one line without blanks at its ends, found ' '"),
        (("path: c.csv", 'path: "a\\0b"'), "path: expected text without NUL and half letters, found 'a\\x00b'"),
        (("path: c.csv", 'path: "\\ud83d"'), "path: expected text without NUL and half letters"),
        (("path: c.csv", "path: c.csv\n    delimiter: '\"'"), "delimiter: expected no letter, digit, backslash"),
        (("path: c.csv", "path: c.csv\n    encoding: base64"), "encoding: expected a character set as UTF-8"),
        (("path: c.csv", "path: c.csv\n    encoding: utf-7"), "encoding: expected a character set that Java knows as well"),
        (("path: c.csv", "path: c.csv\n    time_zone: localtime"), "time_zone: expected a zone as Europe/Berlin"),
        (("path: c.csv", "path: c.csv\n    header: [id, ID, age]"), "header: each name once, whatever its capitals"),
        (("format: csv", "format: json\n    encoding: UTF-16"), "expected multiline: true beside json in UTF-16"),
        (("format: csv", "format: parquet\n    delimiter: ';'"), "delimiter: nothing beside format parquet"),
        (("type: number", "type: ordinal, order: [low, 'high ']"), "levels without blanks at their ends, found 'high '"),
        (("type: number", "type: date, format: yyyy-mm-dd"), "an hour beside minutes (mm); months are MM"),
        (("type: number", "type: date, format: uuuu-MM-dd"), "a datetime pattern with a year (y)"),
        *(
            (
                ("features:", f"rules: [{{name: {name}, source: customers, expression: a}}]\nfeatures:"),
                f"names that no outcome of a row has, found {name}",
            )
            for name in ("kept", "objection", "unreadable_age", "no_orders")
        ),
        (("format: csv", "format: xml"), "'csv', 'parquet', 'delta', 'json' or 'table'"),
        (("path: w", "path: w, schema: a.b"), "expected path or schema, and not both, found"),
        (("    customer_id: id\n", ""), "sources.customers.customer_id: expected a value, found none"),
        (("    format: csv\n", "    format: csv\n    format: json\n"), 'duplicate key "format" with value "json"'),
        (("age: {}", "age: {weight: 99}"), "features.use.age.weight"),
        (("features:", "segments: {names: {one: x}}\nfeatures:"), "segments.names.one"),
        (("features:", "segments: {names: {-1: x}}\nfeatures:"), "segments.names.-1"),
        (("features:", "segments: {names: {0: ' '}}\nfeatures:"), "expected a text of one line that is not blank, found ' '"),
        (("features:", "segments: {names: {0: x, 1: x}}\nfeatures:"), "expected each name once, x is there twice, found"),
        (("features:", "segments: {colors: {0: red}}\nfeatures:"), "segments.colors.0"),
        (("features:", "segments: {exemplars: names}\nfeatures:"), "'pseudonyms', 'ids' or 'off'"),
        (("features:", "segments: {lift: 0}\nfeatures:"), "segments.lift"),
    ],
)
def test_a_fault_is_one_line_with_its_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = write(tmp_path, MINIMAL.replace(*change))

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    assert message in str(caught.value)
    assert not re.search("(?:is|are) expected", str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["link/customers", "file://{}/w/customers", "FILE:{}/w", "*/customers", "w/./x/.."])
def test_a_source_in_the_warehouse_is_known_however_it_is_written(tmp_path: Path, path: str) -> None:
    (tmp_path / "w" / "customers").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "w")
    place = path.format(tmp_path) if "{}" in path else f"{tmp_path}/{path}"
    text = MINIMAL.replace("path: w", f"path: {tmp_path}/w").replace("csv\n    path: c.csv", f"parquet\n    path: '{place}'")

    with pytest.raises(ConfigError, match="expected a source outside of the warehouse"):
        load_config(write(tmp_path, text))


def test_a_configuration_of_an_impossible_name_is_a_line() -> None:
    with pytest.raises(ConfigError, match="--config: expected a readable YAML file"):
        load_config("a\0b")


def test_transactions_ask_for_a_day() -> None:
    with pytest.raises(ConfigError, match="--as-of: expected a day YYYY-MM-DD"):
        load_config(str(ROOT / "conf/online_retail.yaml"), inputs={"transactions": "t.csv"})


def test_command_line_wins_over_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL), inputs={"customers": "other"}, warehouse="here", k=5)

    assert (config.sources.customers.path, config.warehouse.path, config.k) == ("other", "here", 5)  # type: ignore[union-attr]


def test_fingerprint_ignores_paths_and_sees_what_shapes_the_result(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    moved = load_config(path, inputs={"customers": "other"}, warehouse="here")
    changed = load_config(write(tmp_path, MINIMAL.replace("age: {}", "age: {log: true}")))

    assert moved.fingerprint() == load_config(write(tmp_path, MINIMAL)).fingerprint()
    assert changed.fingerprint() != moved.fingerprint()


def test_a_name_is_any_text_of_one_line_and_changes_no_fingerprint(tmp_path: Path) -> None:
    name = '</script> "Ω" =1+1 🛒 \u202eשלום'
    plain = load_config(write(tmp_path, MINIMAL))
    named = load_config(
        write(
            tmp_path, MINIMAL + f"segments: {{names: {{3: {json.dumps(name, ensure_ascii=False)}}}, colors: {{3: '#00ff00'}}}}\n"
        )
    )

    assert named.segments.names == {3: name}
    assert named.fingerprint() == plain.fingerprint()


@pytest.mark.parametrize("text", ["off", "'off'"])
def test_exemplars_are_switched_off_with_or_without_quotes(tmp_path: Path, text: str) -> None:
    config = load_config(write(tmp_path, MINIMAL + f"segments: {{exemplars: {text}}}\n"))

    assert config.segments.exemplars == "off"


def test_the_levels_no_and_yes_are_texts(tmp_path: Path) -> None:
    text = MINIMAL.replace("type: number", "type: ordinal, order: [No, Yes]")

    sources = load_config(write(tmp_path, text)).sources

    assert sources.customers is not None
    assert sources.customers.attributes["age"].order == ["No", "Yes"]


def test_anchors_of_anchors_are_refused_before_they_are_spelt_out(tmp_path: Path) -> None:
    letters = "abcdefghi"
    lists = [f"{one}: &{one} [{', '.join([f'*{before}'] * 10)}]" for before, one in pairwise(letters)]
    (tmp_path / "c.yaml").write_text("\n".join(["a: &a [1, 2, 3]", *lists]) + "\n")

    with pytest.raises(ConfigError, match=r"expected at most 100,000 values, anchors spelt out, found more"):
        load_config(str(tmp_path / "c.yaml"))
