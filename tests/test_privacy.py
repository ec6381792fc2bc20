"""A run with a segment of four customers: no table, page or CSV tells of them, and the next run goes on all the same."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_all
from pyspark.sql import SparkSession

from segmentation.cli import main
from segmentation.report.stage import find_published, save_report
from segmentation.run import Run
from segmentation.tables import (
    ACTIONS,
    ASSIGNMENTS,
    CENTROIDS,
    CUSTOMERS,
    EVERY,
    EXEMPLARS,
    FEATURES,
    HISTOGRAMS,
    LINEAGE,
    PREPARATION,
    PROFILES,
    QUARANTINE,
    ROW_COUNTS,
    RUN_METRICS,
    SEGMENT_MAP,
    SEGMENT_RULES,
    SEGMENTS,
    STABILITY,
    TRAITS,
    TRANSITIONS,
)

# Rows of customers; what the model needs to place anybody; what counts rows and runs, not customers.
_NO_AGGREGATES = {one.name for one in (ASSIGNMENTS, CUSTOMERS, FEATURES, QUARANTINE, PREPARATION, ROW_COUNTS, RUN_METRICS)}
FEW = 4


def write_customers(folder: Path, *, month: int) -> None:
    """Four groups by spend, the last of four; in the second month some have moved and five are new."""
    random = np.random.default_rng(7)
    lines = []
    for number in range(240 + 5 * month):
        group = 3 if number < FEW else (0, 1, 2, 0, 0, 1)[number % 6] if number < 240 else 2
        if month == 1 and number in range(54, 144, 6):
            group = 1
        spend = (100, 900, 3000, 9000)[group] + random.normal(0, (20, 60, 150, 300)[group])
        region = "isle" if number in (30, 31, 32) else ("north", "south")[(number // 2) % 2]
        age = "" if group == 1 and number % 10 else f"{random.integers(20, 60)}"
        lines.append(f"c{number},{spend:.2f},{region},{age}")
    (folder / "c.csv").write_text("id,spend,region,age\n" + "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def told(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of the second month; its configuration lies beside the warehouse."""
    folder = tmp_path_factory.mktemp("few")
    attributes = "spend: {from: spend, type: number}, region: {from: region, type: category}, age: {from: age, type: number}"
    (folder / "c.yaml").write_text(f"""
warehouse: {{path: {folder}/w}}
sources: {{customers: {{format: csv, path: {folder}/c.csv, customer_id: id, attributes: {{{attributes}}}}}}}
features: {{use: {{spend: {{}}, region: {{role: describe}}, age: {{role: describe}}}}, revenue: spend}}
clustering: {{k_max: 4, seeds: [1], resamples: 3, null_tables: 2}}
k: 4
""")
    for month in (0, 1):
        write_customers(folder, month=month)
        run = run_all(jvm, str(folder / "c.yaml"), f"m{month}")
    return run


def find_few(run: Run) -> tuple[int, list[dict[str, Any]]]:
    """Return the number of the segment of four, and its customers."""
    placed = run.lake.read_rows(ASSIGNMENTS, run_ids=[run.run_id])
    (few,) = {row["segment_id"] for row in placed if row["customer_id"] in {f"c{number}" for number in range(FEW)}}
    ids = {row["customer_id"] for row in placed if row["segment_id"] == few}
    assert len(ids) == FEW
    return few, [row for row in run.lake.read_rows(FEATURES, run_ids=[run.run_id]) if row["customer_id"] in ids]


