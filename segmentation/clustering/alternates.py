"""``BisectingKMeans`` and ``GaussianMixture`` of Spark ML in place of k-means, judged alike. Feeds ``grid``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.ml import Pipeline, PipelineModel, Transformer
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.clustering.agreement import Labels, cross_tabulate
from segmentation.clustering.borders import count_parts, spread_ties
from segmentation.clustering.members import evaluate_labels
from segmentation.clustering.points import Array, Block
from segmentation.clustering.refits import (
    CROWD,
    PART,
    PERMUTE,
    RESAMPLE,
    Chance,
    Refits,
    Support,
    count_nulls,
    crowd_of,
    customers_of,
    part,
    permute_columns,
    resample,
    summarise,
)
from segmentation.errors import pick
from segmentation.parallel import side_by_side

# A refit is some Spark jobs here, not some matrix products.
SAMPLE_ROWS = 2000
MOST_RESAMPLES, MOST_NULL_TABLES = 5, 2
_LABEL, _LIFTED = "cluster", "lifted"


@dataclass(frozen=True)
class AlternateFit:
    """The best restart of one K; its model writes the column ``cluster``. ``converged`` is None where Spark does not say."""

    k: int
    seed: int
    model: PipelineModel
    iterations: int
    converged: bool | None

    def label(self, prepared: DataFrame) -> DataFrame:
        """Return ``prepared`` with the cluster as ``prediction``."""
        labelled = self.model.transform(prepared).withColumn("prediction", F.col(_LABEL))
        return labelled.select(*prepared.columns, "prediction")


def _fit_tree(prepared: DataFrame, shared: Mapping[str, Any], tolerance: float) -> tuple[float, AlternateFit]:
    """Fit one tree of bisections; its cost is the WSSSE. Spark does not say whether it converged."""
    model = Pipeline(stages=[*_lift(), BisectingKMeans(featuresCol=_LIFTED, **shared)]).fit(prepared)
    return _summary(model).trainingCost, AlternateFit(shared["k"], shared["seed"], model, shared["maxIter"], None)


def _fit_mixture(prepared: DataFrame, shared: Mapping[str, Any], tolerance: float) -> tuple[float, AlternateFit]:
    """Fit one mixture; its cost is the negative log-likelihood."""
    model = Pipeline(stages=[GaussianMixture(tol=tolerance, **shared)]).fit(prepared)
    iterations = int(_summary(model).numIter)
    is_converged = iterations < shared["maxIter"]
    return -_summary(model).logLikelihood, AlternateFit(shared["k"], shared["seed"], model, iterations, is_converged)


# By name: one restart of one K. It takes the frame, the parameters that all of Spark's estimators share, and the tolerance;
# it returns what is least for the best restart, and the fit, whose model writes the column ``cluster``.
ALGORITHMS: Mapping[str, Callable[[DataFrame, Mapping[str, Any], float], tuple[float, AlternateFit]]] = {
    "bisecting_kmeans": _fit_tree,
    "gaussian_mixture": _fit_mixture,
}


def fit_alternates(
    prepared: DataFrame,
    *,
    algorithm: str,
    k_values: Sequence[int],
    seeds: Sequence[int],
    max_iterations: int,
    tolerance: float,
    weight: str | None = None,
) -> list[AlternateFit]:
    """Fit every K with every seed, side by side; keep the cheapest tree, or the likeliest mixture, of each K.

    Parameters
    ----------
    prepared : DataFrame with ``features`` (vector), cached
    tolerance : mixture: a restart ends when the log-likelihood changes by less
    """
    fit_one = pick(ALGORITHMS, algorithm, place="clustering.algorithm")

    def fit(restart: tuple[int, int]) -> tuple[float, AlternateFit]:
        k, seed = restart
        shared: dict[str, Any] = {"k": k, "seed": seed, "maxIter": max_iterations, "predictionCol": _LABEL}
        if weight is not None:
            shared["weightCol"] = weight
        return fit_one(prepared, shared, tolerance)

    found = side_by_side(prepared.sparkSession, fit, [(k, seed) for k in k_values for seed in seeds])
    return [min((one for one in found if one[1].k == k), key=lambda one: (one[0], one[1].seed))[1] for k in k_values]


def support_alternates(
    spark: SparkSession, sample: Block, fits: Sequence[AlternateFit], refits: Refits, *, algorithm: str, tolerance: float
) -> dict[int, Support]:
    """Refit every K on resampled customers and on tables without groups, as ``refits.support_grid`` does for k-means.

    Parameters
    ----------
    sample : of ``refits.draw_sample``, about ``SAMPLE_ROWS`` rows
    refits : what to try; at most ``MOST_RESAMPLES`` and ``MOST_NULL_TABLES`` are made
    """
    options: dict[str, Any] = {"algorithm": algorithm, "max_iterations": refits.max_iterations, "tolerance": tolerance}
    seed = refits.seed
    k_values = [fit.k for fit in fits]

    def refit(block: Block, number: int) -> tuple[DataFrame, list[AlternateFit]]:
        frame = _frame_of(spark, block).cache()
        return frame, fit_alternates(frame, k_values=k_values, seeds=[seed + number], weight="weight", **options)

    everyone = _frame_of(spark, sample).cache()
    published = {fit.k: _labels_of(fit, everyone) for fit in fits}
    tables: Mapping[int, list[Any]] = {k: [] for k in k_values}
    for number in range(min(refits.resamples, MOST_RESAMPLES)):
        frame, again = refit(resample(sample, np.random.default_rng((seed, RESAMPLE, number))), number)
        for fit in again:
            labels = _labels_of(fit, everyone)
            tables[fit.k].append(cross_tabulate(published[fit.k], labels, customers_of(sample), shape=(fit.k, fit.k)))
        frame.unpersist()
    chances: Mapping[tuple[int, int], list[Chance]] = {(kind, k): [] for kind in (PERMUTE, CROWD) for k in k_values}
    permuted, crowds = count_nulls(min(refits.null_tables, MOST_NULL_TABLES))
    for kind, make, times in ((PERMUTE, permute_columns, permuted), (CROWD, crowd_of, crowds)):
        for number in range(times):
            rng = np.random.default_rng((seed, kind, number))
            table = make(sample, refits.columns, rng)
            frame, again = refit(table, number)
            points = spread_ties(table.points, rng)
            for fit in again:
                means, found = evaluate_labels(fit.label(frame), fit.k)
                parts = count_parts(points, customers_of(table), means, _labels_of(fit, frame))
                chances[kind, fit.k].append(Chance(found.explained_share, found.silhouette, parts))
            frame.unpersist()
    everyone.unpersist()
    means_of = {fit.k: _means(published[fit.k], sample, fit.k) for fit in fits}
    parted = part(published, sample, means_of, np.random.default_rng((seed, PART, 0)))
    return {
        k: summarise(
            tables[k],
            permuted=chances[PERMUTE, k],
            crowds=chances[CROWD, k],
            parting=parted.partings[k],
            onward=parted.onward[k],
        )
        for k in k_values
    }


def _means(labels: Labels, sample: Block, segments: int) -> Array:
    """Return the members' mean of each segment, nought without members, shape (segments, dimensions)."""
    held = (labels[:, None] == np.arange(segments)) * customers_of(sample)[:, None]
    means: Array = held.T @ sample.points / np.maximum(held.sum(0), 1e-300)[:, None]
    return means


