"""What a platform is given fits the platform's own schema, and names what scripts/package.sh makes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from segmentation.warehouse.session import DELTA_JARS

DEPLOY = ROOT / "conf/deploy"
PLACE = "s3a?://example-deploy/"


def read_yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(DEPLOY / name)


def test_the_operator_knows_every_word_of_the_kubernetes_manifest() -> None:
    models = pytest.importorskip("kubeflow_spark_api.models")
    manifest = read_yaml("kubernetes.yaml")

    known = models.SparkV1beta2SparkApplication.from_dict(manifest)

    assert json.loads(known.to_json()) == manifest  # it drops what it does not know


def test_databricks_knows_every_word_of_the_bundle() -> None:
    jobs = pytest.importorskip("databricks.bundles.jobs")
    bundle = read_yaml("databricks.yml")

    (job,) = (jobs.Job.from_dict(one) for one in bundle["resources"]["jobs"].values())

    assert [task.task_key for task in job.tasks] == ["run"]
    assert (DEPLOY / job.tasks[0].spark_python_task.python_file).resolve() == ROOT / "jobs/run.py"


def test_emr_serverless_takes_the_request() -> None:
    session = pytest.importorskip("botocore.session").get_session()
    validate = pytest.importorskip("botocore.validate").validate_parameters
    operation = session.get_service_model("emr-serverless").operation_model("StartJobRun")
    request = json.loads((DEPLOY / "emr_serverless.json").read_text())

    validate(request | {"clientToken": "a"}, operation.input_shape)

    assert set(request) <= set(operation.input_shape.members)


@pytest.mark.parametrize("manifest", [*sorted(DEPLOY.glob("*.y*ml")), *DEPLOY.glob("*.json")], ids=lambda path: path.name)
def test_a_manifest_names_only_what_the_package_holds(manifest: Path) -> None:
    text = manifest.read_text()
    made = {"segmentation.zip", "environment.tar.gz", "segmentation.yaml", *(f"jars/{name}" for name in DELTA_JARS)}
    made |= {f"jobs/{path.name}" for path in (ROOT / "jobs").glob("*.py")}

    named = set(re.findall(PLACE + r"([\w./-]+\w)", text)) - {"logs"}

    assert named <= made
    jars = {one for one in named if one.startswith("jars/")}
    assert jars in (set(), {f"jars/{name}" for name in DELTA_JARS})
    assert "--config" in text
