"""``features`` to ``grid``, ``decision``, ``stability``, ``centroids`` and the model."""

from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.alternates import renumber
from segmentation.clustering.fits import Centers
from segmentation.clustering.fused import Solution
from segmentation.clustering.models import build_model, canonical_order, summarize_model
from segmentation.clustering.preparation import Prepared, fit_preparation, plan_preparation
from segmentation.errors import ModelError
from segmentation.grid.choice import Candidate, Choice
from segmentation.grid.choice_in_words import explain_choice, explain_others
from segmentation.grid.evidence import (
    border_rows,
    compare_rows,
    decision_rows,
    grid_rows,
    replace_by_single,
    stability_rows,
    structure_row,
    weigh,
)
from segmentation.grid.solve import Solved, choose_k_values, choose_solver, name_columns, solve, solve_single
from segmentation.readings import choose_ingredients, read_laid_out
from segmentation.run import Run, check_featured
from segmentation.tables import BORDERS, CENTROIDS, COMPARE, DECISION, GRID, STABILITY
from segmentation.warehouse.models import save_model


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
    unwanted = ("none",) if clustering.no_structure_from == "none" else ("none", "continuum")
    policy = clustering.no_structure if choice.structure in unwanted and run.config.k is None else "warn"
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
        (border_rows(solved, orders), BORDERS),
        (compare_rows(solved, orders), COMPARE),
    )
    if policy == "fail":
        raise ModelError(
            "clustering.no_structure",
            expected="groups" if clustering.no_structure_from == "continuum" else "more structure than chance",
            found=decision,
        )
    return decision, chosen


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
