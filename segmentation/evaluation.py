"""How good are these centres: sizes, WSSSE, silhouette. Floor 2."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.ml.clustering import KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Evaluation:
    """Measures of one set of centres; ``sizes`` are customers per centre, ``wssse`` is in scaled units squared."""

    sizes: tuple[int, ...]
    wssse: float
    silhouette: float | None

    @property
    def effective_k(self) -> int:
        return sum(size > 0 for size in self.sizes)

    @property
    def smallest_share(self) -> float:
        return min(size for size in self.sizes if size > 0) / sum(self.sizes)

    @property
    def largest_share(self) -> float:
        return max(self.sizes) / sum(self.sizes)


def evaluate_model(model: KMeansModel, prepared: DataFrame) -> Evaluation:
    """Evaluate the centres of ``model`` on ``prepared`` (column ``features``).

    WSSSE follows from each cluster's count, sum and squared norm, so that one aggregation gives it for the returned
    centres: sum of |x|^2 - 2 c.x + |c|^2. Silhouette is Spark's, squared Euclidean; None with one cluster.
    """
    labelled = model.transform(prepared).select("features", "prediction")
    summary = Summarizer.metrics("count", "sum", "normL2").summary(F.col("features"))
    rows = labelled.groupBy("prediction").agg(summary.alias("s")).select("prediction", "s.*").collect()
    centers = model.clusterCenters()
    sizes = [0] * len(centers)
    wssse = 0.0
    for row in sorted(rows, key=lambda row: row["prediction"]):
        center: npt.NDArray[np.float64] = np.asarray(centers[row["prediction"]])
        sizes[row["prediction"]] = int(row["count"])
        squares = float(np.sum(row["normL2"].toArray() ** 2))
        wssse += squares - 2 * float(center @ row["sum"].toArray()) + row["count"] * float(center @ center)
    silhouette = ClusteringEvaluator().evaluate(labelled) if len(rows) > 1 else None
    return Evaluation(tuple(sizes), max(wssse, 0.0), silhouette)
