"""What was found of every K as candidates for the choice, and the choice as rows of ``grid``, ``decision``, ``stability``."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from segmentation.clustering.fused import Solution
from segmentation.clustering.measures import Evaluation
from segmentation.clustering.refits import Chance, Support
from segmentation.config.schema import Clustering
from segmentation.errors import ModelError
from segmentation.grid.choice import Choice, choose_k
from segmentation.grid.gates import Candidate, Dominant, Thresholds
from segmentation.grid.hidden import hide_shares
from segmentation.grid.solve import Solved

_BANDS = {0.85: "highly stable", 0.75: "stable", 0.6: "doubtful", 0.0: "unstable"}


def weigh(
    solved: Solved, columns: Sequence[str], clustering: Clustering, *, asked_k: int | None, min_cell: int = 0
) -> tuple[list[Candidate], Choice]:
    """Return the candidates and the choice among them.

    Raises
    ------
    ModelError
        If no K has as many segments as asked.
    """
    candidates = [
        replace(
            _candidate(one.k, one.iterations, one.converged, found, solved.supports[one.k], _dominant(found, solved, columns)),
            hidden=hide_shares(found.sizes, min_cell),
        )
        for one, found in solved.solutions
    ]
    return candidates, decide(candidates, clustering, total=_total(solved), asked_k=asked_k)


def decide(candidates: Sequence[Candidate], clustering: Clustering, *, total: float, asked_k: int | None) -> Choice:
    """Return the choice among candidates; ``total`` is the WSSSE of a single segment.

    Raises
    ------
    ModelError
        If no K has as many segments as asked.
    """
    wanted = asked_k or min(one.k for one in candidates)
    if not any(one.is_usable and one.k >= wanted for one in candidates):
        raise ModelError(
            "--k" if asked_k else "clustering.k_min",
            expected=f"at most {max(one.effective_k for one in candidates)}, the number of distinct customers",
            found=str(wanted),
        )
    return choose_k(
        candidates,
        thresholds=Thresholds(
            min_share=clustering.min_share,
            max_share=clustering.max_share,
            min_stability=clustering.min_stability,
            min_null_gain=clustering.min_null_gain,
            max_iterations=clustering.max_iterations,
        ),
        rule=clustering.rule,
        total=total,
        asked_k=asked_k,
    )


def _candidate(
    k: int, iterations: int, converged: bool | None, found: Evaluation, support: Support, dominant: Dominant
) -> Candidate:
    return Candidate(
        k=k,
        wssse=found.wssse,
        silhouette=found.silhouette,
        calinski_harabasz=found.calinski_harabasz,
        davies_bouldin=found.davies_bouldin,
        smallest_share=found.smallest_share,
        largest_share=found.largest_share,
        effective_k=found.effective_k,
        iterations=iterations,
        converged=converged,
        stability=support.adjusted_rand,
        weakest_stability=support.weakest,
        null_gain=_gain(found, support.permuted),
        null_silhouette=support.permuted.silhouette,
        crowd_gain=_gain(found, support.crowds),
        crowd_silhouette=support.crowds.silhouette,
        crowd_parts=support.crowds.parts,
        parts=support.parting.parts,
        shallowest=support.parting.shallowest,
        splittable=sum(support.parting.splittable),
        dominant=dominant,
    )


def _gain(found: Evaluation, chance: Chance) -> float:
    """Return the share of WSSSE that is less than on the best of the tables without groups."""
    left = 1 - chance.explained
    return 1 - (1 - found.explained_share) / left if left > 0 else 0.0


def _dominant(found: Evaluation, solved: Solved, columns: Sequence[str]) -> Dominant:
    between, variance = dict.fromkeys(columns, 0.0), dict.fromkeys(columns, 0.0)
    for column, own, total in zip(columns, found.between_shares, solved.variance_shares, strict=True):
        between[column] += own
        variance[column] += total
    feature = max(between, key=lambda column: between[column])
    return Dominant(feature, between[feature], variance[feature])


def _total(solved: Solved) -> float:
    """Return the WSSSE of a single segment."""
    _, found = solved.solutions[0]
    return total_of(found.wssse, found.explained_share)


def total_of(wssse: float, explained_share: float) -> float:
    """Return the WSSSE of a single segment from that of some segments and the share of it that they explain."""
    return wssse / (1 - explained_share) if explained_share < 1 else wssse


def grid_rows(
    solved: Solved, candidates: Sequence[Candidate], choice: Choice, verdicts: dict[int, str], *, decision: str, algorithm: str
) -> list[dict[str, Any]]:
    """Return the rows of ``tables.GRID``."""
    return [
        {
            "k": fit.k,
            "wssse": found.wssse,
            "silhouette": found.silhouette,
            "smallest_share": None if "smallest_share" in one.hidden else found.smallest_share,
            "largest_share": None if "largest_share" in one.hidden else found.largest_share,
            "iterations": fit.iterations,
            "converged": fit.converged,
            "effective_k": found.effective_k,
            "seed": fit.seed,
            "is_eligible": choice.passes(fit.k),
            "is_chosen": fit.k == choice.k,
            "verdict": verdicts[fit.k],
            "decision": decision if fit.k == choice.k else None,
            "solver": solved.solver,
            "weakest_silhouette": found.weakest_silhouette,
            "silhouette_error": found.silhouette_error,
            "calinski_harabasz": found.calinski_harabasz,
            "davies_bouldin": found.davies_bouldin,
            "last_gain": fit.gain,
            "algorithm": algorithm,
            "explained_share": found.explained_share,
            "stability": one.stability,
            "weakest_stability": one.weakest_stability,
            "null_gain": one.null_gain,
            "null_silhouette": one.null_silhouette,
            "crowd_gain": one.crowd_gain,
            "crowd_silhouette": one.crowd_silhouette,
            "groups": one.groups,
            "splittable_segments": one.splittable,
            "is_knee": fit.k == choice.knee,
            "score": choice.scores[fit.k],
            "trap": choice.traps.get(fit.k),
        }
        for (fit, found), one in zip(solved.solutions, candidates, strict=True)
    ]


def replace_by_single(rows: Sequence[dict[str, Any]], solution: Solution, decision: str, *, verdict: str) -> list[dict[str, Any]]:
    """Return the rows of ``tables.GRID`` with the single segment, which stands for no structure, as the one chosen.

    ``verdict`` is that of the K that the rule would have taken.
    """
    fit, found = solution
    single = dict.fromkeys(rows[0]) | {name: rows[0][name] for name in ("solver", "algorithm", "silhouette_error")}
    single |= {"k": 1, "wssse": found.wssse, "explained_share": 0.0, "smallest_share": 1.0, "largest_share": 1.0}
    single |= {"iterations": fit.iterations, "converged": fit.converged, "effective_k": 1, "seed": fit.seed}
    single |= {"is_eligible": False, "is_chosen": True, "is_knee": False, "verdict": "chosen", "decision": decision}
    passed_over = {"is_chosen": False, "decision": None, "verdict": verdict}
    others = [row | passed_over if row["is_chosen"] else row for row in rows]
    return [single, *others]


def decision_rows(choice: Choice) -> list[dict[str, Any]]:
    """Return the rows of ``tables.DECISION``."""
    words = {True: "passed", False: "failed", None: "not measured"}
    rows = [
        {
            "k": k,
            "gate": gate.name,
            "value": gate.value,
            "threshold": gate.threshold,
            "is_passed": gate.is_passed,
            "verdict": words[gate.is_passed],
            "reason": gate.reason,
        }
        for k, gates in choice.gates.items()
        for gate in gates
    ]
    for k, score in choice.scores.items():
        place = {choice.rule_k: "first", choice.second_k: "second"}.get(k, "other")
        reason = choice.traps.get(k) or f"{place} by the rule" + ("" if k in choice.pool else ", which does not look at it")
        rows.append(
            {
                "k": k,
                "gate": "rule",
                "value": score,
                "threshold": None,
                "is_passed": k == choice.rule_k,
                "verdict": place,
                "reason": reason,
            }
        )
    return rows


def structure_row(choice: Choice, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Return the row of ``tables.DECISION`` that says how much structure there is."""
    chosen = next(one for one in candidates if one.k == choice.k)
    return {
        "k": choice.k,
        "gate": "structure",
        "value": float(chosen.groups),
        "threshold": None,
        "is_passed": choice.structure not in ("continuum", "none"),
        "verdict": choice.structure,
        "reason": "segments that valleys part, more than in tables that are one crowd; with their depth and stability",
    }


