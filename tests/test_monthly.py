"""Month after month: a champion, scores with its frozen model, drift, and a stream that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import pytest
from conftest import ROOT, run_all
from pyspark.sql import SparkSession

from segmentation.cli import main
from segmentation.config.load import load_config
from segmentation.errors import ModelError, PublishError
from segmentation.pipeline import STAGES, Request, execute
from segmentation.progress import Progress
from segmentation.run import Run, facts_of
from segmentation.tables import ASSIGNMENTS, CHAMPIONS, CURRENT, DRIFT, FAILED, FEATURES, RUN_METRICS, RUNS, SEGMENTS

SCORED = tuple(name for name in STAGES if name != "grid")
CLOCK = ("run_id", "started_at", "published_at", "published_seq", "table_versions")


def write_customers(path: Path, *, customers: int = 600, shift: float = 0.0, strange: int = 0, prefix: str = "c") -> None:
    lines = ["id;spend;visits;plan"]
    for number in range(customers):
        group, step = number % 3, (number * 7919) % 101 / 101
        spend = 10 ** (1 + group) * (1 + step) * (1 + shift)
        visits = "" if number % 29 == 0 else f"{5 + 20 * (group == 1) + 3 * step:.3f}"
        lines.append(f"{prefix}{number};{spend:.4f};{visits};{'' if number % 31 == 0 else 'ab'[group == 2]}")
    lines += [f"{prefix}x{number};{10**9};{900 + number};zzz" for number in range(strange)]
    path.write_text("\n".join(lines) + "\n")


def write_config(folder: Path) -> str:
    config = folder / "c.yaml"
    config.write_text(f"""
warehouse: {{path: {folder}/w}}
sources:
  customers:
    format: csv
    path: {folder}/now.csv
    delimiter: ";"
    customer_id: id
    attributes:
      spend: {{from: spend, type: number}}
      visits: {{from: visits, type: number}}
      plan: {{from: plan, type: category}}
features:
  use: {{spend: {{log: true, cap: 0.99}}, visits: {{}}, plan: {{weight: 0.5}}}}
  revenue: spend
