"""The dashboard of scripts/dashboard: imported into a new Superset, which serves it, and looked at in a real Chromium."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from servers import end, free_port

from segmentation.tables import CHAMPIONS, DRIFT, PROFILES, PUBLISHED, RUNS, SEGMENTS, TRAITS, TRANSITIONS
from segmentation.warehouse.lake import Lake

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SUPERSET = os.environ.get("SUPERSET") or shutil.which("superset")
Runner = Callable[..., subprocess.CompletedProcess[str]]
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
QUIET += " --disable-component-update --disable-sync"
PATIENCE = 300  # seconds; an idle machine needs thirty
PASSWORD = "a password of this test"
MAKE = str(ROOT / "scripts/dashboard/make_database.py")

# Run, order of publication, whose model scored it, data before, and customers of each segment.
SIZES: tuple[tuple[str, int, str | None, date, dict[str, int]], ...] = (
    ("may", 1, None, date(2026, 6, 1), {"Weekly shoppers": 4321, "Gone for long": 1234}),
    ("june", 2, "may", date(2026, 7, 1), {"Weekly shoppers": 4567, "Gone for long": 1098}),
    ("challenger", 3, None, date(2026, 7, 1), {"Nobody's choice": 5665}),
)
COLORS = ("#0072B2", "#E69F00")


def runs() -> Iterator[dict[str, Any]]:
    for run_id, order, model, day, sizes in SIZES:
        then = datetime(day.year, day.month, day.day, order, tzinfo=UTC)
        told = {"config_hash": "0", "spark_version": "4.2.0", "delta_version": "4.4.0", "package_version": "0.1.0"}
        told |= {"started_at": then, "published_at": then, "as_of": day, "scored_with": model, "status": PUBLISHED}  # type: ignore[dict-item]
        yield {**told, "run_id": run_id, "published_seq": order, "customers": sum(sizes.values()), "k": len(sizes)}


def segments(run_id: str, sizes: dict[str, int]) -> Iterator[dict[str, Any]]:
    for segment, (name, customers) in enumerate(sizes.items()):
        looks = {"segment_name": name, "rule_name": name, "color": COLORS[segment], "sets_apart": f"Orders of {name}"}
        counts = {"customers": customers, "customer_share": customers / sum(sizes.values()), "revenue": Decimal(customers)}
        yield {"run_id": run_id, "segment_id": segment, "segment_key": f"S000{segment + 1}", **looks, **counts}


def make_warehouse(place: Path) -> None:
    """Write a model's run, a score by it, and a challenger that nobody promoted."""
    lake = Lake(None, str(place), None, str(place / "models"))
    for run_id, _, _, _, sizes in SIZES:
        lake.write_rows([one for one in runs() if one["run_id"] == run_id], RUNS, run_id=run_id)
        lake.write_rows(segments(run_id, sizes), SEGMENTS, run_id=run_id)
    first, now = {"run_id": "may"}, {"run_id": "june"}
    promoted = {"seq": 1, "promoted_at": datetime(2026, 6, 2, tzinfo=UTC)}
    trait = {"segment_id": 0, "rank": 1, "feature": "frequency_orders", "kind": "number"}
    z = {"segment_id": 0, "feature": "frequency_orders", "statistic": "z", "value": 1.5}
    moved = {"from_key": "S0002", "to_key": "S0001", "why": "customer", "customers": 246, "share": 0.04}
    drifted = {"model_run_id": "may", "measure": "psi", "feature": "frequency_orders", "value": 0.3, "is_drift": True}
    bounds = {"chance_bound": 0.05, "size_bound": 0.1, "customers_then": 5555, "customers_now": 5665}
    lake.write_rows([{**first, **promoted}], CHAMPIONS, run_id="may")
    lake.write_rows([{**now, **trait, "segment_value": 51.0, "population_value": 40.5, "effect": 1.5}], TRAITS, run_id="june")
    lake.write_rows([{**now, **z}], PROFILES, run_id="june")
    lake.write_rows([{**now, **moved}], TRANSITIONS, run_id="june")
    lake.write_rows([{**now, **drifted, **bounds}], DRIFT, run_id="june")


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.5)


