"""``features`` to ``grid``, ``centroids`` and the model; those to ``assignments``. Floor 3."""

from functools import partial
from typing import Any, Literal

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from segmentation.assignments import build_assignments, measure_members
from segmentation.blocks import work_on_points
from segmentation.clustering.fused import Settings, Solution, solve_grid
from segmentation.clustering.grid import Centers, count_partitions, lay_out
from segmentation.clustering.mllib import fit_kmeans
from segmentation.clustering.models import build_model, order_centers, summarize_model
from segmentation.config import FeatureSpec
from segmentation.errors import ModelError
from segmentation.evaluation import measure_grid
from segmentation.features import SHARE_PREFIX
from segmentation.preparation import Ingredient, Prepared, fit_preparation, plan_preparation
from segmentation.selection import Candidate, Choice, choose_k
from segmentation.stages.run import Run, check_begun
from segmentation.store import load_model, save_model
from segmentation.tables import ASSIGNMENTS, CENTROIDS, FEATURES, GRID

# MLlib's grid of seven K and three seeds ends within a minute up to here; see scripts/benchmark/NOTES.md.
MLLIB_CUSTOMERS = 100_000


def fit_grid(run: Run) -> str:
    """Prepare the features, fit every K, choose one, and save the model and its centres."""
    check_begun(run)
    config = run.config
    features = run.read(FEATURES)
    customers = features.count()
    k_values = _k_values(run, customers)
    partitions = config.clustering.partitions or count_partitions(customers)
    laid_out = lay_out(features, partitions=partitions).persist(StorageLevel.MEMORY_AND_DISK)
    plan = plan_preparation(
        laid_out,
        choose_ingredients(run, laid_out),
        scaler=config.preparation.scaler,
        pca_components=config.preparation.pca_components,
    )
    preparation = fit_preparation(laid_out, plan)
    prepared = preparation.model.transform(laid_out).select("customer_id", "features")
    prepared = prepared.persist(StorageLevel.MEMORY_AND_DISK)
    solver = choose_solver(config.clustering.solver, customers)
    try:
        solutions = _solve(run, prepared, k_values, solver=solver, customers=customers, dimensions=preparation.dimensions)
        choice = _choose(run, solutions)
        chosen = next(one for one in solutions if one[0].k == choice.k)
        centers, model = _canonical(run, preparation, prepared, chosen)
        coordinates = _centroid_rows(preparation, model, laid_out, centers)
    finally:
        prepared.unpersist()
        laid_out.unpersist()
    facts = {"run_id": run.run_id, "k": choice.k, "seed": chosen[0].seed, "layout_partitions": partitions}
    save_model(run.lake.spark, model, run.model_path, facts)
    grid = run.frame(_grid_rows(solutions, choice, solver), GRID)
    centroids = run.frame([{"k": choice.k, **row} for row in coordinates], CENTROIDS)
    run.write((grid, GRID), (centroids, CENTROIDS))
    left_out = "".join(f"; left out {name}: {reason}" for name, reason in plan.dropped.items())
    return choice.decision + left_out


def choose_ingredients(run: Run, features: DataFrame) -> list[Ingredient]:
    """Return the features to cluster on; of category shares those that this run computed."""
    chosen = [_ingredient(run, name, spec) for name, spec in run.config.features.use.items() if spec.role == "cluster"]
    shares = run.config.features.category_shares
    if shares is not None and shares.preparation.role == "cluster":
        chosen += [_ingredient(run, name, shares.preparation) for name in computed_shares(features)]
    return chosen


def computed_shares(features: DataFrame) -> list[str]:
    """Return the category shares that hold a value; the table also has the columns of other runs."""
    names = [name for name in features.columns if name.startswith(SHARE_PREFIX)]
    if not names:
        return []
    counts = features.agg(*(F.count(f"`{name}`").alias(name) for name in names)).first()
    return [name for name in names if counts is not None and counts[name]]


def _ingredient(run: Run, name: str, spec: FeatureSpec) -> Ingredient:
    customers = run.config.sources.customers
    attribute = customers.attributes.get(name) if customers else None
    return Ingredient(
        name,
        attribute.type if attribute else "number",
        log=spec.log,
        cap=spec.cap,
        weight=spec.weight,
        order=tuple(attribute.order or ()) if attribute else (),
    )


def _k_values(run: Run, customers: int) -> list[int]:
    clustering, asked = run.config.clustering, run.config.k
    largest = max(clustering.k_max, asked or 0)
    if largest > customers:
        place = "--k" if asked == largest else "clustering.k_max"
        raise ModelError(place, expected=f"at most {customers:,}, the number of customers", found=str(largest))
    return sorted({*range(clustering.k_min, clustering.k_max + 1), *([asked] if asked else [])})