def read_aggregates(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    for table in EVERY:
        if table.name not in _NO_AGGREGATES:
            for row in run.lake.read_rows(table):
                yield table.name, row


def secrets_of(run: Run) -> list[float]:
    """Return the statistics of the four: mean, sum, quantiles, shares, z and index."""
    _, members = find_few(run)
    everybody = run.lake.read_rows(FEATURES, run_ids=[run.run_id])
    spend, all_spend = (np.array([float(row["spend"]) for row in rows]) for rows in (members, everybody))
    quantiles = np.quantile(spend, (0.1, 0.25, 0.5, 0.75, 0.9)).tolist()
    mean, z = float(spend.mean()), float((spend.mean() - all_spend.mean()) / all_spend.std())
    shares = [FEW / len(everybody), float(spend.sum() / all_spend.sum())]
    return [
        mean,
        float(spend.sum()),
        float(spend.min()),
        float(spend.max()),
        *quantiles,
        z,
        mean / all_spend.mean() * 100,
        *shares,
    ]


def test_no_table_holds_a_count_or_a_statistic_of_the_four(told: Run) -> None:
    few, _ = find_few(told)
    secrets = secrets_of(told)
    looked = set()

    for name, row in read_aggregates(told):
        looked.add(name)
        for column, value in row.items():
            if column in ("customers", "customers_now", "customers_then", "customers_common", "near_customers"):
                assert value is None or value == 0 or value >= 10, (name, row)
            if isinstance(value, (float, Decimal)) and (name, column) != (CENTROIDS.name, "value_scaled"):
                assert not any(np.isclose(float(value), one, rtol=1e-6, atol=0) for one in secrets), (name, column, row)
            if isinstance(value, str):
                assert not any(text in value for text in spell(secrets)), (name, column, row)

    assert looked >= {one.name for one in (SEGMENTS, PROFILES, HISTOGRAMS, TRANSITIONS, LINEAGE, STABILITY, CENTROIDS)}
    for table in (TRAITS, EXEMPLARS, SEGMENT_RULES, SEGMENT_MAP, ACTIONS):
        assert few not in {row["segment_id"] for row in told.lake.read_rows(table, run_ids=[told.run_id])}, table.name


def spell(secrets: list[float]) -> set[str]:
    """Return the numbers of five letters and more as texts show them."""
    texts = {f"{one:,.{digits}f}" for one in secrets for digits in (0, 1, 2, 3)} | {f"{one:.2%}" for one in secrets}
    return {text for text in texts if len(text) >= 5}


def test_neither_does_the_page_the_terminal_or_the_csv(told: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = str(Path(str(told.lake.path)).parent / "c.yaml")
    place = Path(save_report(find_published(told.lake, told.run_id)))

    assert main(["show", "--config", config, "--csv", str(tmp_path / "s.csv")]) == 0
    assert main(["explain", "--config", config, "--customer", "c0"]) == 0

    shown = capsys.readouterr().out
    _, own = find_few(told)
    texts = spell(secrets_of(told)) - {f"{float(row['spend']):,.0f}" for row in own}  # whom explain is asked of
    for text in (shown, (tmp_path / "s.csv").read_text(), *(path.read_text() for path in place.parent.iterdir())):
        assert not [one for one in texts if one in text]
    assert "Not shown: fewer than 10 customers" in shown
    assert "fewer than 10 customers" in place.read_text()
    assert shown.count("not shown") >= 2


def test_two_segments_hide_and_the_sums_of_the_rest_tell_of_both_together(told: Run) -> None:
    rows = told.lake.read_rows(SEGMENTS, run_ids=[told.run_id])

    assert sorted(row["customers"] is None for row in rows) == [False, False, True, True]
    for row in rows:
        numbers = [row[name] for name in ("customers", "customer_share", "revenue", "revenue_share")]
        assert None not in numbers or set(numbers) == {None}
    flows = told.lake.read_rows(TRANSITIONS, run_ids=[told.run_id])
    assert {row["customers"] for row in flows if row["from_key"] is None} == {None}  # five who arrived are few
    assert any(row["customers"] for row in flows)


def test_levels_and_values_that_few_have_are_not_shown_either(told: Run) -> None:
    values = {
        (row["segment_id"], row["feature"], row["statistic"]): row["value"]
        for row in told.lake.read_rows(PROFILES, run_ids=[told.run_id])
    }

    assert {value for (_, feature, _), value in values.items() if feature == "region=isle"} == {None}
    shown = [row["segment_id"] for row in told.lake.read_rows(SEGMENTS, run_ids=[told.run_id]) if row["customers"]]
    assert all(values[segment, "spend", "mean"] is not None for segment in shown)


def test_the_next_run_knows_the_four_again(told: Run) -> None:
    before, after = (
        {row["customer_id"]: row["segment_key"] for row in told.lake.read_rows(ASSIGNMENTS, run_ids=[run_id])}
        for run_id in ("m0", "m1")
    )

    assert all(before[f"c{number}"] == after[f"c{number}"] for number in range(FEW))
    lineage = {row["segment_key"]: row for row in told.lake.read_rows(LINEAGE, run_ids=["m1"])}
    assert lineage[after["c0"]]["verdict"] == "survived"
    assert lineage[after["c0"]]["said"] == f"{after['c0']} goes on"


def test_a_minimum_of_one_shows_everything(jvm: SparkSession, told: Run, tmp_path: Path) -> None:
    folder = Path(str(told.lake.path)).parent
    config = tmp_path / "all.yaml"
    config.write_text((folder / "c.yaml").read_text().replace(f"{folder}/w", f"{tmp_path}/w") + "privacy: {min_cell: 1}\n")

    run = run_all(jvm, str(config), "all")

    few, _ = find_few(run)
    sizes = {row["segment_id"]: row["customers"] for row in run.lake.read_rows(SEGMENTS)}
    assert sizes[few] == FEW
    means = {row["value"] for row in run.lake.read_rows(PROFILES) if row["segment_id"] == few and row["statistic"] == "mean"}
    assert any(np.isclose(secrets_of(run)[0], one) for one in means if one is not None)
    for table in (PROFILES, HISTOGRAMS, STABILITY):
        assert None not in {row.get("customers", row.get("customer_share", 0)) for row in run.lake.read_rows(table)}