@pytest.fixture(scope="module")
def folder(run_command: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database and the dashboard of a small warehouse."""
    made = tmp_path_factory.mktemp("dashboard")
    make_warehouse(made / "warehouse")
    done = run_command(sys.executable, MAKE, "warehouse", ".", cwd=made, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    """The address of a Superset that had nothing before."""
    if SUPERSET is None:
        pytest.skip("no Superset in SUPERSET or on PATH; see docs/deploy/dashboard.md")
    port, log = free_port(), folder / "serve.log"
    known = {**os.environ, "SUPERSET": str(SUPERSET), "PORT": str(port), "ADMIN_PASSWORD": PASSWORD}
    with open(log, "wb") as told:
        server = subprocess.Popen(
            [str(ROOT / "scripts/dashboard/serve.sh"), "."], cwd=folder, env=known, stdout=told, stderr=told
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(server)


@dataclass
class Look:
    """What the dashboard says, chart by chart, and what came from elsewhere or failed."""

    charts: dict[str, str] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    picture: Path = Path()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH; on Debian: apt-get install chromium")
    with sync_api.sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=CHROMIUM, headless=True, args=QUIET.split())
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def look(browser: Any, served: str, folder: Path) -> Look:
    """Log in as a person does, open the dashboard, and wait until no chart is being drawn."""
    seen = Look(picture=folder / "dashboard.png")

    def foreign(url: str) -> bool:
        return url.startswith("http") and not url.startswith(served)

    page = browser.new_page(viewport={"width": 1440, "height": 2450})
    page.set_default_timeout(120_000)
    # What the pages' own policy holds back never leaves the browser; what merely fails without a network would.
    page.on("requestfailed", lambda one: seen.outside.append(one.url) if one.failure != "csp" and foreign(one.url) else None)
    page.on("requestfinished", lambda one: seen.outside.append(one.url) if foreign(one.url) else None)
    page.on("response", lambda one: seen.failed.append(f"{one.status} {one.url}") if one.status >= 400 else None)
    page.goto(f"{served}/login/")
    page.fill("#username, input[name=username]", "admin")
    page.fill("#password, input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(f"{served}/superset/dashboard/customer-segments/")
    page.wait_for_selector(".chart-slice", state="visible")
    page.wait_for_function("""() => document.querySelectorAll('.chart-slice').length === 13
        && !document.querySelector('.chart-slice .loading, .chart-slice [data-test=loading-indicator]')
        && document.querySelectorAll('.chart-slice :is(canvas, [role=alert])').length >= 5""")
    page.wait_for_load_state("networkidle")
    for chart in page.locator(".chart-slice").all():
        title, _, text = chart.inner_text().partition("\n")
        seen.charts[title] = " ".join(text.split())
    page.screenshot(path=str(seen.picture))
    page.close()
    return seen


def test_the_dashboard_shows_the_current_segments_with_their_sizes(look: Look) -> None:
    shown = look.charts["The segments"]

    assert "Weekly shoppers 4,567 80.6%" in shown
    assert "Gone for long 1,098 19.4%" in shown
    assert "Nobody's choice" not in " ".join(look.charts.values())
    assert look.charts["Customers"].startswith("5,665")


def test_the_dashboard_shows_what_sets_apart_who_moved_and_every_run(look: Look) -> None:
    assert "Weekly shoppers Orders 51 40.5 +1.50" in look.charts["What sets each segment apart"]
    assert "246" in look.charts["Movement since the run before"]
    assert look.charts["Measures that drifted"].startswith("1")
    assert [name for name in ("may", "june", "challenger") if name not in look.charts["Runs"]] == []


def test_no_chart_fails_and_nothing_comes_from_outside(look: Look) -> None:
    assert look.failed == []
    assert look.outside == []
    assert [title for title, text in look.charts.items() if "error" in text.lower()] == []
    assert look.picture.stat().st_size > 20_000


def test_the_database_names_no_customer_and_every_table_has_its_comment(folder: Path) -> None:
    with duckdb.connect(str(folder / "segmentation.duckdb"), read_only=True) as database:
        columns = database.execute("SELECT count(*) FROM duckdb_columns() WHERE column_name = 'customer_id'").fetchone()
        silent = database.execute("SELECT table_name FROM duckdb_tables() WHERE comment IS NULL").fetchall()

    assert columns == (0,)
    assert silent == []


def test_a_place_without_runs_is_one_line(run_command: Runner, tmp_path: Path) -> None:
    done = run_command(sys.executable, MAKE, "nowhere", ".", cwd=tmp_path, PYTHONPATH=str(ROOT))

    assert done.returncode != 0
    assert done.stderr.splitlines() == ["nowhere: expected a warehouse, with the table runs, found none"]