def choose_solver(asked: Literal["auto", "mllib", "fused"], customers: int) -> Literal["mllib", "fused"]:
    """Return the solver for so many customers."""
    if asked == "auto":
        return "fused" if customers > MLLIB_CUSTOMERS else "mllib"
    return asked


def _solve(
    run: Run, prepared: DataFrame, k_values: list[int], *, solver: Literal["mllib", "fused"], customers: int, dimensions: int
) -> list[Solution]:
    clustering = run.config.clustering
    on_points = partial(work_on_points, prepared, customers=customers, dimensions=dimensions, seed=clustering.seeds[0])
    if solver == "fused":
        settings = Settings(
            k_values=tuple(k_values),
            seeds=tuple(clustering.seeds),
            max_iterations=clustering.max_iterations,
            min_gain=clustering.min_gain,
            silhouette=clustering.silhouette,
        )
        return on_points(partial(solve_grid, settings=settings))
    # Enough to know that K distinct points are there, and which of MLlib's solvers is safe.
    distinct = prepared.select("features").distinct().limit(4 * max(k_values)).count()
    fits = fit_kmeans(
        prepared,
        k_values=k_values,
        seeds=clustering.seeds,
        max_iterations=clustering.max_iterations,
        tolerance=clustering.tolerance,
        distinct_points=distinct,
    )
    found = on_points(partial(measure_grid, centers={fit.k: fit.centers for fit in fits}))
    return [(fit, found[fit.k]) for fit in fits]


def _choose(run: Run, solutions: list[Solution]) -> Choice:
    clustering = run.config.clustering
    candidates = [
        Candidate(fit.k, found.silhouette, found.smallest_share, found.largest_share, found.effective_k)
        for fit, found in solutions
    ]
    effective = max((one.effective_k for one in candidates), default=0)
    wanted = run.config.k or min(one.k for one in candidates)
    if not any(one.effective_k == one.k and one.k >= wanted for one in candidates):
        raise ModelError(
            "--k" if run.config.k else "clustering.k_min",
            expected=f"at most {effective}, the number of distinct customers",
            found=str(wanted),
        )
    return choose_k(candidates, min_share=clustering.min_share, max_share=clustering.max_share, asked_k=run.config.k)


def _canonical(run: Run, preparation: Prepared, prepared: DataFrame, solution: Solution) -> tuple[Centers, PipelineModel]:
    """Return the centres in canonical order, and the whole model that predicts those numbers."""
    fit, found = solution
    names = [coordinate.feature for coordinate in preparation.coordinates]
    revenue = run.config.revenue_feature
    by = names.index(revenue) if revenue in names and preparation.pca_components is None else None
    centers = order_centers(fit.centers, found.sizes, by=by)
    clustering = run.config.clustering
    model = build_model(
        run.lake.spark, centers, max_iterations=clustering.max_iterations, tolerance=clustering.tolerance, seed=fit.seed
    )
    summarize_model(model, prepared, iterations=fit.iterations, wssse=found.wssse)
    return centers, PipelineModel([*preparation.model.stages, model])


def _centroid_rows(preparation: Prepared, model: PipelineModel, features: DataFrame, centers: Centers) -> list[dict[str, Any]]:
    """Return one row per segment and coordinate, scaled and in original units."""
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


def _grid_rows(solutions: list[Solution], choice: Choice, solver: str) -> list[dict[str, Any]]:
    return [
        {
            "k": fit.k,
            "wssse": found.wssse,
            "silhouette": found.silhouette,
            "smallest_share": found.smallest_share,
            "largest_share": found.largest_share,
            "iterations": fit.iterations,
            "converged": fit.converged,
            "effective_k": found.effective_k,
            "seed": fit.seed,
            "is_eligible": choice.eligible[fit.k],
            "is_chosen": fit.k == choice.k,
            "verdict": choice.verdicts[fit.k],
            "solver": solver,
            "weakest_silhouette": found.weakest_silhouette,
            "silhouette_error": found.silhouette_error,
            "calinski_harabasz": found.calinski_harabasz,
            "davies_bouldin": found.davies_bouldin,
            "last_gain": fit.gain,
        }
        for fit, found in solutions
    ]


def assign_customers(run: Run) -> str:
    """Let the saved model place every customer, and measure how clearly."""
    check_begun(run)
    model = load_model(run.lake.spark, run.model_path)
    labelled = model.transform(run.read(FEATURES)).select("customer_id", "features", "prediction")
    centers = [center.tolist() for center in model.stages[-1].clusterCenters()]  # type: ignore[attr-defined]
    members = measure_members(labelled, len(centers))
    run.write((build_assignments(labelled, centers, members, run_id=run.run_id), ASSIGNMENTS))
    return f"{len(centers)} segments"
