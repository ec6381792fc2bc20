"""What segments, advice and publish write: planted archetypes found again, and every table that explains the segments."""

import hashlib
import hmac
from datetime import date
from pathlib import Path
from typing import Any

import deltalake
import numpy as np
import pandas as pd
import pytest
from conftest import to_pandas
from pyspark.sql import SparkSession

from segmentation.catalogue import FEATURES
from segmentation.config.load import load_config
from segmentation.errors import ConfigError
from segmentation.pipeline import STAGES, Request, execute
from segmentation.progress import Progress
from segmentation.run import Run
from segmentation.segments.stage import exemplar_names
from segmentation.synthetic import generate_archetypes
from segmentation.tables import ACTIONS, EXEMPLARS, HISTOGRAMS, MAP_AXES, SEGMENT_MAP, SEGMENT_RULES, SEGMENTS, TRAITS

AS_OF = date(2025, 1, 1)
NAMES = {0: '</script> "best" 🛒', 9: "nobody"}
KEY = "a key that is long enough"


def write_config(folder: Path, *, segments: str = "{}") -> str:
    path = folder / "planted.yaml"
    path.write_text(f"""
as_of: {AS_OF}
warehouse: {{path: {folder}/w}}
sources:
  transactions:
    format: csv
    path: {folder}/lines
    columns: {{customer_id: customer_id, order_id: order_id, ordered_at: ordered_at, amount: amount}}
features:
  use:
    recency_days: {{log: true}}
    frequency_orders: {{log: true}}
    monetary_total: {{log: true}}
    tenure_days: {{log: true}}
    average_order_value: {{log: true}}
    items_per_order: {{role: describe}}
clustering: {{k_min: 3, k_max: 5, seeds: [1, 2]}}
segments: {segments}
privacy: {{min_cell: 1}}  # every number is held against the customers; tests/test_privacy.py is about small groups
""")
    return str(path)


def plant(spark: SparkSession, folder: Path, *, customers: int, seed: int) -> pd.Series:
    """Write purchase lines and return each customer's true archetype."""
    lines = generate_archetypes(spark, customers=customers, as_of=AS_OF, seed=seed).cache()
    lines.drop("true_archetype").write.option("header", True).csv(f"{folder}/lines")
    return to_pandas(lines.select("customer_id", "true_archetype").distinct()).set_index("customer_id")["true_archetype"]


def run_stages(spark: SparkSession, config: str, *, stages: tuple[str, ...] = tuple(STAGES)) -> Run:
    return execute(spark, Request(load_config(config), "planted", stages), Progress())


def read(run: Run, name: str) -> pd.DataFrame:
    return deltalake.DeltaTable(f"{run.lake.path}/{name}").to_pandas()


@pytest.fixture(scope="module")
def planted(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, pd.Series, Path]:
    folder = tmp_path_factory.mktemp("planted")
    truth = plant(jvm, folder, customers=2_000, seed=1)
    return run_stages(jvm, write_config(folder)), truth, folder


@pytest.fixture(scope="module")
def members(planted: tuple[Run, pd.Series, Path]) -> pd.DataFrame:
    run = planted[0]
    features, assignments = read(run, "features"), read(run, "assignments")
    both = features.merge(assignments[["customer_id", "segment_id", "distance"]], on="customer_id")
    return both.astype({"monetary_total": float, "recency_days": float, "frequency_orders": float, "tenure_days": float})


def test_planted_archetypes_come_out_under_their_names(planted: tuple[Run, pd.Series, Path]) -> None:
    run, truth, _ = planted
    segments = read(run, SEGMENTS.name).set_index("segment_id")
    found = read(run, "assignments").set_index("customer_id")["segment_id"].map(segments["archetype"])

    assert set(segments["archetype"]) == set(truth) == {"high_spenders", "loyal_patrons", "occasional_buyers", "new_customers"}
    assert sorted(segments["segment_name"]) == ["High spenders", "Loyal patrons", "New customers", "Occasional buyers"]
    assert (found == truth.reindex(found.index)).mean() >= 0.95


