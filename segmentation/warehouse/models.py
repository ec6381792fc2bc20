"""The trained PipelineModel as a folder with a manifest of hashes, and single files."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import SparkSession

from segmentation.errors import ModelError
from segmentation.warehouse.files import hadoop, write_file

MANIFEST = "manifest.json"
_FEATURES = (
    *("SQLTransformer", "VectorAssembler", "ImputerModel", "StringIndexerModel", "OneHotEncoderModel"),
    *("StandardScalerModel", "RobustScalerModel", "MinMaxScalerModel", "ElementwiseProduct", "PCAModel"),
)
_CLUSTERINGS = ("KMeansModel", "BisectingKMeansModel", "GaussianMixtureModel")
ALLOWED = {
    "ml.PipelineModel",
    *(f"ml.feature.{name}" for name in _FEATURES),
    *(f"ml.clustering.{name}" for name in _CLUSTERINGS),
    "mllib.clustering.BisectingKMeansModel",  # the tree within that of Spark ML
}
_CALLS_JAVA = re.compile(r"(?i)\b(try_reflect|reflect|java_method)\s*\(")
UNFINISHED, FORMER = "~unfinished", "~former"  # no run id has a ~: these are folders beside the models


def save_model(
    spark: SparkSession, model: PipelineModel, path: str, facts: dict[str, Any], *, files: Mapping[str, str] | None = None
) -> None:
    """Save ``model`` under ``path`` with ``manifest.json``: ``facts``, the class of each stage, SHA-256 of each file.

    ``files`` are texts to lie beside it, by name.

    It is written beside ``path`` and moved there, so that a killed run leaves no half model; the former one steps aside
    until the new one is there, and ``restore_models`` brings it back where that was cut short.
    """
    unfinished = f"{path}.{uuid.uuid4().hex[:8]}{UNFINISHED}"
    model.write().save(unfinished)
    for name, text in (files or {}).items():
        write_file(spark, f"{unfinished}/{name}", text.encode())
    manifest = {
        **facts,
        "class": "org.apache.spark.ml.PipelineModel",
        "spark_version": spark.version,
        "stages": [type(stage).__name__ for stage in model.stages],
        "files": _hash(_read_files(spark, unfinished)),
    }
    write_file(spark, f"{unfinished}/{MANIFEST}", json.dumps(manifest, indent=1, sort_keys=True).encode())
    system, java_path = hadoop(spark, unfinished)
    former = java_path(path + FORMER)
    if system.exists(java_path(path)):
        system.delete(former, True)
        system.rename(java_path(path), former)
    system.rename(java_path(unfinished), java_path(path))
    system.delete(former, True)


def restore_models(spark: SparkSession, folder: str) -> list[str]:
    """Bring back each model that stepped aside for one that never came; return the ids of their runs."""
    system, java_path = hadoop(spark, folder)
    if not system.exists(java_path(folder)):
        return []
    restored = []
    for status in system.listStatus(java_path(folder)):
        aside = str(status.getPath().toString())
        if not aside.endswith(FORMER):
            continue
        path = aside.removesuffix(FORMER)
        if _is_whole(spark, path):
            system.delete(java_path(aside), True)
        else:
            # A store moves a folder file by file, and so a kill can leave some of the new model in its place.
            system.delete(java_path(path), True)
            system.rename(java_path(aside), java_path(path))
            restored.append(path.rsplit("/", 1)[-1])
    return sorted(restored)


def _is_whole(spark: SparkSession, path: str) -> bool:
    """Say whether a model is there with each file that its manifest names."""
    if not has_model(spark, path):
        return False
    text = spark.read.text(f"{path}/{MANIFEST}", wholetext=True).collect()[0]["value"]
    try:
        stored: dict[str, str] = json.loads(text)["files"]
    except (ValueError, KeyError):
        return False
    return stored == _hash(_read_files(spark, path))


def has_model(spark: SparkSession, path: str) -> bool:
    """Say whether a model lies there; whether it is whole is seen when it is loaded."""
    system, java_path = hadoop(spark, path)
    return bool(system.exists(java_path(f"{path}/{MANIFEST}")))


def load_model(spark: SparkSession, path: str) -> PipelineModel:
    """Load a model whose files are those of its manifest and whose stages are of ``ALLOWED``.

    Raises
    ------
    ModelError
        If there is none, a file was added, changed or removed since it was saved, or it holds what could run other code:
        a class of another kind, or SQL that calls Java.
    """
    if not has_model(spark, path):
        raise ModelError(path, expected="a model with a manifest", found="none; run grid first")
    text = spark.read.text(f"{path}/{MANIFEST}", wholetext=True).collect()[0]["value"]
    files = _read_files(spark, path)
    stored, found = json.loads(text)["files"], _hash(files)
    changed = sorted(name for name in stored.keys() | found.keys() if stored.get(name) != found.get(name))
    if changed:
        raise ModelError(path, expected="the files of its manifest", found=f"another {', '.join(changed[:3])}")
    _check_stages(path, files)
    return PipelineModel.load(path)


def _check_stages(path: str, files: dict[str, bytes]) -> None:
    """Refuse a model that would make Spark load a class, or call one from SQL, that no model of ours has."""
    for name, content in files.items():
        if "/metadata/part-" not in f"/{name}":
            continue
        for line in content.decode(errors="replace").splitlines():
            kind = json.loads(line).get("class", "none")
            if kind.removeprefix("org.apache.spark.") not in ALLOWED:
                raise ModelError(path, expected="stages of Spark ML that this package makes", found=kind)
            called = _CALLS_JAVA.search(line)
            if called:
                raise ModelError(path, expected="SQL that calls no Java", found=called.group(0))


def _read_files(spark: SparkSession, path: str) -> dict[str, bytes]:
    """Return the content of each file below ``path`` but the manifest, by name; the files are few and small."""
    system, java_path = hadoop(spark, path)
    root = str(system.makeQualified(java_path(path)).toString()).rstrip("/") + "/"
    files, contents = system.listFiles(java_path(path), True), {}
    while files.hasNext():
        status = files.next()
        name = str(status.getPath().toString()).removeprefix(root)
        if name == MANIFEST or name.endswith(".crc"):
            continue
        stream = system.open(status.getPath())
        try:
            contents[name] = bytes(stream.readAllBytes())
        finally:
            stream.close()
    return dict(sorted(contents.items()))


def _hash(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
