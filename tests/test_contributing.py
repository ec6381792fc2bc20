"""The recipes of CONTRIBUTING.md can be cooked: their files are there, and their code is what those files take."""

import re
from importlib import import_module
from inspect import signature
from typing import Any

import pytest
from conftest import ROOT

from segmentation.catalogue import FEATURES
from segmentation.clustering.alternates import ALGORITHMS
from segmentation.clustering.scalers import SCALERS
from segmentation.ingest.formats import FORMATS
from segmentation.segments.naming_rules import RULES
from segmentation.tables import EVERY

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = {
    title: (re.findall(r"`([^`]+)`", files), code)
    for title, files, code in re.findall(r"### (.+?)\n\nFiles: (.+?)\n.*?```python\n(.*?)```", TEXT, flags=re.S)
}
KNOWN: dict[str, Any] = {
    "A feature": FEATURES[0],
    "A scaler": SCALERS["standard"],
    "An algorithm": ALGORITHMS["bisecting_kmeans"],
    "A source format": FORMATS["csv"],
    "A naming rule": RULES[0],
    "A table": EVERY[0],
}


def test_there_is_a_recipe_for_each_kind_of_addition() -> None:
    assert list(RECIPES) == list(KNOWN)
    assert len(RECIPES["A feature"][0]) <= 2


@pytest.mark.parametrize("title", list(KNOWN))
def test_a_recipe_makes_what_its_module_takes(title: str) -> None:
    files, code = RECIPES[title]
    module = import_module(files[0].removesuffix(".py").replace("/", "."))
    kitchen = dict(vars(module))

    exec(code, kitchen)

    assert all((ROOT / file).is_file() for file in files)
    made, known = kitchen["new"], KNOWN[title]
    assert type(made) is type(known)
    if callable(made):
        assert list(signature(made).parameters) == list(signature(known).parameters)
