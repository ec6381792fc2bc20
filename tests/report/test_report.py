"""The report on hand-made tables: what is in it, where its numbers come from, and names that mean harm."""

import csv
import io
import re
import xml.etree.ElementTree as ET
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from segmentation.report.flow import fit_name
from segmentation.report.marks import KEYS
from segmentation.report.page import Report, draw_report
from segmentation.report.terminal import neutralise, tabulate, write_csv

RUN = {"run_id": "r2"}
HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "قيمة عالية",
    "\u202egnp.exe",
    "🛒 & <b>co</b>",
    "{{ 7 * 7 }}",
    "[bold red]markup[/]",
    "\x1b[2Jcleared",
]
VOID = {"meta", "link", "img", "br"}


def make_tables(names: tuple[str, str] = ("Loyal patrons", "Lapsed customers")) -> dict[str, list[dict[str, Any]]]:
    def rows(columns: str, *lines: tuple[Any, ...]) -> list[dict[str, Any]]:
        return [RUN | dict(zip(columns.split(), line, strict=True)) for line in lines]

    number, level = "monetary_total", "plan=</style>"
    statistics = ("p10", "p25", "median", "p75", "p90", "mean", "z")
    values = {0: (10.0, 20.0, 30.0, 40.0, 50.0, 61.5, 1.25), 1: (1.0, 2.0, 3.0, 4.0, 5.0, 6.25, -0.75)}
    return {
        "runs": rows(
            "status published_seq as_of k decision customers rows_read rows_kept rows_set_aside config_hash seeds "
            "input_fingerprint table_versions source_versions model_path spark_version delta_version package_version "
            "started_at published_at structure rule category_shares",
            (
                *("PUBLISHED", 2, "2026-01-01", 2, "K = 2 it is.", 1234, 1300, 1250, 50, "c0ffee", "1,2", "f00d"),
                *('{"segments": 3}', "{}", "/m", "4.2.0", "4.4.0", "0.1.0", "2026-01-01 10:00:00", "2026-01-01 10:01:00"),
                *("weak", "balanced", "{}"),
            ),
        ),
        "segments": rows(
            "segment_id segment_key former_name segment_name archetype color customers customer_share revenue revenue_share "
            "sets_apart",
            (
                0,
                "S0001",
                None,
                names[0],
                "loyal_patrons",
                "#0072B2",
                934,
                934 / 1234,
                Decimal("9000.250000"),
                0.9,
                "spends 61.5 (all 48)",
            ),
            (1, "S0003", "<old>", names[1], None, "red;}", 300, 300 / 1234, Decimal("1000.000000"), 0.1, "spends 6.25 (all 48)"),
        ),
        "traits": rows(
            "segment_id rank feature segment_value population_value effect lift kind",
            (0, 1, number, 61.5, 48.125, 1.25, None, "number"),
            (1, 1, level, 0.625, 0.25, 0.9, 2.5, "level"),
        ),
        "exemplars": rows("segment_id rank customer_id distance", (0, 1, "ab12", 0.5), (1, 1, HOSTILE[0], 0.5)),
        "segment_rules": rows(
            "segment_id rule condition customers precision recall", (0, 1, "Total spend more than 9", 900, 0.953, 0.9)
        ),
        "actions": rows(
            "segment_id rank action advice metric value population_value threshold threshold_side customers revenue "
            "holdout_customers baseline_rate lift failure_test",
            (
                *(0, 1, "keep_best", "Look after the 567 customers.", number, 33.3, 22.2, 44.4, "above", 567),
                *(Decimal("4567.5"), 198, 0.854, 0.1, "Leave out 198."),
            ),
            (1, 1, "spare_cost", "Leave them.", "recency_days", 59.0, 7.0, 29.0, "above", 251, None, None, None, None, "Ask."),
        ),
        "profiles": rows(
            "segment_id feature statistic value",
            *((one, number, name, value) for one in (0, 1) for name, value in zip(statistics, values[one], strict=True)),
            *((one, level, "z", (-1) ** one * 0.5) for one in (0, 1)),
        ),
        "representation": rows(
            "segment_id attribute level customers share population_share index",
            (0, "region", HOSTILE[0], 234, 0.25, 0.2, 125.0),
            (1, "region", HOSTILE[0], None, None, 0.2, None),
        ),
        "histograms": rows(
            "feature segment_id bin lower upper customers",
            *((number, one, bin_, 10.0 * bin_, 10.0 * bin_ + 10, 7 + bin_) for one in (None, 0, 1) for bin_ in range(4)),
        ),
        "segment_map": rows("segment_id x y", (0, 0.1, 0.2), (0, 0.4, -0.2), (1, -1.5, 1.2)),
        "map_axes": rows(
            "axis feature loading explained_share", ("x", number, 0.9, 0.6), ("y", number, -0.4, 0.2), ("y", level, 0.8, 0.2)
        ),
        "grid": rows(
            "k wssse silhouette smallest_share largest_share is_chosen verdict crowd_silhouette weakest_stability "
            "is_knee explained_share",
            (2, 900.5, 0.512, 0.24, 0.76, True, "chosen", 0.2, 0.91, True, 0.4),
            (3, 700.25, 0.4, 0.1, 0.5, False, "passed over: 0.4 against 0.512", 0.21, 0.55, False, 0.5),
        ),
        "decision": rows("k gate value threshold is_passed reason", (2, "stability", 0.91, 0.6, True, "Jaccard 0.91"))
        + rows("k gate value threshold is_passed reason", (3, "stability", 0.55, 0.6, False, "Jaccard 0.55")),
        "borders": rows(
            "k segment_id other_segment_id depth near_customers verdict", (2, 0, 1, 0.62, 37, "apart"), (3, 0, 2, 0.0, 80, "cut")
        ),
        "compare": rows(
            "k segment_id next_k next_segment_id customer_share segment_share",
            *((2, 0, 3, 0, 0.5, 0.66), (2, 0, 3, 1, 0.25, 0.33), (2, 0, 3, 2, 0.01, 0.01), (2, 1, 3, 2, 0.24, 1.0)),
        ),
        "neighbours": rows(
            "k segment_id segment_name customer_share", (3, 0, "Loyal patrons, larger orders", 0.5), (3, 1, HOSTILE[0], 0.26)
        ),
        "centroids": rows(
            "segment_id feature position value_original", (0, number, 0, 31.5), (1, number, 0, 3.5), (0, level, 1, 0.2)
        ),
        "lineage": rows(
            "segment_key segment_id verdict shifted_feature shift shift_deviations said",
            ("S0001", 0, "survived", number, 12.5, 0.75, "S0001 goes on"),
            ("S0002", None, "retired", None, None, None, "S0002 is no more"),
        ),
        "transitions": rows(
            "from_key to_key why customers share revenue_before revenue_after",
            ("S0001", "S0001", "stayed", 700, 700 / 1244, Decimal("10.5"), Decimal("11.5")),
            ("S0001", "S0003", "customer", 60, 60 / 1244, Decimal("10.5"), None),
            ("S0001", "S0003", "model", 40, 40 / 1244, Decimal("10.5"), None),
            ("S0002", "S0001", "both", 150, 150 / 1244, Decimal("10.5"), None),
            ("S0002", "S0003", "both", 240, 240 / 1244, Decimal("10.5"), None),
            ("S0002", None, "left", 10, 10 / 1244, Decimal("10.5"), None),
            (None, "S0001", "arrived", 44, 44 / 1244, None, Decimal("11.5")),
        ),
        "row_counts": rows("source outcome rows", ("transactions", "kept", 1250), ("transactions", "return", 50)),
        "checks": rows(
            "stage check subject rows share said", ("features", "few_customers", "features", 90, 1.0, "90 <customers> are few")
        ),
    }


