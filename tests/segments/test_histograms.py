"""Histograms and the map: bins that hold everybody, axes that do not depend on luck."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from segmentation.segments.histograms import BINS, Scale, build_histograms, count_bins
from segmentation.segments.segment_map import project_points, sample_members


@pytest.mark.parametrize(
    "scale", [Scale(-2.0, 10.0), Scale(1.0, 1000.0, log=True), Scale(-50.0, 50.0, log=True), Scale(3.0, 3.0)]
)
def test_every_value_is_in_one_bin_and_what_lies_beyond_in_the_outermost(spark: SparkSession, scale: Scale) -> None:
    values = [-1e9, scale.low, *np.linspace(scale.low, scale.high, 97)[1:-1].tolist(), scale.high, 1e9]
    frame = pd.DataFrame({"segment_id": [n % 2 for n in range(len(values))], "spend": values})
    rows = [*frame.itertuples(index=False, name=None), (0, None)]
    members = spark.createDataFrame(rows, "segment_id int, spend double")
    scales = {"spend": scale}

    bars = build_histograms(count_bins(members, scales).collect(), scales, segments=[0, 1])

    everyone = [bar for bar in bars if bar.segment_id is None]
    assert len(everyone) == (BINS if scale.high > scale.low else 1)
    assert (everyone[0].lower, everyone[-1].upper) == (scale.low, scale.high)
    edges = [-np.inf, *(bar.lower for bar in everyone[1:]), np.inf]
    assert edges == sorted(edges)
    assert [bar.customers for bar in everyone] == np.histogram(values, bins=edges)[0].tolist()
    for segment in (0, 1):
        own = [bar.customers for bar in bars if bar.segment_id == segment]
        assert own == np.histogram(frame.loc[frame["segment_id"] == segment, "spend"], bins=edges)[0].tolist()


def test_the_axes_are_the_principal_components() -> None:
    rng = np.random.default_rng(4)
    points = rng.normal(size=(300, 3)) * [5, 2, 0.5] @ np.linalg.qr(rng.normal(size=(3, 3)))[0]

    places, axes = project_points(points)

    variances = np.linalg.eigvalsh(np.cov(points.T))[::-1]
    np.testing.assert_allclose(places.var(axis=0, ddof=1), variances[:2])
    assert [axis.explained_share for axis in axes] == pytest.approx((variances / variances.sum())[:2])
    assert all(max(axis.loadings, key=abs) > 0 for axis in axes)
    np.testing.assert_allclose(project_points(points[::-1])[0][::-1], places, atol=1e-9)


def test_one_feature_or_equal_customers_still_make_a_map() -> None:
    line, axes = project_points([[1.0], [2.0], [4.0]])
    np.testing.assert_allclose(line, [[-4 / 3, 0], [-1 / 3, 0], [5 / 3, 0]])
    assert [axis.explained_share for axis in axes] == [1.0, 0.0]

    same, axes = project_points([[1.0, 2.0]] * 3)
    assert not same.any()
    assert [axis.explained_share for axis in axes] == [0.0, 0.0]


def test_the_sample_depends_on_ids_alone(spark: SparkSession) -> None:
    members = spark.range(5_000).selectExpr("cast(id as string) AS customer_id")

    one, other = (sorted(row[0] for row in sample_members(members.repartition(n)).collect()) for n in (1, 5))

    assert len(one) == 2_000
    assert one == other
