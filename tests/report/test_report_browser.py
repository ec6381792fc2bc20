"""The reports of real runs, opened in a real Chromium: nothing fetched, nothing cut off, every number that of the tables."""

import itertools
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import deltalake
import pytest
from pyspark.sql import SparkSession
from test_report import check_shown

from segmentation.config.load import load_config
from segmentation.pipeline import STAGES, Request, execute
from segmentation.progress import Progress
from segmentation.report.marks import KEYS
from segmentation.report.stage import find_published, save_report
from segmentation.run import Run
from segmentation.warehouse.lake import open_lake

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH; on Debian: apt-get install chromium")
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
QUIET += " --disable-component-update --disable-sync"
ALWAYS = {"size_revenue", "heat_map", "distribution_01", "map", "scatter", "silhouette"}
PHONE, DESK = 360, 1280
# Every text in sight with its mark, its box, its colours.
READ_TEXTS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || parent.closest('style, title, desc')) continue;
    const mark = parent.closest('[data-table], [data-derived]');
    const own = mark ? Object.fromEntries(mark.getAttributeNames().map(name => [name, mark.getAttribute(name)])) : {};
    found.push({text: node.data.trim(), mark: own});
  }
  return found;
}"""
READ_CONTRAST = """() => {
  const parse = text => { const part = text.match(/[\\d.]+/g).map(Number); return part.length < 4 ? [...part, 1] : part; };
  const light = ([r, g, b]) => { const f = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const over = (top, base, alpha) => [0, 1, 2].map(i => top[i] * alpha + base[i] * (1 - alpha));
  const found = [];
  for (const node of document.querySelectorAll('p, li, td, th, dt, dd, h1, h2, h3, h4, summary, figcaption, a, svg text')) {
    if (!node.textContent.trim() || node.closest('.skip') || !node.getClientRects().length) continue;
    const isDrawn = node.tagName === 'text', style = getComputedStyle(node);
    let base = parse(getComputedStyle(document.body).backgroundColor);
    for (const outer of [node.closest('.verdict'), node.closest('.chosen td, .chosen th')]) {
      if (outer) { const own = parse(getComputedStyle(outer).backgroundColor); base = over(own, base, own[3]); }
    }
    const box = isDrawn && node.previousElementSibling;
    if (box && box.tagName === 'rect' && node.closest('[data-figure=heat_map]') && node.dataset.table) {
      const own = getComputedStyle(box); base = over(parse(own.fill), base, Number(own.fillOpacity));
    }
    const pair = [light(parse(isDrawn ? style.fill : style.color)), light(base)].sort((a, b) => b - a);
    found.push([(pair[0] + .05) / (pair[1] + .05), node.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def reports(published: Callable[[str], Run]) -> Callable[[str], tuple[Path, Path]]:
    """The warehouse and the page of a real run."""

    def find(name: str) -> tuple[Path, Path]:
        warehouse = Path(str(published(name).lake.path))
        return warehouse, warehouse / "reports/r1/report.html"

    return find


@pytest.fixture(scope="module")
def moved(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The warehouse and the page of the second of two runs, between which customers moved, left and came."""
    folder = tmp_path_factory.mktemp("moved")
    config = folder / "c.yaml"
    config.write_text(f"""
warehouse: {{path: {folder}/w}}
sources:
  customers: {{format: csv, path: {folder}/c.csv, customer_id: id, attributes: {{spend: {{from: spend, type: number}}}}}}
features: {{use: {{spend: {{}}}}}}
clustering: {{k_min: 2, k_max: 4, seeds: [1], resamples: 3, null_tables: 3}}
privacy: {{min_cell: 1}}
""")
    for run_id, first, k in (("one", 0, 2), ("two", 7, 3)):
        lines = [f"{n},{n % 3 * 100 + n % 7}\n" for n in range(first, first + 90)]
        (folder / "c.csv").write_text("id,spend\n" + "".join(lines))
        execute(jvm, Request(load_config(str(config), k=k), run_id, tuple(STAGES)), Progress())
    lake = open_lake(load_config(str(config)).warehouse, None)
    return folder / "w", Path(save_report(find_published(lake, None)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=CHROMIUM, headless=True, args=QUIET.split())
        yield chromium
        chromium.close()


class Visit:
    """A page opened at a width and in a colour scheme, with all that it asked for and complained of."""

    def __init__(self, browser: Any, place: Path, width: int, scheme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(place.as_uri())
        self.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


NAMES = pytest.mark.parametrize("name", ["online_retail", "complete_journey"])


@NAMES
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_every_figure_is_in_sight_and_nothing_is_fetched(
    reports: Callable[[str], tuple[Path, Path]], browser: Any, name: str, width: int
) -> None:
    place = reports(name)[1]
    visit = Visit(browser, place, width)

    figures = visit.page.locator("svg[data-figure]").all()
    boxes = {one.get_attribute("data-figure"): one.bounding_box() for one in figures}

    assert set(boxes) >= ALWAYS
    assert set(boxes) == {file.stem for file in place.parent.glob("*.svg")}
    assert all(box["width"] > 200 and box["height"] > 80 for box in boxes.values())
    assert all(one.is_visible() for one in figures)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in visit.requests if url not in (place.as_uri(), "data:,")] == []
    assert visit.complaints == []
    assert place.stat().st_size < 3_000_000


@NAMES
def test_every_number_in_sight_is_that_of_the_delta_tables(
    reports: Callable[[str], tuple[Path, Path]], browser: Any, name: str
) -> None:
    warehouse, place = reports(name)
    cells = {}
    for table, key in KEYS.items():
        if (warehouse / table).exists():
            for row in deltalake.DeltaTable(str(warehouse / table)).to_pyarrow_table().to_pylist():
                words = "|".join(str("" if row[one] is None else row[one]) for one in key)
                cells[table, row["run_id"], words] = row

    texts = Visit(browser, place, DESK).page.evaluate(READ_TEXTS)

    compared = 0
    for one in texts:
        text, mark = one["text"], one["mark"]
        if "data-table" not in mark:
            assert not re.search(r"\d", text) or "data-derived" in mark, text
            continue
        value = cells[mark["data-table"], mark["data-run"], mark["data-key"]][mark["data-column"]]
        if mark["data-column"] in ("started_at", "published_at"):
            assert text[:19] == f"{value:%Y-%m-%d %H:%M:%S}"
        elif mark["data-column"] == "as_of":
            assert text == value.isoformat()
        elif value is None or (isinstance(value, float) and math.isnan(value)):
            assert text == "–"
        else:
            check_shown(text, " ".join(value.split()) if isinstance(value, str) else value)
        compared += 1
    assert compared > 300


def test_customers_who_moved_are_those_of_the_assignments(moved: tuple[Path, Path], browser: Any) -> None:
    warehouse, place = moved
    frame = deltalake.DeltaTable(str(warehouse / "assignments")).to_pandas()
    then, now = (frame[frame["run_id"] == run].set_index("customer_id")["segment_id"] for run in ("one", "two"))
    counts = then.to_frame("then").join(now.to_frame("now"), how="outer").value_counts(dropna=False)

    shown = {
        one["mark"]["data-derived"]: int(one["text"].replace(",", ""))
        for one in Visit(browser, place, DESK).page.evaluate(READ_TEXTS)
        if one["mark"].get("data-derived", "").startswith(("moves:", "known", "new", "gone"))
    }

    assert [shown.pop(name) for name in ("known", "new", "gone")] == [83, 7, 7]
    assert {key: size for key, size in shown.items() if size} == {
        "moves:" + "|".join("" if math.isnan(one) else str(int(one)) for one in pair): size for pair, size in counts.items()
    }


@NAMES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(
    reports: Callable[[str], tuple[Path, Path]], browser: Any, name: str, scheme: str
) -> None:
    visit = Visit(browser, reports(name)[1], DESK, scheme)

    found = visit.page.evaluate(READ_CONTRAST)

    assert len(found) > 200
    assert [one for one in found if one[0] < 4.5] == []


@NAMES
def test_the_page_can_be_walked_by_keyboard_and_read_aloud(
    reports: Callable[[str], tuple[Path, Path]], browser: Any, name: str
) -> None:
    page = Visit(browser, reports(name)[1], DESK).page

    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    assert page.evaluate("document.documentElement.lang") == "en"
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('svg')].every(one => one.role === 'img' && one.querySelector('desc'))")
    identities = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(identities) == len(set(identities))
