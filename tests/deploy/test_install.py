"""The wheel beside another Spark, and without one: nothing is replaced, and a line says what does not fit."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT

Runner = Callable[..., subprocess.CompletedProcess[str]]
OTHER = "3.5.9"


@dataclass(frozen=True)
class Installed:
    """An environment of its own with the wheel and no extra."""

    folder: Path
    run_command: Runner

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment."""
        return self.run_command(str(self.folder / "bin" / command[0]), *command[1:], cwd=self.folder, PYTHONPATH="")

    def install(self, *what: str) -> None:
        """Install as a user would, by uv because it is quick."""
        python = ("--python", str(self.folder / "bin/python"))
        done = self.run_command("uv", "pip", "install", "--quiet", *python, *what, cwd=self.folder)
        if "Failed to fetch" in done.stderr or "Could not connect" in done.stderr:
            pytest.skip("needs a Python package index that can be reached")
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def bare(run_command: Runner, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("install")
    built = run_command(
        "uv", "build", "--quiet", "--wheel", "--no-build-isolation", "--out-dir", str(folder), str(ROOT), cwd=folder
    )
    assert built.returncode == 0, built.stderr
    made = run_command("uv", "venv", "--quiet", "--python", sys.executable, str(folder / "venv"), cwd=folder)
    assert made.returncode == 0, made.stderr
    installed = Installed(folder / "venv", run_command)
    installed.install("--constraints", str(ROOT / "requirements.lock"), *map(str, folder.glob("*.whl")))
    return installed


def make_other_pyspark(folder: Path) -> Path:
    """Write a wheel that is called pyspark, of a version that Delta 4.4 knows nothing of."""
    wheel, info = folder / f"pyspark-{OTHER}-py3-none-any.whl", f"pyspark-{OTHER}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pyspark/__init__.py", "")
        archive.writestr("pyspark/version.py", f'__version__: str = "{OTHER}"\n')
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: pyspark\nVersion: {OTHER}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def run_it(installed: Installed, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "c.csv").write_text("id,age\n1,30\n2,40\n")
    attributes = "{age: {from: age, type: number}}"
    (folder / "c.yaml").write_text(
        f"warehouse: {{path: {folder}/w}}\nfeatures: {{use: {{age: {{}}}}}}\n"
        f"sources: {{customers: {{format: csv, path: {folder}/c.csv, customer_id: id, attributes: {attributes}}}}}\n"
    )
    return installed.run("segmentation", "run", "--config", str(folder / "c.yaml"))


def test_without_spark_all_but_spark_works(bare: Installed, tmp_path: Path) -> None:
    assert bare.run("segmentation", "--version").returncode == 0
    show = bare.run(
        "segmentation", "show", "--config", str(ROOT / "conf/telco_churn.yaml"), "--warehouse", str(tmp_path / "none")
    )
    assert (show.returncode, show.stderr.count("\n")) == (4, 1)

    done = run_it(bare, tmp_path)

    assert done.returncode == 7
    assert done.stderr.startswith(
        "segmentation: pyspark: expected 4.2; pip install 'customer-segmentation[local]', or spark-submit"
    )
    assert done.stderr.endswith("found none\n")
    assert done.stderr.count("\n") == 1


def test_another_spark_stays_and_is_told_of(bare: Installed, tmp_path: Path) -> None:
    bare.install(str(make_other_pyspark(tmp_path)))
    bare.install("--reinstall-package", "customer-segmentation", *map(str, bare.folder.parent.glob("*.whl")))

    done = run_it(bare, tmp_path)

    assert bare.run("python", "-c", "import importlib.metadata as m; print(m.version('pyspark'))").stdout == f"{OTHER}\n"
    assert done.returncode == 7
    assert done.stderr.endswith(f"found {OTHER}\n")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "w").exists()