def with_previous(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    before = [row | {"run_id": "r1", "customers": size} for row, size in zip(tables["segments"], (800, 400), strict=True)]
    return tables | {
        "previous_runs": [tables["runs"][0] | {"run_id": "r1", "customers": 1200}],
        "previous_segments": [row | {"segment_key": key} for row, key in zip(before, ("S0001", "S0002"), strict=True)],
    }


class Page(HTMLParser):
    """Texts with the innermost mark around each, and all tags and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        mark = next((own for _, own in reversed(self.open) if "data-table" in own or "data-derived" in own), {})
        self.texts.append((data, mark, [tag for tag, _ in self.open]))


@pytest.fixture(scope="module")
def report() -> Report:
    return draw_report(with_previous(make_tables()))


def test_every_figure_is_in_the_page_and_a_valid_file(report: Report) -> None:
    expected = {"size_revenue", "heat_map", "distribution_01", "map", "scatter", "silhouette", "stability", "flow"}

    drawn = {own["data-figure"] for tag, own in Page(report.html).tags if tag == "svg"}

    assert drawn == set(report.figures) == expected
    for figure in report.figures.values():
        assert [child.tag.split("}")[1] for child in ET.fromstring(figure)][:2] == ["title", "desc"]


def test_the_page_is_small_and_asks_for_nothing(report: Report) -> None:
    tags = Page(report.html).tags

    assert len(report.html.encode()) < 3_000_000
    assert not re.findall(r"https?:|//[a-z]|@import|url\(", report.html)
    assert not {tag for tag, _ in tags} & {"script", "img", "iframe", "object", "base", "form"}
    assert not [name for _, own in tags for name in own if name.startswith("on")]
    policy = next(own["content"] for tag, own in tags if own.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_every_number_is_that_of_its_table(report: Report) -> None:
    tables = with_previous(make_tables())
    cells: dict[tuple[str | None, ...], dict[str, Any]] = {
        (name.removeprefix("previous_"), row["run_id"], "|".join(str("" if row[key] is None else row[key]) for key in keys)): row
        for name, keys in {**KEYS, "previous_segments": KEYS["segments"], "previous_runs": KEYS["runs"]}.items()
        for row in tables.get(name, [])
    }

    checked = set()
    for text, mark, within in Page(report.html).texts:
        if {"style", "title", "desc"} & set(within) or not text.strip():
            continue
        if "data-table" in mark:
            value = cells[mark["data-table"], mark["data-run"], mark["data-key"]][str(mark["data-column"])]
            check_shown(text, value)
            checked.add((mark["data-table"], mark["data-column"]))
        else:
            assert not re.search(r"\d", text) or "data-derived" in mark, text

    assert len(checked) > 40


def check_shown(text: str, value: Any) -> None:
    """Assert that a text is a value, to the decimals that it shows."""
    if isinstance(value, str):
        assert text == value
        return
    bare = text.split()[0].replace(",", "")
    is_percent, places = bare.endswith("%"), len(bare.rstrip("%").partition(".")[2])
    shown = float(bare.rstrip("%"))
    assert abs(shown - float(value) * (100 if is_percent else 1)) <= 0.5000001 * 10**-places, (text, value)


def test_what_one_segment_more_would_do_is_told_by_name(report: Report) -> None:
    told = re.sub(r"<[^>]+>", "", report.html[report.html.index("One segment less, one more") :])

    # Of a segment that no sample has, the number is all there is.
    assert "Loyal patronssplits: 66% Loyal patrons, larger orders; 33% &lt;/script&gt;" in told
    assert "Lapsed customersstays together: 100% segment 2" in told


def test_movement_is_counted_by_hand(report: Report) -> None:
    derived = {mark["data-derived"]: text for text, mark, _ in Page(report.html).texts if "data-derived" in mark}

    assert derived["known"] == "1,190"  # 700 + 100 + 150 + 240
    assert (derived["new"], derived["gone"], derived["same"]) == ("44", "10", "700")
    assert (derived["moves:1|0"], derived["moves:1|"], derived["moves:|0"]) == ("150", "10", "44")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_means_harm_is_shown_as_text(name: str) -> None:
    clean = name.replace("\x1b", "\ufffd")

    tables = make_tables((name, "x" * 300))
    report = draw_report(tables)

    page = Page(report.html)
    assert clean in [text for text, mark, _ in page.texts if mark.get("data-column") == "segment_name"]
    assert not {"script", "b"} & {tag for tag, _ in page.tags}
    assert not [own for _, own in page.tags if {"onerror", "onload"} & set(own)]
    for figure in report.figures.values():
        assert not [node for node in ET.fromstring(figure).iter() if node.tag.endswith(("script", "img"))]
    printed = io.StringIO()
    console = Console(width=200, file=printed, force_terminal=False)
    console.print(tabulate(tables))
    assert "\x1b" not in printed.getvalue()
    if len(name) < 25:
        assert clean in printed.getvalue()


def test_names_that_begin_alike_are_told_apart_beside_the_flow() -> None:
    names = ["Occasional buyers, larger orders", "Occasional buyers, smaller orders", "Loyal patrons", "A name without any comma"]

    fitted = [fit_name(name) for name in names]

    assert fitted == ["… larger orders", "… smaller orders", "Loyal patrons", "A name without…"]


def test_what_is_empty_or_undefined_is_left_out() -> None:
    tables = make_tables()
    empty = ("traits", "exemplars", "segment_rules", "actions", "representation", "histograms", "segment_map", "map_axes")
    for name in (*empty, "decision"):
        tables[name] = []
    for row in tables["grid"]:
        row["crowd_silhouette"] = row["weakest_stability"] = None

    report = draw_report(tables)

    assert set(report.figures) == {"size_revenue", "heat_map", "scatter", "silhouette"}
    assert "No rule of advice fired" in report.html
    assert "Who is in them" not in report.html


def test_what_is_too_few_to_be_shown_is_said_and_not_drawn() -> None:
    tables = with_previous(make_tables())
    tables["runs"][0]["min_cell"] = 10
    hidden = {
        "customers": ("segments", "previous_segments", "transitions", "histograms", "actions", "segment_rules"),
        "customer_share": ("segments", "compare"),
        "revenue": ("segments", "actions"),
        "revenue_share": ("segments",),
        "share": ("transitions",),
        "segment_share": ("compare",),
        "smallest_share": ("grid",),
        "largest_share": ("grid",),
        "near_customers": ("borders",),
        "value": ("profiles",),
        "value_original": ("centroids",),
    }
    for column, names in hidden.items():
        for name in names:
            tables[name] = [row | {column: None} for row in tables[name]]

    report = draw_report(tables)
    printed = io.StringIO()
    Console(width=200, file=printed).print(tabulate(tables))

    page = Page(report.html)
    assert not [text for text, _, _ in page.texts if "None" in text]
    told = [text for text, mark, _ in page.texts if mark.get("data-column") in ("customers", "smallest_share", "near_customers")]
    assert set(told) >= {"not shown"}
    assert not [text for text in told if any(sign.isdigit() for sign in text.replace("1,234", ""))]
    assert "Not shown: fewer than 10 customers" in report.html
    assert "Not shown: fewer than 10 customers" in printed.getvalue()
    assert "flow" not in report.figures
    assert [tag for tag, own in page.tags if tag == "rect" and own.get("class") == "edge" and own.get("width") != "11"] == []


def test_customers_without_revenue() -> None:
    tables = make_tables()
    for row in tables["segments"]:
        row["revenue"] = row["revenue_share"] = None

    html = draw_report(tables).html

    assert "of revenue" not in html.split('id="segments"')[0].split("</svg>")[0].split("<svg")[-1]


@pytest.mark.parametrize("structure", ["weak", "continuum", "none"])
def test_weak_structure_warns(structure: str) -> None:
    tables = make_tables()
    tables["runs"][0]["structure"] = structure

    assert f'class="verdict {structure}"' in draw_report(tables).html


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0=1", "\n=1", "  =1", "＝1"])
def test_formulas_are_neutralised(text: str) -> None:
    assert neutralise(text) == f"'{text}"


@pytest.mark.parametrize("value", [-1, -2.5, Decimal("-3.5"), None, "a=b", "Loyal - patrons"])
def test_numbers_and_plain_text_stay_as_they_are(value: Any) -> None:
    assert neutralise(value) is value


def test_csv_has_a_line_a_segment_and_advice() -> None:
    tables = make_tables(("=cmd|' /C calc'!A0", 'a "quoted", name\nin two lines'))
    tables["actions"].pop()

    lines = list(csv.DictReader(io.StringIO(write_csv(tables))))

    assert [line["segment_name"] for line in lines] == ["'=cmd|' /C calc'!A0", 'a "quoted", name\nin two lines']
    assert (lines[0]["revenue"], lines[0]["action_customers"], lines[1]["action"]) == ("9000.250000", "567", "")
