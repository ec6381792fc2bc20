"""The rules of the house that no linter holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "segmentation"
SLICES = sorted(path.parent.name for path in PACKAGE.glob("*/stage.py"))
# Whoever runs the stages knows what a run is; transforms and rules get frames and plain values.
KNOWS_RUNS = {
    "cli.py",
    "doctor.py",
    "metrics.py",
    "pipeline.py",
    "reuse.py",
    "run.py",
    "readings.py",
    "publish/pointer.py",
    "config/load.py",
    "config/schema.py",
}
KNOWS_RUNS |= {f"{name}/stage.py" for name in SLICES}


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each import from this package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("segmentation"):
            yield from ((str(node.module), alias.name) for alias in node.names)


def test_only_stages_see_the_run_and_the_whole_configuration() -> None:
    whole = {("segmentation.run", "Run"), ("segmentation.config.schema", "Config")}
    seen = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if whole & set(imported(path))}

    assert seen <= KNOWS_RUNS


@pytest.mark.parametrize("name", SLICES)
def test_every_slice_has_tests_of_its_own(name: str) -> None:
    assert list((ROOT / "tests" / name).glob("test_*.py"))
