"""Spark MLlib's k-means from given starts, one fit a K, and Spark's own silhouette of each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.mllib.common import _py2java
from pyspark.mllib.linalg import Vectors
from pyspark.mllib.util import MLUtils
from pyspark.sql import DataFrame

from segmentation.clustering.fits import Centers, Fit
from segmentation.clustering.measures import Evaluation
from segmentation.clustering.models import build_model
from segmentation.parallel import side_by_side


def fit_kmeans(
    prepared: DataFrame, starts: Mapping[int, tuple[int, Centers]], *, max_iterations: int, tolerance: float
) -> list[Fit]:
    """Fit every K by ``org.apache.spark.mllib.clustering.KMeans`` from its start, side by side.

    ``pyspark.ml`` takes no starting centres (SPARK-21386), so its estimator's own engine is called, as it calls it.

    Parameters
    ----------
    prepared : DataFrame with ``features`` (vector), cached, in the canonical layout
    starts : by K, (seed, centres of shape (k, dimensions)), scaled units
        Fewer rows than K where the customers have fewer distinct points.
    tolerance : float
        A fit ends when no centre moves farther, scaled units.

    Returns
    -------
    list of Fit
        In the order of ``starts``.
    """
    context = prepared.sparkSession.sparkContext
    jvm: Any = context._jvm
    level = jvm.org.apache.spark.storage.StorageLevel.MEMORY_AND_DISK()
    vectors = MLUtils.convertVectorColumnsFromML(prepared.select("features"), "features")
    points = jvm.org.apache.spark.mllib.api.python.PythonMLLibAPI().createRowMatrix(vectors._jdf, 0, 0).rows().persist(level)

    def fit(k: int) -> Fit:
        seed, centers = starts[k]
        start = _py2java(context, [Vectors.dense(center) for center in centers.tolist()])
        estimator = jvm.org.apache.spark.mllib.clustering.KMeans().setK(len(centers)).setMaxIterations(max_iterations)
        estimator.setInitialModel(jvm.org.apache.spark.mllib.clustering.KMeansModel(start)).setEpsilon(tolerance)
        model = estimator.run(points)
        found = np.array([np.asarray(center.toArray()) for center in model.clusterCenters()])
        iterations = int(model.numIter())
        return Fit(k, seed, found, iterations, converged=iterations < max_iterations)

    try:
        return side_by_side(prepared.sparkSession, fit, list(starts))
    finally:
        points.unpersist(False)


def evaluate_fits(prepared: DataFrame, fits: list[Fit], found: Mapping[int, Evaluation]) -> dict[int, Evaluation]:
    """Return ``found`` with the silhouettes that Spark's ``ClusteringEvaluator`` gives, one with one segment left as it is."""
    spark = prepared.sparkSession

    def evaluate(fit: Fit) -> Evaluation:
        own = found[fit.k]
        if own.effective_k < 2:
            return own
        model = build_model(spark, fit.centers, max_iterations=fit.iterations, seed=fit.seed)
        return replace(own, silhouette=float(ClusteringEvaluator().evaluate(model.transform(prepared))))

    return {fit.k: one for fit, one in zip(fits, side_by_side(spark, evaluate, fits), strict=True)}
