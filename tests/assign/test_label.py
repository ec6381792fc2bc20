"""Who asks the model of the run before: this process where it can, else Spark."""

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from segmentation.assign import stage
from segmentation.assign.movement import Former
from segmentation.clustering.placing import Constants

MEMBERS = pa.table({"customer_id": ["a"], "spend": [1.0], "segment_id": pa.array([0], pa.int32())})
FORMER = Former("march", "march", {0: "S0001"}, {0: 1.0})


def model_of(*columns: str, is_nearest: bool = True) -> Constants:
    return Constants([{"source_column": name} for name in columns], [], [[0.0]], is_nearest)


@pytest.mark.parametrize(
    ("before", "scored_with", "is_here"),
    [
        (model_of("spend"), "april", True),
        (model_of("spend", "return_rate"), "april", False),  # a feature that today's model has no use for
        (model_of("spend", is_nearest=False), "april", False),
        (model_of("spend", "return_rate"), "march", True),  # its own model, which is not asked again
    ],
)
def test_a_former_model_that_needs_more_is_asked_by_spark(
    monkeypatch: pytest.MonkeyPatch, before: Constants, scored_with: str, is_here: bool
) -> None:
    for name, found in (("find_members", MEMBERS), ("place_members", "a frame"), ("constants_of", before), ("_fits", True)):
        monkeypatch.setattr(stage, name, lambda *_, found=found, **__: found)
    run: Any = SimpleNamespace(scored_with=scored_with)

    members: Any = stage._place(run, {}, FORMER, "march")

    assert isinstance(members, pa.Table) == is_here
