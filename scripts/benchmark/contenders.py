"""One contender in a process of its own: warm up on 10,000 rows, run once, print one line of JSON.

Every contender starts from the same Parquet of raw numbers, scales them, and ends with the measures of every K.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from in_memory import Measures, faiss, features_of, minibatch, sklearn, sklearn_intelex

SEEDS = (1, 2, 3)


def main() -> None:
    """Run a contender in this process and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contender", choices=sorted(CONTENDERS))
    parser.add_argument("--data", required=True)
    parser.add_argument("--warm-up", default=None)
    parser.add_argument("--k-max", type=int, default=12)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--packed", action="store_true", help="fused: pack even what one task could take, as a warm-up")
    asked = parser.parse_args()
    if asked.cores < (os.cpu_count() or 1):
        os.sched_setaffinity(0, range(asked.cores))
    os.environ["SPARK_MASTER"] = f"local[{asked.cores}]"
    os.environ.setdefault("SPARK_DRIVER_MEMORY", "8g")
    contender = CONTENDERS[asked.contender]
    run, finish = contender(asked.data, packed=True) if asked.packed else contender(asked.data)
    k_values = tuple(range(2, asked.k_max + 1))
    if asked.warm_up:
        run(asked.warm_up, k_values)
    started = time.perf_counter()
    found = run(asked.data, k_values)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "found": finish(asked.data, found)}))


