"""``features`` to ``grid``, ``decision``, ``stability``, ``centroids`` and the model."""

from typing import Any

from pyspark.sql import DataFrame

from segmentation.clustering.constants import component_rows, preparation_rows
from segmentation.clustering.preparation import Prepared, fit_preparation, plan_preparation
from segmentation.errors import ModelError
from segmentation.grid.again import choose_again, read_chosen, read_preparation
from segmentation.grid.centers import Chosen, build_whole_model, centroid_rows, grid_centroid_rows, order_centers, take_chosen
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
from segmentation.grid.hidden import (
    HiddenSegments,
    guard_borders,
    guard_centroids,
    guard_stability,
    guard_steps,
    hide_segments,
    size_segments,
)
from segmentation.grid.solve import choose_k_values, choose_solver, fit_other, name_columns, solve, solve_single
from segmentation.readings import choose_ingredients, load_model_of, read_laid_out
from segmentation.run import Run, check_featured, check_k
from segmentation.score_sql import write_sql
from segmentation.tables import (
    BORDERS,
    CENTROIDS,
    COMPARE,
    COMPONENTS,
    DECISION,
    GRID,
    GRID_CENTROIDS,
    PREPARATION,
    STABILITY,
)
from segmentation.warehouse.models import save_model

# What does not depend on the K taken.
_AS_THEY_ARE = (STABILITY, BORDERS, COMPARE, GRID_CENTROIDS, PREPARATION, COMPONENTS)


def fit_grid(run: Run) -> str:
    """Prepare the features, fit every K, choose one, and save the model, its centres and the reasons.

    Raises
    ------
    ModelError
        If there is no structure and the policy is to fail then; the evidence is written all the same.
    """
    known, config, clustering = check_featured(run), run.config, run.config.clustering
    check_k(run, known)
    customers = known["customers"]
    # Before any work, so that too large a K is told at once.
    k_values = choose_k_values(clustering, asked_k=config.k, customers=customers)
    laid_out, ingredients, how = read_laid_out(run, known), choose_ingredients(run, known), config.preparation
    run.step("prepare features")
    plan = plan_preparation(laid_out, ingredients, scaler=how.scaler, pca_components=how.pca_components)
    preparation = fit_preparation(laid_out, plan)
    prepared = preparation.model.transform(laid_out).select("customer_id", "features")
    if choose_solver(clustering) == "mllib":  # which reads it at every iteration
        run.hold(prepared)
    columns = name_columns(preparation)
    run.step(f"{clustering.algorithm if clustering.algorithm != 'kmeans' else 'k-means'} K={k_values[0]}..{k_values[-1]}")
    solved = solve(prepared, columns, clustering, k_values=k_values, customers=customers)
    candidates, choice = weigh(solved, columns, clustering, asked_k=config.k, min_cell=config.privacy.min_cell)
    orders = {one[0].k: order_centers(one, preparation, revenue=config.revenue_feature) for one in solved.solutions}
    decision = explain_choice(candidates, choice, rule=clustering.rule)
    verdicts = explain_others(candidates, choice, rule=clustering.rule)
    asks_groups = clustering.no_structure_from == "continuum"
    unwanted, wanted = (("none", "continuum"), "groups") if asks_groups else (("none",), "more structure than chance")
    policy = clustering.no_structure if choice.structure in unwanted and config.k is None else "warn"
    chosen = next(one for one in solved.solutions if one[0].k == choice.k)
    rows = grid_rows(solved, candidates, choice, verdicts, decision=decision, algorithm=clustering.algorithm)
    if policy == "single":
        decision = f"K = 1: a single segment, as clustering.no_structure asks. What the rule would have said: {decision}"
        chosen = solve_single(prepared, clustering, customers=customers, dimensions=preparation.dimensions)
        rows = replace_by_single(rows, chosen, decision, verdict=f"passed over: no {wanted}")
    sizes, min_cell = size_segments(solved.solutions, orders), config.privacy.min_cell
    hidden = hide_segments(sizes, min_cell)
    run.write_rows(
        (rows, GRID),
        ([*decision_rows(choice), structure_row(choice, candidates)], DECISION),
        (guard_stability(stability_rows(solved, orders), hidden), STABILITY),
        (guard_borders(border_rows(solved, orders), hidden, sizes, min_cell), BORDERS),
        (guard_steps(compare_rows(solved, orders), hidden, sizes, min_cell), COMPARE),
        (guard_centroids(grid_centroid_rows(preparation, solved.solutions, orders), hidden), GRID_CENTROIDS),
    )
    if policy == "fail":
        raise ModelError("clustering.no_structure", expected=wanted, found=decision)
    order = order_centers(chosen, preparation, revenue=config.revenue_feature)
    alternate = solved.alternates.get(chosen[0].k)
    run.write_rows((preparation_rows(plan, preparation), PREPARATION), (component_rows(preparation), COMPONENTS))
    _save(run, known, preparation, prepared, take_chosen(chosen, alternate, order), hidden)
    return decision + "".join(f"; left out {name}: {reason}" for name, reason in plan.dropped.items())


