"""Which solver is taken, and which K are tried."""

import pytest

from segmentation.config.schema import Clustering
from segmentation.errors import ModelError
from segmentation.grid.solve import choose_k_values, choose_solver


@pytest.mark.parametrize(
    ("asked", "solver"),
    [
        ({}, "fused"),
        ({"solver": "fused"}, "fused"),
        ({"solver": "mllib"}, "mllib"),
        ({"algorithm": "gaussian_mixture"}, "mllib"),
    ],
)
def test_the_fused_solver_is_taken_unless_mllib_is_asked_for(asked: dict[str, str], solver: str) -> None:
    assert choose_solver(Clustering.model_validate(asked)) == solver


def test_a_k_asked_for_is_tried_besides() -> None:
    clustering = Clustering.model_validate({"k_min": 2, "k_max": 4})

    assert choose_k_values(clustering, asked_k=None, customers=9) == [2, 3, 4]
    assert choose_k_values(clustering, asked_k=7, customers=9) == [2, 3, 4, 7]


def test_more_segments_than_customers_are_refused_by_the_place_that_asks() -> None:
    clustering = Clustering.model_validate({"k_min": 2, "k_max": 4})

    with pytest.raises(ModelError, match=r"clustering\.k_max: expected at most 3, the number of customers, found 4"):
        choose_k_values(clustering, asked_k=None, customers=3)
    with pytest.raises(ModelError, match="--k: expected at most 5"):
        choose_k_values(clustering, asked_k=6, customers=5)