def test_traits_are_ranked_and_equal_the_oracle(planted: tuple[Run, pd.Series, Path], members: pd.DataFrame) -> None:
    traits = read(planted[0], TRAITS.name)

    assert len(traits)
    assert set(traits["kind"]) == {"number"}
    for row in traits.itertuples():
        column = members[row.feature].astype(float)
        own = column[members["segment_id"] == row.segment_id].mean()
        assert row.segment_value == pytest.approx(own)
        assert row.population_value == pytest.approx(column.mean())
        assert row.effect == pytest.approx((own - column.mean()) / column.std(ddof=0))
    for _, own in traits.sort_values("rank").groupby("segment_id"):
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
        assert (own["effect"].abs().diff().dropna() <= 1e-9).all()


def test_exemplars_are_the_nearest_five_under_pseudonyms(planted: tuple[Run, pd.Series, Path], members: pd.DataFrame) -> None:
    exemplars = read(planted[0], EXEMPLARS.name)

    nearest = members.sort_values(["distance", "customer_id"]).groupby("segment_id").head(5)
    assert sorted(exemplars["distance"]) == pytest.approx(sorted(nearest["distance"]))
    assert exemplars.groupby("segment_id")["rank"].apply(sorted).tolist() == [[1, 2, 3, 4, 5]] * 4
    assert exemplars["customer_id"].str.fullmatch("[0-9a-f]{64}").all()
    plain = [hashlib.sha256(one.encode()).hexdigest() for one in nearest["customer_id"]]
    assert not set(exemplars["customer_id"]) & {*members["customer_id"], *plain}


def test_rules_hold_as_printed_for_the_customers_counted(planted: tuple[Run, pd.Series, Path], members: pd.DataFrame) -> None:
    rules = read(planted[0], SEGMENT_RULES.name)

    columns = {one.label: one.name for one in FEATURES}
    assert set(rules["segment_id"]) == set(range(4))
    for row in rules.itertuples():
        caught = pd.Series(True, index=members.index)
        feature = ""
        for part in row.condition.split(" and "):
            name, _, bound = part.rpartition(" at most ") if " at most " in part else part.rpartition(" more than ")
            feature = columns[name] if name else feature
            value, limit = members[feature], float(bound.replace(",", "")) if bound else 0
            caught &= value <= limit if "at most" in part else value > limit
        own = members["segment_id"] == row.segment_id
        assert row.customers == caught.sum()
        assert row.precision == pytest.approx((caught & own).sum() / caught.sum())
        assert row.recall == pytest.approx((caught & own).sum() / own.sum())
    assert rules.groupby("segment_id")["recall"].sum().min() > 0.9
    assert (rules["precision"] * rules["customers"]).sum() / rules["customers"].sum() > 0.9


def test_actions_speak_to_the_customers_counted(planted: tuple[Run, pd.Series, Path], members: pd.DataFrame) -> None:
    actions = read(planted[0], ACTIONS.name)

    best = actions[actions["action"] == "keep_best"]
    assert len(best)
    for row in best.itertuples():
        own = members[(members["segment_id"] == row.segment_id) & (members["monetary_total"] >= row.threshold)]
        assert row.customers == len(own)
        assert float(row.revenue) == pytest.approx(own["monetary_total"].sum())
        assert row.threshold == pytest.approx(2 * members["monetary_total"].median())
        assert row.value == pytest.approx(members.loc[members["segment_id"] == row.segment_id, "monetary_total"].median())
        assert f"{row.customers:,}" in row.advice
        days = int(np.ceil(members["days_between_orders"].quantile(0.5)))
        assert row.baseline_rate == pytest.approx((own["recency_days"] <= days).mean())
    # Nothing calls for action on every segment.
    assert actions["action"].value_counts().max() < 4