clustering: {{k_min: 2, k_max: 4, seeds: [1], resamples: 3, null_tables: 3}}
""")
    return str(config)


def score(spark: SparkSession, config: str, run_id: str, model: str = "champion") -> Run:
    return execute(spark, Request(load_config(config), run_id, SCORED, draws=True, model=model), Progress())


def row_of(run: Run, run_id: str) -> dict[str, Any]:
    return run.lake.read_rows(RUNS, run_ids=[run_id])[0]


def labels(run: Run, run_id: str) -> dict[str, Any]:
    return {row["customer_id"]: row for row in run.lake.read_rows(ASSIGNMENTS, run_ids=[run_id])}


def shown(run: Run) -> set[str]:
    tables = {frozenset(row["run_id"] for row in run.lake.read_rows(table)) for table in CURRENT.values()}
    assert len(tables) == 1  # all of them show one run
    return set(tables.pop())


@pytest.fixture(scope="module")
def trained(jvm: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Run]:
    folder = tmp_path_factory.mktemp("months")
    write_customers(folder / "now.csv")
    config = write_config(folder)
    run = run_all(jvm, config, "jan")
    return config, run


def test_the_same_customers_scored_are_where_they_were(jvm: SparkSession, trained: tuple[str, Run]) -> None:
    config, run = trained
    write_customers(Path(config).parent / "now.csv")

    score(jvm, config, "same", "jan")

    before, after = labels(run, "jan"), labels(run, "same")
    assert {key: row["segment_id"] for key, row in before.items()} == {key: row["segment_id"] for key, row in after.items()}
    assert {key: row["distance"] for key, row in before.items()} == {key: row["distance"] for key, row in after.items()}
    assert {row["is_unlike"] for row in before.values()} == {None}
    assert 0 < sum(row["is_unlike"] for row in after.values()) <= 0.01 * len(after)
    segments = [sorted(run.lake.read_rows(SEGMENTS, run_ids=[one]), key=lambda row: row["segment_id"]) for one in ("jan", "same")]
    assert [{**row, "run_id": "same"} for row in segments[0]] == segments[1]
    told = row_of(run, "same")
    assert (told["scored_with"], told["k"], told["drift_verdict"].partition(":")[0]) == ("jan", row_of(run, "jan")["k"], "keep")
    assert row_of(run, "jan")["drift_verdict"] is None
    assert (Path(config).parent / "w/reports/same/report.html").exists()
    taken = {row["stage"]: row for row in run.lake.read_rows(RUN_METRICS, run_ids=["same"])}
    assert set(taken) == {*SCORED, "report"}
    assert (taken["ingest"]["rows_in"], taken["publish"]["rows_in"]) == (600, 600)
    assert taken["assign"]["rows_out"] >= 600


def test_what_promote_and_rollback_did_are_events(trained: tuple[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--config", trained[0], "--run-id", "jan", "--log", "json"]

    codes = [main([command, *common]) for command in ("promote", "rollback")]

    told = capsys.readouterr()
    events = [(one["event"], one.get("said")) for one in map(json.loads, told.err.splitlines())]
    assert (codes, told.out) == ([0, 0], "")
    assert events[1] == ("promoted", "jan is the champion now, the first")
    assert events[4][0] == "rolled_back"


def test_a_score_twice_is_the_same_rows_in_one_more_version(jvm: SparkSession, trained: tuple[str, Run]) -> None:
    config, run = trained
    write_customers(Path(config).parent / "now.csv", customers=900, prefix="d")
    tables = ("assignments", "segments", "profiles", "features", "drift", "actions")
    found = []
    for _ in range(2):
        score(jvm, config, "twice", "jan")
        stored = [deltalake.DeltaTable(f"{run.lake.path}/{name}") for name in tables]
        rows = [sorted(map(str, table.to_pyarrow_table(partitions=[("run_id", "=", "twice")]).to_pylist())) for table in stored]
        facts = {name: value for name, value in row_of(run, "twice").items() if name not in CLOCK}
        found.append((rows, facts, [table.version() for table in stored]))

    assert found[0][:2] == found[1][:2]
    assert found[1][2][0] == found[0][2][0] + 1
    with pytest.raises(PublishError, match="expected the scored with it was published with"):
        run_all(jvm, config, "twice")


def test_unseen_customers_levels_and_gaps_are_scored_and_strangers_flagged(jvm: SparkSession, trained: tuple[str, Run]) -> None:
    config, run = trained
    write_customers(Path(config).parent / "now.csv", strange=150, prefix="n")

    score(jvm, config, "strange", "jan")

    found = labels(run, "strange")
    assert len(found) == 750  # without a value, with a new plan, never seen: each has a segment
    strangers = [row for key, row in found.items() if key.startswith("nx")]
    assert all(row["is_unlike"] for row in strangers)
    assert sum(row["is_unlike"] for row in found.values()) < 165
    assert row_of(run, "strange")["drift_verdict"].startswith("new segmentation: ")
    drifted = [row for row in run.lake.read_rows(DRIFT, run_ids=["strange"]) if row["is_drift"]]
    assert {row["model_run_id"] for row in drifted} == {"jan"}
    assert "beyond" in {row["measure"] for row in drifted}


def test_a_score_is_refused_without_the_features_of_its_model_or_under_the_id_of_a_run_that_trains(
    jvm: SparkSession, trained: tuple[str, Run], tmp_path: Path
) -> None:
    config, run = trained
    other = tmp_path / "other.yaml"
    other.write_text(Path(config).read_text().replace("plan: {weight: 0.5}", "plan: {role: describe}"))

    with pytest.raises(ModelError, match=r"--model jan: expected a configuration that clusters on plan, found it does not"):
        score(jvm, str(other), "lacking", "jan")
    with pytest.raises(PublishError, match="another run than the model's"):
        score(jvm, config, "jan", "jan")
    run.lake.write_rows([facts_of(run) | {"run_id": "failed", "status": FAILED}], RUNS, run_id="failed")
    with pytest.raises(PublishError, match="--run-id failed: expected a new run, or a score, found a run that trains a model"):
        score(jvm, config, "failed", "jan")


def test_the_champion_is_shown_until_another_is_promoted(
    jvm: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_customers(tmp_path / "now.csv")
    config = write_config(tmp_path)
    common = ["--config", config]
    with pytest.raises(PublishError, match="--model champion: expected a champion, found none"):
        score(jvm, config, "early")
    run = run_all(jvm, config, "jan")
    assert run.lake.read_rows(CHAMPIONS) == []
    assert main(["promote", *common, "--run-id", "jan"]) == main(["promote", *common, "--run-id", "jan"]) == 0
    run_all(jvm, config, "feb")

    assert shown(run) == {"jan"}  # feb is a challenger
    assert row_of(run, "feb")["drift_verdict"].startswith("keep")
    score(jvm, config, "march")
    assert shown(run) == {"march"}
    versions = {name: deltalake.DeltaTable(f"{run.lake.path}/{name}").version() for name in ("champions", "runs")}
    assert main(["promote", *common, "--run-id", "feb"]) == 0
    assert shown(run) == {"feb"}
    assert deltalake.DeltaTable(f"{run.lake.path}/champions").version() == versions["champions"] + 1
    assert deltalake.DeltaTable(f"{run.lake.path}/runs").version() == versions["runs"]
    assert main(["rollback", *common, "--run-id", "feb"]) == main(["rollback", *common, "--run-id", "feb"]) == 0
    assert shown(run) == {"march"}
    assert main(["rollback", *common]) == 0
    codes = [main(["promote", *common, "--run-id", one]) for one in ("march", "nobody")]

    told = capsys.readouterr()
    assert codes == [4, 4]
    assert "--run-id march: expected a run with a model of its own, found a score with that of jan" in told.err
    assert "--run-id nobody: expected a published run, found no such run" in told.err
    lines = [line for line in told.out.splitlines() if "champion" in line]
    assert lines == [
        "jan is the champion now, the first",
        "jan is the champion already",
        "feb is the champion now, in place of jan",
        "jan is the champion again, in place of feb",
        "jan stays the champion; feb is not it",
        "jan stays the champion: there was none before it",
    ]


def test_the_printed_query_scores_in_duckdb_as_the_run_did(trained: tuple[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    config, run = trained
    assert main(["sql", "--config", config, "--run-id", "jan", "--source", "mine"]) == 0

    text = capsys.readouterr().out
    assert text.replace("FROM mine AS f", "FROM features AS f") == (Path(run.lake.models) / "jan/score.sql").read_text()
    rows = deltalake.DeltaTable(f"{run.lake.path}/features").to_pyarrow_table(partitions=[("run_id", "=", "jan")])
    with duckdb.connect() as engine:
        engine.register("mine", rows)
        found = {row[0]: row[1:] for row in engine.execute(text).fetchall()}
    expected = labels(run, "jan")
    assert {key: (row[0], row[2]) for key, row in found.items()} == {
        key: (row["segment_id"], row["runner_up_segment_id"]) for key, row in expected.items()
    }
    assert all(abs(row[1] - expected[key]["distance"]) < 1e-9 for key, row in found.items())


def test_a_scheduler_can_branch_on_drift(jvm: SparkSession, trained: tuple[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    config, _ = trained
    write_customers(Path(config).parent / "now.csv", strange=150)
    arguments = ["score", "--config", config, "--model", "jan", "--run-id", "exits"]

    codes = [main([*arguments, *more]) for more in ([], ["--exit-on-drift"])]

    assert codes == [0, 12]
    assert "Drift:        new segmentation: " in capsys.readouterr().out


def test_a_stream_that_is_killed_scores_every_customer_once(jvm: SparkSession, trained: tuple[str, Run], tmp_path: Path) -> None:
    config, run = trained
    source, streamed = f"{tmp_path}/source", f"{run.lake.path}/streamed_assignments"
    features = run.lake.read(FEATURES, run_id="jan").drop("run_id", "as_of")
    files = 3
    features.repartition(files, "customer_id").write.format("delta").save(source)
    command = [sys.executable, str(ROOT / "jobs/score_stream.py"), "--config", config, "--model", "jan", "--source", source]
    command += ["--checkpoint", f"{tmp_path}/checkpoint", "--files-per-batch", "1"]
    env = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_MASTER": "local[2]"}
    env.pop("PYSPARK_GATEWAY_PORT", None)

    first = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and first.poll() is None:
        if deltalake.DeltaTable.is_deltatable(streamed) and deltalake.DeltaTable(streamed).version() >= 1:
            break
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    halfway = deltalake.DeltaTable(streamed).to_pyarrow_table().num_rows
    assert 0 < halfway < 600
    second = main(["stream", *command[2:]])
    for name in (f"{files - 1}", f".{files - 1}.crc"):  # as if killed between the write and its being remembered
        (tmp_path / "checkpoint/commits" / name).unlink()
    third = main(["stream", *command[2:]])

    assert (second, third) == (0, 0)
    assert (tmp_path / "checkpoint/commits" / f"{files - 1}").exists()  # the last batch came again, and nothing was written
    rows = deltalake.DeltaTable(streamed).to_pyarrow_table().to_pylist()
    assert {row["customer_id"]: row["segment_id"] for row in rows} == {
        key: row["segment_id"] for key, row in labels(run, "jan").items()
    }
    assert len(rows) == 600


def test_a_stream_of_no_features_is_refused_in_a_line(
    jvm: SparkSession, trained: tuple[str, Run], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config, run = trained
    deltalake.write_deltalake(tmp_path / "lacks", run.lake.read(FEATURES, run_id="jan").drop("visits").toArrow())
    command = ["stream", "--config", config, "--model", "jan", "--checkpoint", f"{tmp_path}/checkpoint", "--source"]

    codes = [main([*command, f"{tmp_path}/{name}"]) for name in ("lacks", "nowhere")]

    lacks, nowhere = capfd.readouterr().err.splitlines()
    assert codes == [5, 5]
    assert f"--source {tmp_path}/lacks: expected columns visits, found columns run_id, customer_id" in lacks
    assert nowhere == f"segmentation: --source {tmp_path}/nowhere: expected a Delta table, found none"
