"""The centres of the chosen K: their order, the model that predicts it, and the rows that tell them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel, Transformer
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.alternates import AlternateFit, renumber
from segmentation.clustering.fits import Centers
from segmentation.clustering.fused import Solution
from segmentation.clustering.models import build_model, canonical_order, summarize_model
from segmentation.clustering.preparation import Prepared
from segmentation.config.schema import Clustering


def order_centers(solution: Solution, preparation: Prepared, *, revenue: str | None) -> list[int]:
    """Return the centres' canonical order: by revenue where it is clustered on and not hidden by PCA, else by size."""
    fit, found = solution
    names = [coordinate.feature for coordinate in preparation.coordinates]
    by = names.index(revenue) if revenue in names and preparation.pca_components is None else None
    return canonical_order(fit.centers, found.sizes, by=by)


@dataclass(frozen=True)
class Chosen:
    """The fit of the K taken.

    Attributes
    ----------
    centers : shape (k, dimensions), scaled units, in canonical order
    clusters : another algorithm's stages, which predict the numbers of the canonical order; none of k-means
    """

    k: int
    seed: int
    iterations: int
    wssse: float
    centers: Centers
    clusters: tuple[Transformer, ...] = ()


def take_chosen(solution: Solution, alternate: AlternateFit | None, order: Sequence[int]) -> Chosen:
    """Return a solution as the one taken; ``order`` is that of ``order_centers``, ``alternate`` another algorithm's model."""
    fit, found = solution
    clusters = tuple(renumber(alternate.model, order)) if alternate else ()
    return Chosen(fit.k, fit.seed, fit.iterations, found.wssse, fit.centers[list(order)], clusters)


def build_whole_model(preparation: Prepared, prepared: DataFrame, chosen: Chosen, clustering: Clustering) -> PipelineModel:
    """Return preparation and clusters as one model, which predicts the numbers of the canonical order."""
    if chosen.clusters:
        return PipelineModel([*preparation.model.stages, *chosen.clusters])
    model = build_model(
        prepared.sparkSession,
        chosen.centers,
        max_iterations=clustering.max_iterations,
        tolerance=clustering.tolerance,
        seed=chosen.seed,
    )
    summarize_model(model, prepared, iterations=chosen.iterations, wssse=chosen.wssse)
    return PipelineModel([*preparation.model.stages, model])


def grid_centroid_rows(
    preparation: Prepared, solutions: Sequence[Solution], orders: Mapping[int, Sequence[int]]
) -> list[dict[str, Any]]:
    """Return the rows of ``tables.GRID_CENTROIDS``; ``orders`` has the centres of each K in canonical order."""
    named: list[tuple[str, Callable[[float], float | None]]]
    named = [(one.feature, one.to_original) for one in preparation.coordinates]
    if preparation.pca_components is not None:
        named = [(f"principal_component_{place + 1}", lambda _: None) for place in range(preparation.pca_components)]
    return [
        {
            "k": fit.k,
            "segment_id": segment,
            "position": place,
            "feature": feature,
            "value_scaled": value,
            "value_original": to_original(value),
        }
        for fit, _ in solutions
        for segment, center in enumerate(fit.centers[list(orders[fit.k])].tolist())
        for place, (value, (feature, to_original)) in enumerate(zip(center, named, strict=True))
    ]


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
