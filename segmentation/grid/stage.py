"""``features`` to ``grid``, ``decision``, ``stability``, ``centroids`` and the model; those to ``assignments``."""

import json
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.assign.assignments import build_assignments, collect_assignments
from segmentation.clustering.alternates import renumber
from segmentation.clustering.fits import Centers, lay_out
from segmentation.clustering.fused import Solution
from segmentation.clustering.members import evaluate_by_spark, measure_members
from segmentation.clustering.models import build_model, canonical_order, summarize_model
from segmentation.clustering.points import LOCAL_BYTES
from segmentation.clustering.preparation import Ingredient, Prepared, fit_preparation, plan_preparation
from segmentation.config.schema import FeatureSpec
from segmentation.errors import ModelError, PublishError
from segmentation.grid.choice import Candidate, Choice
from segmentation.grid.choice_in_words import explain_choice, explain_others
from segmentation.grid.evidence import decision_rows, grid_rows, replace_by_single, stability_rows, structure_row, weigh
from segmentation.grid.solve import Solved, choose_k_values, choose_solver, name_columns, solve, solve_single
from segmentation.run import Run, check_begun, note
from segmentation.tables import ASSIGNMENTS, CENTROIDS, DECISION, FEATURES, GRID, STABILITY
from segmentation.warehouse.models import load_model, save_model

MEMBERS = "members"  # no table: the features with their segments, which assign_customers hands on


def fit_grid(run: Run) -> str:
    """Prepare the features, fit every K, choose one, and save the model, its centres and the reasons."""
    known = check_featured(run)
    config, customers = run.config, known["customers"]
    k_values = choose_k_values(run, customers)  # before any work, so that too large a K is told at once
    laid_out = read_laid_out(run, known)
    plan = plan_preparation(
        laid_out,
        choose_ingredients(run, known),
        scaler=config.preparation.scaler,
        pca_components=config.preparation.pca_components,
    )
    preparation = fit_preparation(laid_out, plan)
    prepared = preparation.model.transform(laid_out).select("customer_id", "features")
    if choose_solver(config.clustering) == "mllib":  # which reads it at every iteration
        run.hold(prepared)
    solved = solve(run, prepared, preparation, k_values, customers)
    candidates, choice = weigh(solved, name_columns(preparation), config.clustering, asked_k=config.k)
    orders = {fit.k: _order(run, preparation, (fit, found)) for fit, found in solved.solutions}
    decision, chosen = _record(run, solved, candidates, choice, orders, prepared, preparation.dimensions, customers)
    centers, model = _canonical(run, preparation, prepared, solved, chosen)
    coordinates = _centroid_rows(preparation, model, laid_out, centers)
    k = chosen[0].k
    facts = {"run_id": run.run_id, "k": k, "seed": chosen[0].seed, "layout_partitions": known["layout_partitions"]}
    save_model(run.lake.spark, model, run.model_path, facts)
    run.hands.model = model
    run.write_rows(([{"k": k, **row} for row in coordinates], CENTROIDS))
    run.let_go(but=laid_out)
    left_out = "".join(f"; left out {name}: {reason}" for name, reason in plan.dropped.items())
    return decision + left_out


def check_featured(run: Run) -> dict[str, Any]:
    """Return the run's row of ``runs``.

    Raises
    ------
    PublishError
        If ``build_features`` has not ended.
    """
    known = check_begun(run)
    if known["customers"] is None:
        raise PublishError(f"--run-id {run.run_id}", expected="a run whose features are built", found="none; run build-features")
    return known


def read_laid_out(run: Run, known: dict[str, Any]) -> DataFrame:
    """Return the features in the canonical layout, cached: those at hand, else the stored ones."""
    if FEATURES.name not in run.hands.frames:
        laid_out = lay_out(run.lake.read(FEATURES, run_id=run.run_id), partitions=known["layout_partitions"])
        run.hands.frames[FEATURES.name] = run.hold(laid_out)
    return run.hands.frames[FEATURES.name]


