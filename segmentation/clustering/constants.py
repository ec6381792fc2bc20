"""A fitted preparation as plain rows, from which any engine can make the same points."""

import json
from typing import Any

from pyspark.ml.feature import ImputerModel, PCAModel

from segmentation.clustering.preparation import Ingredient, Plan, Prepared
from segmentation.tables import Rows


def preparation_rows(plan: Plan, prepared: Prepared) -> Rows:
    """Return rows of ``tables.PREPARATION`` without the run, one per coordinate before PCA, in order."""
    numbers = {one.name: one for one in plan.numbers}
    categories = {one.name for one in plan.categories}
    fills = _medians(plan, prepared)
    rows = []
    for position, coordinate in enumerate(prepared.coordinates):
        source, _, level = coordinate.feature.partition("=")
        constants = {"center": coordinate.shift, "scale": coordinate.scale, "weight": coordinate.weight}
        row = {"position": position, "feature": coordinate.feature, "source_column": source, "is_log": coordinate.log}
        if coordinate.feature in numbers:
            row |= _number(numbers[source], plan, fills)
        else:
            row |= {"kind": "level" if source in categories else "missing", "level": level if source in categories else None}
        rows.append({**dict.fromkeys(("fill_value", "cap_low", "cap_high", "level", "ranks")), **row, **constants})
    return rows


def component_rows(prepared: Prepared) -> Rows:
    """Return rows of ``tables.COMPONENTS`` without the run; none without PCA."""
    fitted = prepared.model.stages[-1]
    if not isinstance(fitted, PCAModel):
        return []
    return [
        {"component": component, "position": position, "loading": loading}
        for position, loadings in enumerate(fitted.pc.toArray().tolist())
        for component, loading in enumerate(loadings)
    ]


def _number(one: Ingredient, plan: Plan, fills: dict[str, float]) -> dict[str, Any]:
    low, high = plan.bounds.get(one.name, (None, None))
    ranks = json.dumps(one.order, ensure_ascii=False) if one.kind == "ordinal" else None
    return {"kind": one.kind, "fill_value": fills[one.name], "cap_low": low, "cap_high": high, "ranks": ranks}


def _medians(plan: Plan, prepared: Prepared) -> dict[str, float]:
    for stage in prepared.model.stages:
        if isinstance(stage, ImputerModel):
            row = stage.surrogateDF.collect()[0].asDict()
            return {one.name: float(row[f"{one.name}__number"]) for one in plan.numbers}
    assert not plan.numbers  # which would have an imputer
    return {}
