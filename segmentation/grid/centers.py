"""The centres of the chosen K: their order, the model that predicts it, and the rows that tell them."""

from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.alternates import renumber
from segmentation.clustering.fits import Centers
from segmentation.clustering.fused import Solution
from segmentation.clustering.models import build_model, canonical_order, summarize_model
from segmentation.clustering.preparation import Prepared
from segmentation.config.schema import Clustering
from segmentation.grid.solve import Solved


def order_centers(solution: Solution, preparation: Prepared, *, revenue: str | None) -> list[int]:
    """Return the centres' canonical order: by revenue where it is clustered on and not hidden by PCA, else by size."""
    fit, found = solution
    names = [coordinate.feature for coordinate in preparation.coordinates]
    by = names.index(revenue) if revenue in names and preparation.pca_components is None else None
    return canonical_order(fit.centers, found.sizes, by=by)


def build_whole_model(
    preparation: Prepared, prepared: DataFrame, solved: Solved, solution: Solution, *, order: list[int], clustering: Clustering
) -> PipelineModel:
    """Return preparation and clusters as one model, which predicts the numbers of the canonical order."""
    fit, found = solution
    if fit.k in solved.alternates:
        return PipelineModel([*preparation.model.stages, *renumber(solved.alternates[fit.k].model, order)])
    model = build_model(
        prepared.sparkSession,
        fit.centers[order],
        max_iterations=clustering.max_iterations,
        tolerance=clustering.tolerance,
        seed=fit.seed,
    )
    summarize_model(model, prepared, iterations=fit.iterations, wssse=found.wssse)
    return PipelineModel([*preparation.model.stages, model])


def centroid_rows(preparation: Prepared, model: PipelineModel, features: DataFrame, centers: Centers) -> list[dict[str, Any]]:
    """Return the rows of ``tables.CENTROIDS`` without K: a row per segment and coordinate, scaled and in original units."""
    if preparation.pca_components is None:
        named, places = centers, list(range(centers.shape[1]))
        components: list[dict[str, Any]] = []
    else:
        # A principal component has no unit; its members' mean in the space before PCA has.
        labelled = model.transform(features).groupBy("prediction")
        means = labelled.agg(Summarizer.mean(F.col("weighted__vector")).alias("mean")).collect()
        named = np.array([row["mean"].toArray() for row in sorted(means, key=lambda row: row["prediction"])])
        places = [None] * named.shape[1]  # type: ignore[list-item]
        components = [
            _centroid(segment, f"principal_component_{place + 1}", place, value, None)
            for segment, center in enumerate(centers.tolist())
            for place, value in enumerate(center)
        ]
    return components + [
        _centroid(segment, coordinate.feature, place, value, coordinate.to_original(value))
        for segment, center in enumerate(named.tolist())
        for coordinate, place, value in zip(preparation.coordinates, places, center, strict=True)
    ]


def _centroid(segment: int, feature: str, place: int | None, scaled: float, original: float | None) -> dict[str, Any]:
    return {
        "segment_id": segment,
        "feature": feature,
        "position": place,
        "value_scaled": scaled,
        "value_original": original,
    }
