"""The pages say what the code does: written ones are up to date, links lead somewhere, every option is explained."""

import re
import runpy
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
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

    missing = [one for one in targets if "://" not in one and not (page.parent / one).exists()]
    assert missing == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
