"""One crowd: the same columns and correlations, and no groups."""

import numpy as np
import pytest

from segmentation.clustering.crowd import draw_crowd, smooth_summits


def test_values_and_rank_correlations_are_kept() -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(size=3000)
    points = np.stack([np.exp(shared), shared + rng.normal(size=3000), np.where(rng.random(3000) < 0.4, 0.0, shared)], axis=1)

    crowd = draw_crowd(points, ("a", "b", "c"), rng)

    assert np.array_equal(np.sort(crowd[:, 0]), np.sort(points[:, 0]))
    assert np.array_equal(np.sort(crowd[:, 2]), np.sort(points[:, 2]))
    assert _rank_correlation(crowd) == pytest.approx(_rank_correlation(points), abs=0.06)


def test_groups_in_a_single_column_are_smoothed_away() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=2000) + 8 * rng.integers(0, 2, 2000)

    smoothed = smooth_summits(values, rng)

    middle = (np.abs(smoothed - smoothed.mean()) < 1).mean()
    assert (np.abs(values - values.mean()) < 1).mean() < 0.01
    assert middle > 0.12
    assert smoothed.std() == pytest.approx(values.std(), rel=0.05)


@pytest.mark.parametrize("name", ["normal", "exponential", "heavy", "levels", "zeros"])
def test_a_column_of_one_summit_is_left_as_it_is(name: str) -> None:
    rng = np.random.default_rng(3)
    columns = {
        "normal": rng.normal(size=2000),
        "exponential": rng.exponential(size=2000),
        "heavy": rng.standard_t(3, 2000),
        "levels": rng.integers(1, 6, 2000).astype(float),
        "zeros": np.where(rng.random(2000) < 0.5, 0.0, rng.normal(5, 1, 2000)),
    }

    assert np.array_equal(smooth_summits(columns[name], rng), columns[name])


def test_coordinates_of_one_column_stay_together() -> None:
    rng = np.random.default_rng(4)
    level = rng.integers(0, 3, 500)
    points = np.column_stack([np.eye(3)[level], rng.normal(size=500)])

    crowd = draw_crowd(points, ("level", "level", "level", "other"), rng)

    assert np.array_equal(crowd[:, :3].sum(1), np.ones(500))
    assert np.array_equal(crowd[:, :3].sum(0), points[:, :3].sum(0))


def _rank_correlation(points: np.ndarray) -> list[float]:
    ranks = points.argsort(0, kind="stable").argsort(0, kind="stable")
    return [float(one) for one in np.atleast_2d(np.corrcoef(ranks, rowvar=False))[np.triu_indices(points.shape[1], 1)]]