def _lift() -> list[Transformer]:
    """Return stages that add a coordinate of 1 to every point.

    Spark parts the first two centres by a fraction of their norm, which is nought where features are centred. A
    coordinate that is the same for all changes no distance.
    """
    return [
        SQLTransformer(statement="SELECT *, 1D AS lift FROM __THIS__"),
        VectorAssembler(inputCols=["features", "lift"], outputCol=_LIFTED),
    ]


def _summary(model: PipelineModel) -> Any:
    clusters: Any = model.stages[-1]
    return clusters.summary


def renumber(model: PipelineModel, order: Sequence[int]) -> list[Transformer]:
    """Return the model's stages and one that numbers its clusters canonically as ``prediction``: ``order[i]`` becomes i."""
    new = [str(order.index(cluster)) for cluster in range(len(order))]
    statement = f"SELECT *, CAST(element_at(array({', '.join(new)}), {_LABEL} + 1) AS INT) AS prediction FROM __THIS__"
    return [*model.stages, SQLTransformer(statement=statement)]


def _frame_of(spark: SparkSession, block: Block) -> DataFrame:
    rows = [
        (number, Vectors.dense(point), weight)
        for number, (point, weight) in enumerate(zip(block.points.tolist(), customers_of(block).tolist(), strict=True))
    ]
    return spark.createDataFrame(rows, ["row", "features", "weight"]).coalesce(1)


def _labels_of(fit: AlternateFit, frame: DataFrame) -> Labels:
    rows = fit.label(frame).select("row", "prediction").collect()
    return np.array([row["prediction"] for row in sorted(rows, key=lambda row: row["row"])], dtype=np.intp)
