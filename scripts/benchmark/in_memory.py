"""The contenders without Spark: the whole table in one process's memory, from Parquet to the measures of every K."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

NOT_FEATURES = ("customer_id", "true_segment")
Measures = dict[int, dict[str, float]]


def features_of(names: list[str]) -> list[str]:
    """Return the columns to cluster on."""
    return [name for name in names if name not in NOT_FEATURES]


def sklearn(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """scikit-learn on the driver: everything in one process's memory, one start a K."""
    from sklearn.cluster import KMeans

    return in_memory(partial(label_by_sklearn, KMeans))


def sklearn_intelex(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """scikit-learn with Intel's replacements of whatever it replaces."""
    from sklearnex import patch_sklearn

    patch_sklearn(verbose=False)
    return sklearn(data)


def minibatch(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """scikit-learn's MiniBatchKMeans; batches of 10,240, as those of 1,024 cost more CPU and end higher."""
    from sklearn.cluster import MiniBatchKMeans

    return in_memory(partial(label_by_sklearn, partial(MiniBatchKMeans, batch_size=10_240)))


def faiss(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Faiss as it comes, 25 iterations, but on all rows: it would take 256 a centre."""
    import faiss as library

    def label(points: Any, k: int) -> tuple[Any, float, int]:
        rows = np.ascontiguousarray(points, dtype=np.float32)
        model = library.Kmeans(rows.shape[1], k, seed=1, min_points_per_centroid=1, max_points_per_centroid=len(rows))
        model.train(rows)
        labels = model.index.search(rows, 1)[1].ravel()
        return labels, float(((points - model.centroids[labels]) ** 2).sum()), model.cp.niter

    return in_memory(label)


def label_by_sklearn(estimator: Any, points: Any, k: int) -> tuple[Any, float, int]:
    """Return the labels, WSSSE and iterations of an estimator of scikit-learn's kind."""
    model = estimator(k, n_init=1, random_state=1).fit(points)
    return model.labels_, float(model.inertia_), int(model.n_iter_)


def in_memory(label: Callable[[Any, int], tuple[Any, float, int]]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Whatever returns (labels, WSSSE, iterations), with scikit-learn's measures of them; silhouette of 10,000 rows."""
    import pyarrow.dataset
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
    from sklearn.preprocessing import StandardScaler

    def run(path: str, k_values: tuple[int, ...]) -> Measures:
        dataset = pyarrow.dataset.dataset(path)
        table = dataset.to_table(columns=features_of(dataset.schema.names))
        points = StandardScaler(copy=False).fit_transform(np.column_stack([column.to_numpy() for column in table.columns]))
        found = {}
        for k in k_values:
            labels, wssse, iterations = label(points, k)
            found[k] = {
                "wssse": wssse,
                "silhouette": silhouette_score(points, labels, metric="sqeuclidean", sample_size=10_000, random_state=1),
                "calinski_harabasz": calinski_harabasz_score(points, labels),
                "davies_bouldin": davies_bouldin_score(points, labels),
                "iterations": iterations,
            }
        return found

    return run, lambda _, found: found
