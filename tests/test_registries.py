"""What the configuration allows is what the registries know, and an unknown name is told with the known ones."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from segmentation.clustering.alternates import ALGORITHMS
from segmentation.clustering.scalers import SCALERS
from segmentation.config.schema import Clustering, Preparation
from segmentation.config.sources import Section, SourceSpec
from segmentation.errors import ConfigError, pick
from segmentation.grid.choice import RULES
from segmentation.ingest.formats import FORMATS


@pytest.mark.parametrize(
    ("registry", "section", "field"),
    [
        (SCALERS, Preparation, "scaler"),
        ({"kmeans": None, **ALGORITHMS}, Clustering, "algorithm"),
        (RULES, Clustering, "rule"),
        (FORMATS, SourceSpec, "format"),
    ],
)
def test_the_configuration_allows_what_the_registry_knows(
    registry: Mapping[str, Any], section: type[Section], field: str
) -> None:
    assert list(get_args(section.model_fields[field].annotation)) == list(registry)


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=rf"preparation\.scaler: expected one of {', '.join(SCALERS)}, found 'unit'"):
        pick(SCALERS, "unit", place="preparation.scaler")
