"""The pages say what the code does: written ones are up to date, links lead somewhere, every option is explained."""

import argparse
import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ROOT

from segmentation.commands import make_parser
from segmentation.errors import SegmentationError

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCS = ROOT / "docs"
MODULES = sorted(
    path.stem for path in (ROOT / "segmentation").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
)
(_COMMANDS,) = (one.choices for one in make_parser()._actions if isinstance(one, argparse._SubParsersAction))
WRITTEN = runpy.run_path(str(ROOT / "scripts" / "write_reference.py"))


@pytest.mark.parametrize("page", WRITTEN["render"](), ids=lambda page: page.stem)
def test_the_written_pages_are_up_to_date(page: Path) -> None:
    assert page.read_text() == WRITTEN["render"]()[page], "run python scripts/write_reference.py"


def test_every_option_says_what_it_means_and_takes() -> None:
    rows = WRITTEN["option_rows"]()

    assert len(rows) > 60
    assert [row[0] for row in rows if not row[3] or not row[1]] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    targets = re.findall(r"\]\(([^)#\s]+)", text)

    inner = [one for one in targets if "://" not in one]
    assert [one for one in inner if not (page.parent / one).exists()] == []
    if DOCS in page.parents:  # what lies elsewhere is no page of the site
        assert [one for one in inner if DOCS not in (page.parent / one).resolve().parents] == []


def test_the_site_shows_every_page() -> None:
    shown = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))

    assert shown == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_every_module_has_its_place(page: str) -> None:
    text = (ROOT / page).read_text()

    assert [one for one in MODULES if one != "__init__" and not re.search(rf"\b{one}\b", text)] == []


def test_the_ways_through_the_modules_name_what_is_there() -> None:
    steps = re.findall(r"^\|[^|]*\| (`.+?) \|", (DOCS / "architecture.md").read_text(), flags=re.M)

    assert len(steps) > 15
    for named in (re.findall(r"`([^`]+)`", step) for step in steps):
        module = None
        for one in named:
            if one.endswith(".py"):
                module = import_module("segmentation." + one.removesuffix(".py").replace("/", "."))
            else:
                assert hasattr(module, one), f"{module} has no {one}"


@pytest.mark.parametrize("name", list(_COMMANDS))
def test_every_command_and_its_options_are_told(name: str) -> None:
    pages = "".join((DOCS / page).read_text() for page in ("running.md", "monthly.md"))
    options = {text for one in _COMMANDS[name]._actions for text in one.option_strings if text.startswith("--")} - {"--help"}

    assert re.search(rf"segmentation {name}\b", pages)
    assert [one for one in sorted(options) if not re.search(rf"{one}\b", pages)] == []


def test_every_exit_code_is_told() -> None:
    told = set(re.findall(r"^\| (\d+) \|", (DOCS / "running.md").read_text(), flags=re.M))

    assert {str(SegmentationError.exit_code), *(str(one.exit_code) for one in SegmentationError.__subclasses__())} <= told


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