def take_another_k(run: Run) -> str:
    """Take the K asked for from the grid of the run that this one is taken from, and save its model, centres and reasons."""
    known, config, clustering = check_featured(run), run.config, run.config.clustering
    assert config.k is not None  # without which no run is taken from another
    assert run.taken_from is not None
    kept = {table.name: run.read_former(table) for table in (*_AS_THEY_ARE, GRID, DECISION)}
    chosen_rows, decision = choose_again(kept, clustering, asked_k=config.k)
    run.write_rows(
        *((kept[table.name], table) for table in _AS_THEY_ARE), *((chosen_rows[table.name], table) for table in (GRID, DECISION))
    )
    run.step("prepare features")
    model = load_model_of(run, run.taken_from)
    preparation = read_preparation(model, kept[PREPARATION.name], pca_components=config.preparation.pca_components)
    laid_out = read_laid_out(run, known)
    prepared = preparation.model.transform(laid_out).select("customer_id", "features")
    if clustering.algorithm == "kmeans":
        chosen = read_chosen(kept[GRID.name], kept[GRID_CENTROIDS.name], k=config.k)
    else:
        run.step(f"{clustering.algorithm} K={config.k}")
        fits, solutions = fit_other(run.hold(prepared), clustering, k_values=[config.k])
        order = order_centers(solutions[0], preparation, revenue=config.revenue_feature)
        chosen = take_chosen(solutions[0], fits[0], order)
    _save(run, known, preparation, prepared, chosen, {})  # a grid in which something is hidden is not taken over
    return f"{decision} Taken from the grid of run {run.taken_from}"


def _save(
    run: Run, known: dict[str, Any], preparation: Prepared, prepared: DataFrame, chosen: Chosen, hidden: HiddenSegments
) -> None:
    """Make and save the model of the K taken, and write its centres."""
    clustering, laid_out = run.config.clustering, read_laid_out(run, known)
    run.step("make the model")
    model = build_whole_model(preparation, prepared, chosen, clustering)
    run.step("centres in the features' units")
    coordinates = centroid_rows(preparation, model, laid_out, chosen.centers)
    facts = {"run_id": run.run_id, "k": chosen.k, "seed": chosen.seed, "layout_partitions": known["layout_partitions"]}
    files = {}
    if clustering.algorithm == "kmeans":
        constants, components = run.read_rows(PREPARATION), run.read_rows(COMPONENTS)
        files = {"score.sql": write_sql(constants, components, chosen.centers.tolist(), run_id=run.run_id)}
    run.step("save the model")
    save_model(run.lake.spark, model, run.model_path, facts, files=files)
    run.hands.models[run.run_id] = model
    run.write_rows((guard_centroids([{"k": chosen.k, **row} for row in coordinates], hidden), CENTROIDS))
    run.let_go(but=laid_out)
