"""The jobs as users start them: real processes, from outside the repository."""

import csv
import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import deltalake
import pytest
from conftest import ROOT
from pyspark.sql import SparkSession

from segmentation.cli import main
from segmentation.commands import STAGE_NAMES
from segmentation.pipeline import STAGES

Runner = Callable[..., subprocess.CompletedProcess[str]]
LINES = 8_000
# What runs for seconds never earns the second compiler back.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=128m"
CONFIG = str(ROOT / "conf/online_retail.yaml")


@pytest.fixture(scope="module")
def sample(real_data: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The first lines of Online Retail, in one file and, in another order, in seven."""
    folder = tmp_path_factory.mktemp("sample")
    with gzip.open(real_data("online_retail.csv.gz"), "rt") as source:
        header, *lines = [next(source) for _ in range(LINES)]
    (folder / "one.csv").write_text(header + "".join(lines))
    (folder / "seven").mkdir()
    for part in range(7):
        (folder / "seven" / f"{6 - part}.csv").write_text(header + "".join(reversed(lines[part::7])))
    return folder / "one.csv", folder / "seven"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fewer K and starts than the configuration's: the processes are tested here, not the choice."""
    text = Path(CONFIG).read_text().replace("k_max: 8", "k_max: 4").replace("seeds: [1, 2, 3]", "seeds: [1]")
    place = tmp_path_factory.mktemp("config") / "online_retail.yaml"
    place.write_text(text)
    return str(place)


@pytest.fixture(scope="module")
def whole(sample: tuple[Path, Path], config: str, run_command: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of one file on one core."""
    folder = tmp_path_factory.mktemp("whole")
    arguments = ["--config", config, "--as-of", "2011-01-20", "--input", f"transactions={sample[0]}", "--run-id", "a"]
    done = run_command("segmentation", "run", *arguments, "--warehouse", "w", cwd=folder, SPARK_MASTER="local[1]")
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr
    assert f"Delta tables: {folder}/w" in done.stdout
    return folder / "w"


def test_files_cores_and_spark_submit_change_no_assignment(
    whole: Path, sample: tuple[Path, Path], config: str, run_command: Runner, tmp_path: Path
) -> None:
    arguments = ["--config", config, "--as-of", "2011-01-20", "--input", f"transactions={sample[1]}", "--run-id", "b"]
    job = str(ROOT / "jobs/run.py")
    small = ["--master", "local[2]", "--driver-java-options", SHORT_LIVED, "--conf", "spark.sql.shuffle.partitions=4"]
    small += ["--conf", "spark.databricks.delta.snapshotPartitions=2"]

    done = run_command("spark-submit", *small, job, *arguments, "--warehouse", str(tmp_path / "w"), cwd=tmp_path)

    assert done.returncode == 0, done.stderr[-3000:]
    one, seven = (
        deltalake.DeltaTable(str(path / "assignments"))
        .to_pandas()
        .drop(columns="run_id")
        .sort_values("customer_id", ignore_index=True)
        for path in (whole, tmp_path / "w")
    )
    assert len(one) > 200
    assert one.equals(seven)
    fingerprints = {
        deltalake.DeltaTable(str(path / "runs")).to_pandas()["input_fingerprint"][0] for path in (whole, tmp_path / "w")
    }
    assert len(fingerprints) == 1


def test_a_published_run_is_drawn_and_shown_again(whole: Path, config: str, run_command: Runner, tmp_path: Path) -> None:
    place = whole / "reports/a/report.html"
    drawn = place.read_text()
    place.unlink()
    arguments = ["--config", config, "--warehouse", str(whole)]

    report = run_command("segmentation", "report", *arguments, "--run", "a", cwd=tmp_path)
    show = run_command("segmentation", "show", *arguments, "--csv", "segments.csv", cwd=tmp_path)
    unknown = run_command("segmentation", "report", *arguments, "--run-id", "z", cwd=tmp_path)

    assert report.returncode == show.returncode == 0, report.stderr + show.stderr
    assert report.stdout == f"Report: {place}\n"
    assert place.read_text() == drawn
    segments = deltalake.DeltaTable(str(whole / "segments")).to_pandas()
    assert all(name in show.stdout for name in segments["segment_name"])
    with open(tmp_path / "segments.csv", newline="") as lines:
        assert {line["segment_name"] for line in csv.DictReader(lines)} == set(segments["segment_name"])
    assert unknown.returncode == 4
    assert "--run-id z: expected a published run of this warehouse, found a" in unknown.stderr


def test_the_saved_model_gives_the_published_assignments_without_this_package(
    whole: Path, run_command: Runner, tmp_path: Path
) -> None:
    script = tmp_path / "score.py"
    script.write_text(f"""
import sys
sys.modules["segmentation"] = None
import pandas as pd
from deltalake import DeltaTable
from pyspark.ml import PipelineModel
from pyspark.sql import SparkSession

small = {{
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": "{SHORT_LIVED}",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
}}
spark = SparkSession.builder.master("local[2]").config(map=small).getOrCreate()
features = DeltaTable("{whole}/features").to_pandas()
columns = ["customer_id", "recency_days", "frequency_orders", "monetary_total"]
scored = PipelineModel.load("{whole}/models/a").transform(spark.createDataFrame(features[columns]))
found = scored.select("customer_id", "prediction").toPandas().set_index("customer_id")["prediction"]
published = DeltaTable("{whole}/assignments").to_pandas().set_index("customer_id")["segment_id"]
assert (found.sort_index() == published.sort_index()).all() and len(found) == len(published)
print("EQUAL", len(found))
""")

    done = run_command(sys.executable, str(script), cwd=tmp_path, PYSPARK_PYTHON=sys.executable)

    assert "EQUAL" in done.stdout, done.stderr[-3000:]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--config", "nowhere.yaml"], 2, "--config: expected a readable YAML file, found nowhere.yaml"),
        (["--config", CONFIG], 2, "sources.transactions.path: expected a path"),
        (["--config", CONFIG, "--input", "sales=x"], 2, "--input: expected SOURCE=PATH"),
        (["--config", CONFIG, "--input", "transactions=x"], 2, "--as-of: expected a day YYYY-MM-DD"),
        (["--config", CONFIG, "--input", "transactions=x", "--as-of", "soon"], 2, "expected a day YYYY-MM-DD, found soon"),
        (["--kk"], 2, "command line: expected"),
    ],
)
def test_a_wrong_command_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str) -> None:
    assert main(["run", *arguments]) == code

    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_wrong_command_starts_no_session(run_command: Runner, tmp_path: Path) -> None:
    done = run_command("segmentation", "run", "--config", "nowhere.yaml", cwd=tmp_path, JAVA_HOME=str(tmp_path))

    assert done.returncode == 2
    assert "--config: expected a readable YAML file, found nowhere.yaml" in done.stderr
    assert done.stderr.count("\n") == 1


def test_faults_of_the_data_have_their_own_codes(jvm: SparkSession, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text(
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
        + "".join(f"{n},A,1,2011-01-0{n} 10:00:00,{n}.5,{n}\n" for n in range(1, 4))
    )
    common = ["--config", CONFIG, "--as-of", "2011-12-10", "--warehouse", str(tmp_path / "w")]

    codes = [main(["run", *common, "--input", f"transactions={tmp_path}/{name}.csv"]) for name in ("none", "few")]

    told = capsys.readouterr().err
    assert codes == [5, 6]
    assert f"sources.transactions ({tmp_path}/none.csv): expected a readable source, found no such file" in told
    assert "clustering.k_max: expected at most 3, the number of customers, found 8" in told
    assert "Traceback" not in told


def test_missing_java_is_one_line(run_command: Runner, tmp_path: Path) -> None:
    arguments = ["--config", CONFIG, "--as-of", "2011-12-10", "--input", "transactions=x.csv"]

    done = run_command("segmentation", "run", *arguments, cwd=tmp_path, JAVA_HOME=str(tmp_path))

    assert done.returncode == 7
    assert "Java: expected 17 or newer; install a JDK or set JAVA_HOME, found none" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_has_its_job_and_every_stage_its_folder() -> None:
    jobs = {path.stem for path in (ROOT / "jobs").glob("*.py")}
    folders = {path.parent.name for path in (ROOT / "segmentation").glob("*/stage.py")}

    assert jobs == {"doctor", "run", "report", "score", "score_stream", *STAGES}
    assert folders == {"report", *STAGES}
    assert tuple(STAGES) == STAGE_NAMES