def _record(
    run: Run,
    solved: Solved,
    candidates: list[Candidate],
    choice: Choice,
    orders: dict[int, list[int]],
    prepared: DataFrame,
    dimensions: int,
    customers: int,
) -> tuple[str, Solution]:
    """Write why K was chosen, and return the decision in words and the solution taken.

    Raises
    ------
    ModelError
        If there is no structure and the policy is to fail then; the evidence is written all the same.
    """
    clustering = run.config.clustering
    decision = explain_choice(candidates, choice, rule=clustering.rule)
    policy = clustering.no_structure if choice.structure == "none" and run.config.k is None else "warn"
    chosen = next(one for one in solved.solutions if one[0].k == choice.k)
    if policy == "single":
        decision = f"K = 1: a single segment, as clustering.no_structure asks. What the rule would have said: {decision}"
        chosen = solve_single(run, prepared, dimensions, customers)
    verdicts = explain_others(candidates, choice, rule=clustering.rule, decision=decision)
    rows = grid_rows(solved, candidates, choice, verdicts, clustering.algorithm)
    if policy == "single":
        rows = replace_by_single(rows, chosen, decision)
    run.write_rows(
        (rows, GRID),
        ([*decision_rows(choice), structure_row(choice, candidates)], DECISION),
        (stability_rows(solved, orders), STABILITY),
    )
    if policy == "fail":
        raise ModelError("clustering.no_structure", expected="more structure than chance", found=decision)
    return decision, chosen


def choose_ingredients(run: Run, known: dict[str, Any]) -> list[Ingredient]:
    """Return the features to cluster on; of category shares those that this run computed."""
    chosen = [_ingredient(run, name, spec) for name, spec in run.config.features.use.items() if spec.role == "cluster"]
    shares = run.config.features.category_shares
    if shares is not None and shares.preparation.role == "cluster":
        chosen += [_ingredient(run, name, shares.preparation) for name in computed_shares(known)]
    return chosen


def computed_shares(known: dict[str, Any]) -> list[str]:
    """Return the category shares that the run computed; the table also has the columns of other runs."""
    return list(json.loads(known["category_shares"]))


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


def _order(run: Run, preparation: Prepared, solution: Solution) -> list[int]:
    """Return the centres' canonical order: by revenue where it is clustered on and not hidden by PCA, else by size."""
    fit, found = solution
    names = [coordinate.feature for coordinate in preparation.coordinates]
    revenue = run.config.revenue_feature
    by = names.index(revenue) if revenue in names and preparation.pca_components is None else None
    return canonical_order(fit.centers, found.sizes, by=by)


def _canonical(
    run: Run, preparation: Prepared, prepared: DataFrame, solved: Solved, solution: Solution
) -> tuple[Centers, PipelineModel]:
    """Return the centres in canonical order, and the whole model that predicts those numbers."""
    fit, found = solution
    order = _order(run, preparation, solution)
    centers = fit.centers[order]
    if fit.k in solved.alternates:
        return centers, PipelineModel([*preparation.model.stages, *renumber(solved.alternates[fit.k].model, order)])
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


def assign_customers(run: Run) -> str:
    """Let the model place every customer, measure how clearly, and let Spark's own evaluator check the silhouette."""
    known = check_featured(run)
    members = place_members(run, known)
    labelled = members.select("customer_id", "features", F.col("segment_id").alias("prediction"))
    centers = _read_centers(run)
    measured = measure_members(labelled, len(centers))
    if run.lake.is_plain and known["customers"] * len(centers[0]) * 8 <= LOCAL_BYTES:
        run.lake.store.replace(collect_assignments(labelled, centers, measured, run_id=run.run_id), ASSIGNMENTS, run.run_id)
    else:
        run.write_frame(build_assignments(labelled, centers, measured, run_id=run.run_id), ASSIGNMENTS, rows=None)
    silhouette, looked_at = evaluate_by_spark(labelled, customers=known["customers"], segments=len(centers))
    note(run, spark_silhouette=silhouette, spark_silhouette_customers=looked_at)
    return f"{len(centers)} segments"


def place_members(run: Run, known: dict[str, Any]) -> DataFrame:
    """Return the features with ``features`` (vector) and ``segment_id``, cached, as the run's model gives them."""
    if MEMBERS not in run.hands.frames:
        features = read_laid_out(run, known)
        model = run.hands.model or load_model(run.lake.spark, run.model_path)
        placed = model.transform(features).select(*features.columns, "features", F.col("prediction").alias("segment_id"))
        run.hands.frames[MEMBERS] = run.hold(placed)
    return run.hands.frames[MEMBERS]


def _read_centers(run: Run) -> list[list[float]]:
    """Return each segment's centre in the clustered space."""
    rows = [row for row in run.read_rows(CENTROIDS) if row["position"] is not None]
    centers: dict[int, list[float]] = {}
    for row in sorted(rows, key=lambda row: (row["segment_id"], row["position"])):
        centers.setdefault(row["segment_id"], []).append(row["value_scaled"])
    return list(centers.values())