def test_histograms_count_every_customer_once(planted: tuple[Run, pd.Series, Path], members: pd.DataFrame) -> None:
    bars = read(planted[0], HISTOGRAMS.name)

    spend = bars[bars["feature"] == "monetary_total"]
    everyone = spend[spend["segment_id"].isna()].sort_values("bin")
    edges = [-np.inf, *everyone["lower"].iloc[1:], np.inf]
    expected = np.histogram(members["monetary_total"], bins=edges)[0]
    np.testing.assert_array_equal(everyone["customers"], expected)
    own = spend.dropna(subset="segment_id").groupby("segment_id")["customers"].sum()
    assert own.tolist() == members.groupby("segment_id").size().tolist()
    assert everyone["lower"].iloc[0] == pytest.approx(members["monetary_total"].quantile(0.01))
    assert everyone["upper"].iloc[-1] == pytest.approx(members["monetary_total"].quantile(0.99))
    assert everyone["upper"].tolist()[:-1] == everyone["lower"].tolist()[1:]


def test_the_map_shows_two_components_without_ids(planted: tuple[Run, pd.Series, Path]) -> None:
    points, axes = read(planted[0], SEGMENT_MAP.name), read(planted[0], MAP_AXES.name)

    assert list(points.columns) == ["run_id", "segment_id", "x", "y"]
    assert len(points) == 2_000
    assert abs(points["x"].corr(points["y"])) < 1e-9
    assert points["x"].var() > points["y"].var() > 0
    for _, own in axes.groupby("axis"):
        assert (own["loading"] ** 2).sum() == pytest.approx(1)
        assert set(own["feature"]) == {"recency_days", "frequency_orders", "monetary_total", "tenure_days", "average_order_value"}
    shares = axes.groupby("axis")["explained_share"].first()
    assert 1 >= shares["x"] > shares["y"] > 0


def test_renaming_is_publishing_again_and_can_be_taken_back(jvm: SparkSession, planted: tuple[Run, pd.Series, Path]) -> None:
    run, _, folder = planted
    before = read(run, SEGMENTS.name).sort_values("segment_id")
    looks: dict[str, Any] = {"names": NAMES, "colors": {1: "#ABCDEF"}}

    run_stages(jvm, write_config(folder, segments=str(looks)), stages=("publish",))

    after = read(run, SEGMENTS.name).sort_values("segment_id")
    assert after["segment_name"].tolist() == [NAMES[0], *before["segment_name"].iloc[1:]]
    assert after["color"].tolist() == [before["color"].iloc[0], "#ABCDEF", *before["color"].iloc[2:]]
    assert after["archetype"].tolist() == before["archetype"].tolist()
    assert after["customers"].tolist() == before["customers"].tolist()
    assert after["rule_name"].tolist() == before["segment_name"].tolist()
    run_stages(jvm, write_config(folder), stages=("publish",))
    assert read(run, SEGMENTS.name).sort_values("segment_id").equals(before)


def test_a_pseudonym_is_made_by_the_key_given(
    jvm: SparkSession, planted: tuple[Run, pd.Series, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _, folder = planted
    monkeypatch.setenv("SEGMENTATION_PSEUDONYM_KEY", KEY)

    run_stages(jvm, write_config(folder), stages=("segments",))

    nearest = read(run, "assignments").sort_values(["distance", "customer_id"]).groupby("segment_id").head(1)
    expected = {hmac.new(KEY.encode(), one.encode(), hashlib.sha256).hexdigest() for one in nearest["customer_id"]}
    exemplars = read(run, EXEMPLARS.name)
    assert set(exemplars.loc[exemplars["rank"] == 1, "customer_id"]) == expected


def test_exemplars_are_ids_or_none_where_the_configuration_says_so(
    jvm: SparkSession, planted: tuple[Run, pd.Series, Path]
) -> None:
    run, truth, folder = planted

    run_stages(jvm, write_config(folder, segments="{exemplars: ids}"), stages=("segments",))

    assert set(read(run, EXEMPLARS.name)["customer_id"]) <= set(truth.index)
    assert exemplar_names("off") is None


def test_a_short_key_is_refused(jvm: SparkSession, planted: tuple[Run, pd.Series, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_PSEUDONYM_KEY", "secret")

    with pytest.raises(ConfigError, match=r"SEGMENTATION_PSEUDONYM_KEY: expected at least 16 characters, found 6$"):
        run_stages(jvm, write_config(planted[2]), stages=("segments",))
