"""``features`` to ``grid``, ``decision``, ``stability``, ``centroids`` and the model."""

from segmentation.clustering.constants import component_rows, preparation_rows
from segmentation.clustering.preparation import fit_preparation, plan_preparation
from segmentation.errors import ModelError
from segmentation.grid.centers import build_whole_model, centroid_rows, order_centers
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
    guard_borders,
    guard_centroids,
    guard_stability,
    guard_steps,
    hide_segments,
    size_segments,
)
from segmentation.grid.solve import choose_k_values, choose_solver, name_columns, solve, solve_single
from segmentation.readings import choose_ingredients, read_laid_out
from segmentation.run import Run, check_featured
from segmentation.score_sql import write_sql
from segmentation.tables import BORDERS, CENTROIDS, COMPARE, COMPONENTS, DECISION, GRID, PREPARATION, STABILITY
from segmentation.warehouse.models import save_model


def fit_grid(run: Run) -> str:
    """Prepare the features, fit every K, choose one, and save the model, its centres and the reasons.

    Raises
    ------
    ModelError
        If there is no structure and the policy is to fail then; the evidence is written all the same.
    """
    known, config, clustering = check_featured(run), run.config, run.config.clustering
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
    )
    if policy == "fail":
        raise ModelError("clustering.no_structure", expected=wanted, found=decision)
    run.step("make the model")
    order = order_centers(chosen, preparation, revenue=config.revenue_feature)
    model = build_whole_model(preparation, prepared, solved, chosen, order=order, clustering=clustering)
    k, seed, centers = chosen[0].k, chosen[0].seed, chosen[0].centers[order]
    run.step("centres in the features' units")
    coordinates = centroid_rows(preparation, model, laid_out, centers)
    facts = {"run_id": run.run_id, "k": k, "seed": seed, "layout_partitions": known["layout_partitions"]}
    constants, components = preparation_rows(plan, preparation), component_rows(preparation)
    files = {}
    if clustering.algorithm == "kmeans":
        files = {"score.sql": write_sql(constants, components, centers.tolist(), run_id=run.run_id)}
    run.step("save the model")
    save_model(run.lake.spark, model, run.model_path, facts, files=files)
    run.hands.model = model
    placed = guard_centroids([{"k": k, **row} for row in coordinates], hidden.get(k, frozenset()))
    run.write_rows((placed, CENTROIDS), (constants, PREPARATION), (components, COMPONENTS))
    run.let_go(but=laid_out)
    return decision + "".join(f"; left out {name}: {reason}" for name, reason in plan.dropped.items())
