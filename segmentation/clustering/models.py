"""Centres become a genuine ``KMeansModel``; segments get their canonical order. Floor 2."""

from collections.abc import Sequence

import numpy as np
from pyspark.ml.clustering import KMeansModel
from pyspark.mllib.common import _py2java
from pyspark.mllib.linalg import Vectors
from pyspark.sql import SparkSession

from segmentation.clustering.grid import Centers


def order_centers(centers: Centers, sizes: Sequence[int], *, by: int | None) -> Centers:
    """Return the centres in canonical order, whatever order a solver found them in.

    Parameters
    ----------
    centers : array of shape (k, dimensions), scaled units
    sizes : customers of each centre
    by : int or None
        Coordinate to order by, largest first; None orders by size.

    Returns
    -------
    array of shape (k, dimensions)
        Ties go by size, then by coordinates, rounded so that the last bits of a sum cannot swap segments.
    """
    rounded = np.round(centers, 9)

    def rank(index: int) -> tuple[float, ...]:
        leading = () if by is None else (-float(rounded[index, by]),)
        return (*leading, -float(sizes[index]), *map(float, -rounded[index]))

    return centers[sorted(range(len(centers)), key=rank)]


def build_model(spark: SparkSession, centers: Centers, *, max_iterations: int, tolerance: float, seed: int) -> KMeansModel:
    """Return a ``pyspark.ml`` model that predicts the row of ``centers`` nearest to ``features``.

    The constructors are Spark's own and public in its bytecode; Spark has no public way to a model from centres
    (SPARK-17784).
    """
    context = spark.sparkContext
    jvm = context._jvm
    assert jvm is not None  # a session has one
    vectors = _py2java(context, [Vectors.dense(center) for center in centers.tolist()])
    old = jvm.org.apache.spark.mllib.clustering.KMeansModel(vectors)
    uid = f"KMeans_segmentation_{len(centers)}"
    model = KMeansModel(jvm.org.apache.spark.ml.clustering.KMeansModel(uid, old))
    model._resetUid(uid)
    model._set(
        k=len(centers),
        featuresCol="features",
        predictionCol="prediction",
        maxIter=max_iterations,
        tol=tolerance,
        seed=seed,
        distanceMeasure="euclidean",
    )
    model._transfer_params_to_java()
    return model
