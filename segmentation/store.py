"""The trained PipelineModel as a folder with a manifest of hashes, and single files. Floor 2."""

import json
import uuid
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.ml import PipelineModel
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.errors import ModelError, PublishError

MANIFEST = "manifest.json"


def save_model(spark: SparkSession, model: PipelineModel, path: str, facts: dict[str, Any]) -> None:
    """Save ``model`` under ``path`` with ``manifest.json``: ``facts``, the class of each stage, SHA-256 of each file.

    It is written beside ``path`` and moved there, so that a killed run leaves no half model.
    """
    unfinished = f"{path}.{uuid.uuid4().hex[:8]}.unfinished"
    model.write().save(unfinished)
    manifest = {
        **facts,
        "class": "org.apache.spark.ml.PipelineModel",
        "spark_version": spark.version,
        "stages": [type(stage).__name__ for stage in model.stages],
        "files": _hash_files(spark, unfinished),
    }
    write_file(spark, f"{unfinished}/{MANIFEST}", json.dumps(manifest, indent=1, sort_keys=True).encode())
    system, java_path = _hadoop(spark, unfinished)
    if system.exists(java_path(path)):
        system.delete(java_path(path), True)
    system.rename(java_path(unfinished), java_path(path))


def load_model(spark: SparkSession, path: str) -> PipelineModel:
    """Load a model whose files are those of its manifest.

    Raises
    ------
    ModelError
        If there is none, or a file was added, changed or removed since it was saved.
    """
    system, java_path = _hadoop(spark, path)
    if not system.exists(java_path(f"{path}/{MANIFEST}")):
        raise ModelError(path, expected="a model with a manifest", found="none; run fit_grid first")
    text = spark.read.text(f"{path}/{MANIFEST}", wholetext=True).collect()[0]["value"]
    stored, found = json.loads(text)["files"], _hash_files(spark, path)
    changed = sorted(name for name in stored.keys() | found.keys() if stored.get(name) != found.get(name))
    if changed:
        raise ModelError(path, expected="the files of its manifest", found=f"another {', '.join(changed[:3])}")
    return PipelineModel.load(path)


def write_file(spark: SparkSession, path: str, content: bytes) -> None:
    """Write a file where Spark's file systems say that ``path`` lies: a path without a scheme need not be local.

    Raises
    ------
    PublishError
        If it cannot be written.
    """
    system, java_path = _hadoop(spark, path)
    if system.getUri().getScheme() == "file":
        system = system.getRawFileSystem()  # leaves no checksum file beside it
    try:
        stream = system.create(java_path(path), True)
        stream.write(bytearray(content))
        stream.close()
    except Py4JJavaError as error:
        found = str(error.java_exception.getMessage())
        raise PublishError(path, expected="a file that can be written", found=found) from error


def _hash_files(spark: SparkSession, path: str) -> dict[str, str]:
    files = spark.read.format("binaryFile").option("recursiveFileLookup", True).load(path)
    root = path.rstrip("/").rsplit("/", 1)[-1] + "/"
    rows = files.select("path", F.sha2("content", 256).alias("sha256")).collect()
    hashes = {row["path"].split(root, 1)[1]: row["sha256"] for row in rows}
    return {name: sha256 for name, sha256 in sorted(hashes.items()) if name != MANIFEST}


def _hadoop(spark: SparkSession, path: str) -> tuple[Any, Any]:
    """Return the Hadoop file system of ``path`` and the constructor of its paths."""
    context = spark.sparkContext
    jvm, jsc = context._jvm, context._jsc
    assert jvm is not None
    assert jsc is not None
    java_path = jvm.org.apache.hadoop.fs.Path
    return java_path(path).getFileSystem(jsc.hadoopConfiguration()), java_path
