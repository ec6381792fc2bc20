"""Who is in each segment, without small groups or what would give them away; and the attribute changes nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_all
from pyspark.sql import Row, SparkSession

from segmentation.config.load import load_config
from segmentation.errors import ConfigError
from segmentation.report.stage import find_published, save_report
from segmentation.segments.hidden import Hidden
from segmentation.segments.representation import count_representation
from segmentation.tables import PROFILES, REPRESENTATION, SEGMENT_RULES, SEGMENTS, TRAITS

NOTHING = Hidden(1, frozenset(), frozenset(), frozenset(), frozenset(), frozenset())


def test_shares_are_of_the_segment_and_of_everybody() -> None:
    levels = [Row(segment_id=s, feature="sex", level=v, customers=n) for s, v, n in ((0, "f", 30), (0, "m", 10), (1, "f", 60))]

    rows = count_representation(levels, {0: 40, 1: 60}, audited=["sex"], hidden=NOTHING)

    first = next(row for row in rows if (row["segment_id"], row["level"]) == (0, "m"))
    assert (first["customers"], first["share"], first["population_share"]) == (10, 0.25, 0.1)
    assert first["index"] == pytest.approx(250)


def write_config(folder: Path, role: str) -> str:
    random = np.random.default_rng(1)
    lines = [
        f"c{n},{random.normal(100 + 400 * (n % 3), 20):.2f},{'north' if n % 3 == 0 else 'south'},{'rare' if n == 5 else 'usual'}"
        for n in range(150)
    ]
    (folder / "c.csv").write_text("id,spend,region,kind\n" + "\n".join(lines) + "\n")
    attributes = "spend: {from: spend, type: number}, region: {from: region, type: category}, kind: {from: kind, type: category}"
    config = folder / f"{role}.yaml"
    config.write_text(f"""
warehouse: {{path: {folder}/w}}
sources: {{customers: {{format: csv, path: {folder}/c.csv, customer_id: id, attributes: {{{attributes}}}}}}}
features: {{use: {{spend: {{}}, region: {{role: {role}}}, kind: {{role: audit}}}}}}
clustering: {{k_max: 4, seeds: [1], resamples: 4}}
""")
    return str(config)


def test_an_audited_attribute_is_counted_and_looked_at_by_nothing_else(jvm: SparkSession, tmp_path: Path) -> None:
    run = run_all(jvm, write_config(tmp_path, "audit"), "a")

    rows: list[dict[str, Any]] = run.lake.read_rows(REPRESENTATION, run_ids=["a"])
    by_segment = {row["segment_id"]: row["share"] for row in rows if row["level"] == "north"}
    assert sorted(by_segment.values()) == [0, 0, 1]
    assert {row["share"] for row in rows if row["attribute"] == "kind"} == {None}  # one customer of a kind gives both levels away
    for table in (PROFILES, TRAITS, SEGMENT_RULES, SEGMENTS):
        told = str(run.lake.read_rows(table, run_ids=["a"]))
        assert "region" not in told, table.name
        assert "north" not in told, table.name
    page = Path(save_report(find_published(run.lake, "a"))).read_text()
    assert "Who is in them" in page
    assert "rare" in page


def test_a_number_cannot_be_audited(tmp_path: Path) -> None:
    config = Path(write_config(tmp_path, "describe"))
    config.write_text(
        config.read_text().replace("spend: {},", "spend: {role: audit},").replace("role: describe", "role: cluster")
    )

    with pytest.raises(ConfigError, match="role audit of categories alone, found spend"):
        load_config(str(config))
