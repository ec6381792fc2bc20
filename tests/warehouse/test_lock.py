"""One run at a time in a warehouse of this machine."""

from pathlib import Path

import pytest

from segmentation.errors import PublishError
from segmentation.warehouse.lake import Lake


def test_a_second_run_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    first, second = (Lake(None, f"{tmp_path}/w", None, "models") for _ in range(2))

    refused = pytest.raises(PublishError, match="expected no other run in this warehouse, found one at work")
    with first.locked(), refused, second.locked():
        pass
    with second.locked():
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    lake = Lake(None, f"{tmp_path}/file/w", None, "models")

    with pytest.raises(PublishError, match="expected a folder that can be written"), lake.locked():
        pass
