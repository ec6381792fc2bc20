"""The choice of K made anew from a grid as it is stored; no customer is read, nothing is fitted. Feeds ``grid``, ``decision``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel

from segmentation.clustering.preparation import Coordinate, Prepared
from segmentation.config.schema import Clustering
from segmentation.grid.centers import Chosen
from segmentation.grid.choice import Choice
from segmentation.grid.choice_in_words import explain_choice, explain_others
from segmentation.grid.evidence import decide, structure_row, total_of
from segmentation.grid.gates import Candidate
from segmentation.tables import Rows

# Of a candidate, what ``tables.GRID`` has under the same name.
_KEPT = (
    *("k", "wssse", "silhouette", "calinski_harabasz", "davies_bouldin", "smallest_share", "largest_share", "effective_k"),
    *("iterations", "converged", "stability", "weakest_stability", "null_gain", "null_silhouette", "crowd_gain"),
    "crowd_silhouette",
)


def choose_again(former: Mapping[str, Rows], clustering: Clustering, *, asked_k: int) -> tuple[dict[str, Rows], str]:
    """Take another K of a grid.

    Parameters
    ----------
    former : rows of ``tables.GRID``, ``DECISION``, ``BORDERS``, by table name, of a run of the same configuration

    Returns
    -------
    rows of ``grid`` and ``decision`` without the run, by table name; and the decision in words
    """
    # A single segment is no K that was tried: it stood in for no structure.
    grid = sorted((row for row in former["grid"] if row["k"] > 1), key=lambda row: int(row["k"]))
    candidates = [_read_candidate(row, former["borders"]) for row in grid]
    total = total_of(grid[0]["wssse"], grid[0]["explained_share"])
    choice = decide(candidates, clustering, total=total, asked_k=asked_k)
    # What carried a silhouette was measured on the customers; which are struck out does not depend on the K taken.
    choice = replace(choice, traps={row["k"]: row["trap"] for row in grid if row["trap"] is not None})
    decision = explain_choice(candidates, choice, rule=clustering.rule)
    verdicts = explain_others(candidates, choice, rule=clustering.rule)
    judged = [row for row in former["decision"] if row["gate"] != "structure"]
    return {
        "grid": [_mark(row, choice, verdicts[row["k"]], decision) for row in grid],
        "decision": [*judged, structure_row(choice, candidates)],
    }, decision


def _read_candidate(row: Mapping[str, Any], borders: Rows) -> Candidate:
    # ``groups`` has what a single crowd shows taken off already.
    return Candidate(
        **{name: row[name] for name in _KEPT},
        crowd_parts=1,
        parts=row["groups"],
        shallowest=min((one["depth"] for one in borders if one["k"] == row["k"]), default=None),
        splittable=row["splittable_segments"],
    )


def _mark(row: Mapping[str, Any], choice: Choice, verdict: str, decision: str) -> dict[str, Any]:
    is_chosen = row["k"] == choice.k
    return {**row, "is_chosen": is_chosen, "verdict": verdict, "decision": decision if is_chosen else None}


def read_chosen(grid: Rows, centroids: Rows, *, k: int) -> Chosen:
    """Return the k-means fit of a K as ``tables.GRID`` and ``tables.GRID_CENTROIDS`` have it."""
    row = next(one for one in grid if one["k"] == k)
    own = sorted((one for one in centroids if one["k"] == k), key=lambda one: (one["segment_id"], one["position"]))
    centers = np.array([one["value_scaled"] for one in own]).reshape(k, -1)
    return Chosen(k, row["seed"], row["iterations"], row["wssse"], centers)


def read_preparation(model: PipelineModel, rows: Rows, *, pca_components: int | None) -> Prepared:
    """Return the preparation of a saved model: the stages up to the clustered vector, and rows of ``tables.PREPARATION``."""
    stages: Sequence[Any] = model.stages
    last = next(place for place, one in enumerate(stages) if one.hasParam("outputCol") and one.getOutputCol() == "features")
    coordinates = tuple(
        Coordinate(row["feature"], row["weight"], row["center"], row["scale"], row["is_log"])
        for row in sorted(rows, key=lambda row: int(row["position"]))
    )
    return Prepared(PipelineModel(list(stages[: last + 1])), coordinates, pca_components)