def tutorial(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the loop of every tutorial: cached vectors, KMeans as it comes, ClusteringEvaluator."""
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.evaluation import ClusteringEvaluator

    spark = open_spark()

    def run(path: str, k_values: tuple[int, ...]) -> dict[int, Any]:
        vectors, _ = scale_vectors(spark, path)
        cached = vectors.cache()
        found = {}
        for k in k_values:
            model = KMeans(k=k, seed=1).fit(cached)
            silhouette = ClusteringEvaluator().evaluate(model.transform(cached))
            found[k] = (np.array(model.clusterCenters()), silhouette)
        cached.unpersist()
        return found

    return run, partial(true_measures, spark)


def mllib(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return MLlib's solver of this project, with one seed as the tutorial has, and its measures."""
    from pyspark.storagelevel import StorageLevel

    from segmentation.clustering.fits import count_partitions, lay_out
    from segmentation.clustering.fused import Settings, find_starts
    from segmentation.clustering.measures import measure_grid
    from segmentation.clustering.mllib import fit_kmeans
    from segmentation.clustering.points import work_on_points

    spark = open_spark(data)

    def run(path: str, k_values: tuple[int, ...]) -> Measures:
        vectors, names = scale_vectors(spark, path)
        customers = vectors.count()
        prepared = lay_out(vectors, partitions=count_partitions(customers)).persist(StorageLevel.MEMORY_AND_DISK)
        settings = Settings(k_values=k_values, seeds=(1,), max_iterations=100, min_gain=1e-5)
        starts = work_on_points(
            prepared, partial(find_starts, settings=settings), customers=customers, dimensions=len(names), seed=1
        )
        fits = fit_kmeans(prepared, starts, max_iterations=100, tolerance=1e-4)
        centers = {fit.k: fit.centers for fit in fits}
        found = work_on_points(
            prepared, partial(measure_grid, centers=centers), customers=customers, dimensions=len(names), seed=1
        )
        prepared.unpersist()
        return {k: in_short(one) for k, one in found.items()}

    return run, lambda _, found: found


def fused(data: str, vectors: bool = False, packed: bool = False) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the fused solver of this project; scaled by SQL, or by Spark ML as in the main job."""
    from segmentation.clustering.fused import Settings, solve_grid
    from segmentation.clustering.points import LOCAL_BYTES, work_on_points

    spark = open_spark(data)

    def run(path: str, k_values: tuple[int, ...]) -> Measures:
        if vectors:
            prepared, names = scale_vectors(spark, path)
            customers = prepared.count()
        else:
            prepared, names, customers = scale_arrays(spark, path)
        settings = Settings(k_values=k_values, seeds=SEEDS, max_iterations=100, min_gain=1e-5)
        solutions = work_on_points(
            prepared,
            partial(solve_grid, settings=settings),
            customers=customers,
            dimensions=len(names),
            seed=SEEDS[0],
            local_bytes=0 if packed else LOCAL_BYTES,
        )
        return {fit.k: in_short(found) | {"iterations": fit.iterations} for fit, found in solutions}

    return run, lambda _, found: found


def floor(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return what cannot be had for less: Spark reads every column once; numpy multiplies every row by all centres once."""
    spark = open_spark()
    os.environ["OMP_NUM_THREADS"] = "1"

    def run(path: str, k_values: tuple[int, ...]) -> dict[str, float]:
        frame = spark.read.parquet(path)
        started = time.perf_counter()
        frame.write.format("noop").mode("overwrite").save()
        read = time.perf_counter() - started
        rows, dimensions, centers = frame.count(), len(features_of(frame.columns)), sum(k_values)
        chunk, stack = np.ones((dimensions, 4096)), np.ones((centers, dimensions))
        product = np.empty((centers, 4096))
        started = time.perf_counter()
        for _ in range(rows // 4096):
            np.matmul(stack, chunk, out=product)
        return {"read": read, "product": time.perf_counter() - started}

    return run, lambda _, found: found


def determinism(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the fused solver over 1, 2, 7 and 64 partitions: a digest of all labels, and the centres."""
    from segmentation.clustering.fused import Settings, solve_grid
    from segmentation.clustering.points import work_on_points

    spark = open_spark(data)

    def run(path: str, k_values: tuple[int, ...]) -> dict[str, Any]:
        prepared, names, customers = scale_arrays(spark, path)
        ordered = prepared.orderBy("customer_id").select("features").toPandas()
        points = np.array(ordered["features"].to_list(), dtype=np.float64)
        settings = Settings(k_values=k_values, seeds=SEEDS, max_iterations=100, min_gain=1e-5, coreset_rows=20_000)
        found = {}
        for partitions in (1, 2, 7, 64):
            solutions = work_on_points(
                prepared.repartition(partitions).cache(),
                partial(solve_grid, settings=settings),
                customers=customers,
                dimensions=len(names),
                seed=SEEDS[0],
                local_bytes=0,
            )
            digest = hashlib.sha256()
            for fit, _ in solutions:
                distances = (fit.centers**2).sum(1) - 2 * points @ fit.centers.T
                digest.update(distances.argmin(1).astype(np.int8).tobytes())
            centers = np.concatenate([fit.centers.ravel() for fit, _ in solutions]).tolist()
            found[str(partitions)] = {"labels": digest.hexdigest(), "centers": centers}
        return found

    return run, lambda _, found: found


def evidence(data: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the fused grid, and beside it what stability and chance cost: the sample, then refits and permuted tables."""
    from segmentation.clustering.fused import Settings, solve_grid
    from segmentation.clustering.points import work_on_points
    from segmentation.clustering.refits import Refits, draw_sample, support_grid

    spark = open_spark(data)

    def run(path: str, k_values: tuple[int, ...]) -> dict[str, float]:
        prepared, names, customers = scale_arrays(spark, path)
        settings = Settings(k_values=k_values, seeds=SEEDS, max_iterations=100, min_gain=1e-5)
        refits = Refits(tuple(names), seed=1, resamples=20, null_tables=5, max_iterations=100)

        def work(points: Any) -> dict[str, float]:
            marks = [time.perf_counter()]
            centers = {fit.k: fit.centers for fit, _ in solve_grid(points, settings)}
            marks.append(time.perf_counter())
            sample = draw_sample(points)
            marks.append(time.perf_counter())
            support_grid(points, sample, centers, refits)
            marks.append(time.perf_counter())
            return dict(zip(("grid", "sample", "refits"), np.diff(marks).tolist(), strict=True))

        return work_on_points(prepared, work, local_bytes=0, customers=customers, dimensions=len(names), seed=SEEDS[0])

    return run, lambda _, found: found


def open_spark(data: str | None = None) -> Any:
    """Return the session, tuned for the size of ``data`` as the command line tunes it for a source of customers."""
    from segmentation.warehouse.session import open_session

    return open_session(source_bytes=sum(file.stat().st_size for file in Path(data).iterdir()) // 4 if data else None)[0]


def scale_vectors(spark: Any, path: str) -> tuple[Any, list[str]]:
    """Return ``customer_id`` and standardised ``features`` by Spark ML's own stages, and the features' names."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import StandardScaler, VectorAssembler

    frame = spark.read.parquet(path)
    names = features_of(frame.columns)
    assembler = VectorAssembler(inputCols=names, outputCol="raw")
    scaler = StandardScaler(inputCol="raw", outputCol="features", withMean=True, withStd=True)
    scaled = Pipeline(stages=[assembler, scaler]).fit(frame).transform(frame)
    return scaled.select("customer_id", "features"), names


def scale_arrays(spark: Any, path: str) -> tuple[Any, list[str], int]:
    """Return the same as arrays by SQL alone, with the number of customers (one Spark job)."""
    from pyspark.sql import functions as F

    frame = spark.read.parquet(path)
    names = features_of(frame.columns)
    statistics = [function(name) for name in names for function in (F.avg, F.stddev_samp)]
    row = frame.agg(F.count(F.lit(1)), *statistics).first()
    # Twelve digits: the order of summation must not shift the features.
    constants = [float(f"{value:.12g}") for value in row[1:]]
    scaled = [
        (F.col(name) - mean) / (deviation or 1.0)
        for name, mean, deviation in zip(names, constants[::2], constants[1::2], strict=True)
    ]
    return frame.select("customer_id", F.array(*scaled).alias("features")), names, row[0]


def in_short(one: Any) -> dict[str, float]:
    """Return the measures that the results show."""
    return {name: getattr(one, name) for name in ("wssse", "silhouette", "calinski_harabasz", "davies_bouldin")}


def true_measures(spark: Any, path: str, found: dict[int, Any]) -> Measures:
    """Return the WSSSE of the returned centres, outside the time taken: MLlib's own is of the centres before."""
    from segmentation.clustering.measures import measure_grid
    from segmentation.clustering.points import work_on_points

    prepared, names = scale_vectors(spark, path)
    centers = {k: some for k, (some, _) in found.items()}
    measured = work_on_points(
        prepared, partial(measure_grid, centers=centers), customers=prepared.count(), dimensions=len(names), seed=1
    )
    return {k: {"wssse": one.wssse, "silhouette": found[k][1]} for k, one in measured.items()}


CONTENDERS: dict[str, Callable[..., tuple[Callable[..., Any], Callable[..., Any]]]] = {
    "tutorial": tutorial,
    "mllib": mllib,
    "fused": fused,
    "fused-vectors": partial(fused, vectors=True),
    "sklearn": sklearn,
    "sklearn-intelex": sklearn_intelex,
    "minibatch": minibatch,
    "faiss": faiss,
    "evidence": evidence,
    "floor": floor,
    "determinism": determinism,
}

if __name__ == "__main__":
    main()
