"""Centres become a genuine ``KMeansModel``; segments get their canonical order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pyspark.ml.clustering import KMeansModel
from pyspark.mllib.common import _py2java
from pyspark.mllib.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession

from segmentation.clustering.fits import Centers


def canonical_order(centers: Centers, sizes: Sequence[float], *, by: int | None) -> list[int]:
    """Return the rows of ``centers`` in canonical order, whatever order a solver found them in.

    Parameters
    ----------
    centers : array of shape (k, dimensions), scaled units
    sizes : customers of each centre
    by : int or None
        Coordinate to order by, largest first; None orders by size.

    Returns
    -------
    list of int
        Ties go by size, then by coordinates, rounded so that the last bits of a sum cannot swap segments.
    """
    rounded = np.round(centers, 9)

    def rank(index: int) -> tuple[float, ...]:
        leading = () if by is None else (-float(rounded[index, by]),)
        return (*leading, -float(sizes[index]), *map(float, -rounded[index]))

    return sorted(range(len(centers)), key=rank)


def build_model(
    spark: SparkSession, centers: Centers, *, max_iterations: int, seed: int, tolerance: float | None = None
) -> KMeansModel:
    """Return a ``pyspark.ml`` model that predicts the row of ``centers`` nearest to ``features``.

    The constructors are Spark's own and public in its bytecode; Spark has no public way to a model from centres
    (SPARK-17784). ``tolerance`` is MLlib's; None leaves its default.
    """
    context = spark.sparkContext
    jvm: Any = context._jvm
    vectors = _py2java(context, [Vectors.dense(center) for center in centers.tolist()])
    old = jvm.org.apache.spark.mllib.clustering.KMeansModel(vectors)
    uid = f"KMeans_segmentation_{len(centers)}"
    model = KMeansModel(jvm.org.apache.spark.ml.clustering.KMeansModel(uid, old))
    model._resetUid(uid)
    model._set(
        k=max(2, len(centers)),  # MLlib's smallest, also of a model with one centre
        featuresCol="features",
        predictionCol="prediction",
        maxIter=max_iterations,
        seed=seed,
        distanceMeasure="euclidean",
        **({} if tolerance is None else {"tol": tolerance}),
    )
    model._transfer_params_to_java()
    return model


def summarize_model(model: KMeansModel, prepared: DataFrame, *, iterations: int, wssse: float) -> KMeansModel:
    """Give ``model`` Spark's own summary of ``prepared``, whose training cost is the WSSSE of these very centres."""
    jvm: Any = prepared.sparkSession.sparkContext._jvm
    predictions = model.transform(prepared)
    summary = jvm.org.apache.spark.ml.clustering.KMeansSummary(
        predictions._jdf, "prediction", "features", len(model.clusterCenters()), iterations, wssse
    )
    java_model: Any = model._java_obj
    java_model.setSummary(jvm.scala.Some(summary))
    return model