def stability_rows(solved: Solved, orders: dict[int, list[int]]) -> list[dict[str, Any]]:
    """Return the rows of ``tables.STABILITY``; ``orders`` has the centres of each K in canonical order."""
    rows = []
    for fit, found in solved.solutions:
        support = solved.supports[fit.k]
        for segment, center in enumerate(orders[fit.k]):
            jaccard, inner = support.jaccards[center], support.parting.inner[center]
            rows.append(
                {
                    "k": fit.k,
                    "segment_id": segment,
                    "customer_share": found.sizes[center] / sum(found.sizes),
                    "jaccard": jaccard,
                    "lowest_jaccard": support.lowest_jaccards[center],
                    "verdict": next(word for least, word in _BANDS.items() if jaccard >= least),
                    "inner_depth": None if inner is None else inner.depth,
                    "is_splittable": inner is not None and inner.is_valley,
                }
            )
    return rows


def border_rows(solved: Solved, orders: dict[int, list[int]]) -> list[dict[str, Any]]:
    """Return the rows of ``tables.BORDERS``; ``orders`` has the centres of each K in canonical order."""
    rows = []
    for fit, found in solved.solutions:
        place = {center: segment for segment, center in enumerate(orders[fit.k])}
        for border in solved.supports[fit.k].parting.borders:
            low, high = sorted((place[border.first], place[border.second]))
            both = found.sizes[border.first] + found.sizes[border.second]
            rows.append(
                {
                    "k": fit.k,
                    "segment_id": low,
                    "other_segment_id": high,
                    "depth": border.depth,
                    "surprise": border.surprise,
                    "near_customers": round(border.near_share * both),
                    "near_share": border.near_share,
                    "verdict": "apart" if border.is_valley else "cut",
                }
            )
    return sorted(rows, key=lambda row: (row["k"], row["segment_id"], row["other_segment_id"]))


def compare_rows(solved: Solved, orders: dict[int, list[int]]) -> list[dict[str, Any]]:
    """Return the rows of ``tables.COMPARE``: where the customers of each segment are at the next K."""
    k_values = [fit.k for fit, _ in solved.solutions]
    rows = []
    for k, after in pairwise(k_values):
        table = np.array(solved.supports[k].onward)[np.ix_(orders[k], orders[after])]
        sizes = table.sum(1)
        rows += [
            {
                "k": k,
                "segment_id": segment,
                "next_k": after,
                "next_segment_id": next_segment,
                "customer_share": float(table[segment, next_segment] / table.sum()),
                "segment_share": float(table[segment, next_segment] / sizes[segment]),
            }
            for segment, next_segment in np.argwhere(table).tolist()
        ]
    return rows
