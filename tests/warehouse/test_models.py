"""A model is loaded only if its files are those saved, and no stage could run other code."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.ml import PipelineModel, Transformer
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.sql import SparkSession

from segmentation.errors import ModelError
from segmentation.warehouse.models import FORMER, load_model, save_model


def save(spark: SparkSession, path: str, statement: str = "SELECT * FROM __THIS__") -> None:
    stages: list[Transformer] = [SQLTransformer(statement=statement), VectorAssembler(inputCols=["x"], outputCol="v")]
    save_model(spark, PipelineModel(stages), path, {"k": 2})


def doctor(path: Path, change: Callable[[str], str], *, fits: bool) -> None:
    """Change the metadata of a stage, and the manifest with it if it shall fit."""
    manifest = json.loads((path / "manifest.json").read_text())
    name = next(name for name in manifest["files"] if "VectorAssembler" in name and "/metadata/part-" in name)
    changed = change((path / name).read_text())
    (path / name).write_text(changed)
    (path / name).with_name(f".{Path(name).name}.crc").unlink(missing_ok=True)
    if fits:
        manifest["files"][name] = hashlib.sha256(changed.encode()).hexdigest()
        (path / "manifest.json").write_text(json.dumps(manifest))


def test_a_model_comes_back_and_its_successor_takes_its_place(spark: SparkSession, tmp_path: Path) -> None:
    save(spark, f"{tmp_path}/m")
    save(spark, f"{tmp_path}/m", "SELECT *, 1 AS y FROM __THIS__")

    model = load_model(spark, f"{tmp_path}/m")

    assert "y" in model.transform(spark.range(1).selectExpr("double(id) AS x")).columns
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert not (tmp_path / f"m{FORMER}").exists()


@pytest.mark.parametrize(
    ("fits", "message"),
    [(False, "expected the files of its manifest"), (True, "expected stages of Spark ML that this package makes")],
)
def test_another_class_is_never_loaded(spark: SparkSession, tmp_path: Path, fits: bool, message: str) -> None:
    save(spark, f"{tmp_path}/m")
    doctor(tmp_path / "m", lambda text: text.replace("org.apache.spark.ml.feature.VectorAssembler", "org.evil.Loader"), fits=fits)

    with pytest.raises(ModelError, match=message):
        load_model(spark, f"{tmp_path}/m")


def test_sql_that_calls_java_is_never_loaded(spark: SparkSession, tmp_path: Path) -> None:
    save(spark, f"{tmp_path}/m", "SELECT *, reflect('java.util.UUID', 'randomUUID') AS x FROM __THIS__")

    with pytest.raises(ModelError, match=r"expected SQL that calls no Java, found reflect\("):
        load_model(spark, f"{tmp_path}/m")
