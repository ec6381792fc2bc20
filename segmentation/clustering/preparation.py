"""Features in, one scaled vector per customer out, by genuine Spark ML stages; and back to units.

The order of work: cast, impute by the median, cap, log, assemble, scale; categories are one-hot beside it; then
weights, and PCA where asked. One-hot levels stay 0 or 1: two customers of different level are as far apart
(squared distance 2) as two random customers in a standardised number, whatever the level's frequency.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pyspark.ml import Pipeline, PipelineModel, Transformer
from pyspark.ml.base import Estimator
from pyspark.ml.feature import (
    PCA,
    ElementwiseProduct,
    Imputer,
    OneHotEncoder,
    SQLTransformer,
    StringIndexer,
    VectorAssembler,
)
from pyspark.ml.linalg import Vectors
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.catalogue import MISSING_LEVEL
from segmentation.clustering.scalers import SCALERS, Scaler
from segmentation.errors import ModelError, pick

MAX_LEVELS = 100
_SCALED = "numbers__scaled"
# Up to so many customers medians and quantiles are exact: numpy sorts their values in this process, at a tenth of Spark's
# cost; beyond, a sketch with this rank error serves.
EXACT_CUSTOMERS, RANK_ERROR = 1_000_000, 1e-4


@dataclass(frozen=True)
class Ingredient:
    """One feature that takes part in the clustering, and how."""

    name: str
    kind: Literal["number", "category", "ordinal"]
    log: bool = False
    cap: float | None = None
    weight: float = 1.0
    order: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What the data say of the ingredients: which carry information, which miss values, where caps lie."""

    numbers: tuple[Ingredient, ...]
    categories: tuple[Ingredient, ...]
    flagged: frozenset[str]
    bounds: dict[str, tuple[float, float]]
    dropped: dict[str, str]
    customers: int
    scaler: str
    pca_components: int | None


@dataclass(frozen=True)
class Coordinate:
    """One coordinate of the assembled vector, with what carries it back to its unit."""

    feature: str
    weight: float = 1.0
    shift: float = 0.0
    scale: float = 1.0
    log: bool = False

    def to_original(self, value: float) -> float:
        """Return a scaled and weighted coordinate in the feature's own unit."""
        shaped = value / self.weight * self.scale + self.shift
        return float(np.sign(shaped) * np.expm1(abs(shaped))) if self.log else float(shaped)


@dataclass(frozen=True)
class Prepared:
    """A fitted preparation: the stages, and the coordinates of the vector before PCA."""

    model: PipelineModel
    coordinates: tuple[Coordinate, ...]
    pca_components: int | None = field(default=None)

    @property
    def dimensions(self) -> int:
        """Length of the clustered vector."""
        return self.pca_components or len(self.coordinates)


def plan_preparation(features: DataFrame, ingredients: Sequence[Ingredient], *, scaler: str, pca_components: int | None) -> Plan:
    """Look at every ingredient once (one Spark action) and name those that cannot take part.

    Raises
    ------
    ModelError
        If no ingredient carries information, or a category has more than ``MAX_LEVELS`` levels.
    """
    needs_quartiles = find_scaler(scaler).needs_quartiles
    row = features.agg(F.count(F.lit(1)).alias("customers"), *(_statistics(one, needs_quartiles) for one in ingredients)).first()
    if row is None or row["customers"] == 0:
        raise ModelError("features", expected="at least one customer", found="none")
    dropped: dict[str, str] = {}
    flagged: set[str] = set()
    bounds: dict[str, tuple[float, float]] = {}
    for one in ingredients:
        seen = row[one.name]
        if seen["present"] == 0:
            dropped[one.name] = "no value at all"
        elif seen["lowest"] == seen["highest"] and (one.kind == "number" or seen["present"] == row["customers"]):
            dropped[one.name] = f"the same value {seen['lowest']} everywhere"
        elif one.kind == "category" and seen["levels"] > MAX_LEVELS:
            raise ModelError(f"features.{one.name}", expected=f"at most {MAX_LEVELS} levels", found=f"about {seen['levels']}")
        elif one.kind != "category" and needs_quartiles and seen["quartiles"][0] == seen["quartiles"][1]:
            dropped[one.name] = f"equal quartiles, which the {scaler} scaler cannot scale"
        if one.kind != "category" and 0 < seen["present"] < row["customers"]:
            flagged.add(one.name)
        if one.cap is not None and one.kind != "category" and seen["present"]:
            bounds[one.name] = (float(seen["caps"][0]), float(seen["caps"][1]))
            if bounds[one.name][0] == bounds[one.name][1]:
                dropped.setdefault(one.name, f"its caps meet at {bounds[one.name][0]:g}")
    used = [one for one in ingredients if one.name not in dropped]
    if not used:
        why = "; ".join(f"{name}: {reason}" for name, reason in dropped.items())
        raise ModelError("features.use", expected="a feature that differs between customers", found=why)
    return Plan(
        numbers=tuple(one for one in used if one.kind != "category"),
        categories=tuple(one for one in used if one.kind == "category"),
        flagged=frozenset(flagged - set(dropped)),
        bounds=bounds,
        dropped=dropped,
        customers=row["customers"],
        scaler=scaler,
        pca_components=pca_components,
    )


def _statistics(one: Ingredient, needs_quartiles: bool) -> Column:
    value = F.col(f"`{one.name}`") if one.kind == "category" else F.expr(_number_sql(one))
    parts = [F.count(value).alias("present"), F.min(value).alias("lowest"), F.max(value).alias("highest")]
    if one.kind == "category":
        parts.append(F.approx_count_distinct(value).alias("levels"))
    elif needs_quartiles:
        parts.append(F.percentile(value, F.array(F.lit(0.25), F.lit(0.75))).alias("quartiles"))
    if one.cap is not None and one.kind != "category":
        parts.append(F.percentile(value, F.array(F.lit(1 - one.cap), F.lit(one.cap))).alias("caps"))
    return F.struct(*parts).alias(one.name)


def fit_preparation(features: DataFrame, plan: Plan) -> Prepared:
    """Fit the stages of ``plan`` on ``features``; the vector column is called ``features``.

    At scoring time a missing number takes the training median (and its flag, where training saw missing values), a
    missing category is a level of its own if training saw one, and an unseen level is none of the known ones.
    """
    model = Pipeline(stages=_stages(features, plan)).fit(features)
    coordinates = _coordinates(plan, model)
    return _weigh(features, plan, Prepared(model, coordinates, plan.pca_components))


def _stages(features: DataFrame, plan: Plan) -> list[Estimator[Any] | Transformer]:
    stages: list[Estimator[Any] | Transformer] = [SQLTransformer(statement=_select(_casts(plan)))]
    vectors = []
    if plan.numbers:
        names = [one.name for one in plan.numbers]
        stages += [
            _imputer(features, plan),
            SQLTransformer(statement=_select({f"{one.name}__shaped": _shape_sql(one, plan) for one in plan.numbers})),
            VectorAssembler(inputCols=[f"{name}__shaped" for name in names], outputCol="numbers__vector"),
            find_scaler(plan.scaler).make("numbers__vector", _SCALED),
        ]
        vectors.append(_SCALED)
    if plan.categories:
        names = [one.name for one in plan.categories]
        stages += [
            StringIndexer(
                inputCols=[f"{name}__level" for name in names],
                outputCols=[f"{name}__index" for name in names],
                handleInvalid="keep",
                stringOrderType="alphabetAsc",
            ),
            # The indexer's last index stands for unseen levels; dropping it leaves all zeros for them.
            OneHotEncoder(
                inputCols=[f"{name}__index" for name in names],
                outputCols=[f"{name}__onehot" for name in names],
                dropLast=True,
            ),
        ]
        vectors += [f"{name}__onehot" for name in names]
    vectors += [f"{name}__missing" for name in sorted(plan.flagged)]
    return [*stages, VectorAssembler(inputCols=vectors, outputCol="assembled__vector")]


def _imputer(features: DataFrame, plan: Plan) -> Transformer:
    """Return Spark's own imputer with the medians: exact ones, of two in the middle the lower, up to a million customers.

    Its exact search keeps sorted samples of every column; numpy finds them at a tenth of that, and the imputer is fitted
    on a single row of them.
    """
    names = [one.name for one in plan.numbers]
    imputer = Imputer(
        inputCols=[f"{name}__number" for name in names],
        outputCols=[f"{name}__imputed" for name in names],
        strategy="median",
        relativeError=RANK_ERROR,
    )
    numbers = features.select(*(F.expr(_number_sql(one)).alias(f"{one.name}__number") for one in plan.numbers))
    if plan.customers > EXACT_CUSTOMERS:
        return imputer.fit(numbers)
    medians = [_lower_median(column.drop_null().to_numpy()) for column in numbers.toArrow().columns]
    return imputer.fit(features.sparkSession.createDataFrame([tuple(medians)], numbers.schema))


def _lower_median(values: npt.NDArray[np.float64]) -> float:
    middle = (len(values) - 1) // 2
    return float(np.partition(values, middle)[middle])


def _weigh(features: DataFrame, plan: Plan, prepared: Prepared) -> Prepared:
    """Append the weights, known only with the number of levels, and PCA."""
    weights = [coordinate.weight for coordinate in prepared.coordinates]
    weigh = ElementwiseProduct(scalingVec=Vectors.dense(weights), inputCol="assembled__vector", outputCol="features")
    stages = [*prepared.model.stages, weigh]
    if plan.pca_components is not None:
        if plan.pca_components > len(weights):
            raise ModelError("preparation.pca_components", expected=f"at most {len(weights)}", found=str(plan.pca_components))
        weigh.setOutputCol("weighted__vector")
        pca = PCA(k=plan.pca_components, inputCol="weighted__vector", outputCol="features")
        stages.append(pca.fit(PipelineModel(stages).transform(features)))
    return Prepared(PipelineModel(stages), prepared.coordinates, plan.pca_components)


def _select(columns: dict[str, str]) -> str:
    return "SELECT *, " + ", ".join(f"{sql} AS `{name}`" for name, sql in columns.items()) + " FROM __THIS__"


def _casts(plan: Plan) -> dict[str, str]:
    casts = {f"{one.name}__number": _number_sql(one) for one in plan.numbers}
    casts |= {f"{name}__missing": f"CAST(`{name}` IS NULL AS DOUBLE)" for name in sorted(plan.flagged)}
    return casts | {f"{one.name}__level": f"coalesce(`{one.name}`, '{MISSING_LEVEL}')" for one in plan.categories}


def _number_sql(one: Ingredient) -> str:
    if one.kind != "ordinal":
        return f"CAST(`{one.name}` AS DOUBLE)"
    ranks = " ".join(f"WHEN {_literal(level)} THEN {rank}D" for rank, level in enumerate(one.order))
    return f"CASE `{one.name}` {ranks} END"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _shape_sql(one: Ingredient, plan: Plan) -> str:
    value = f"`{one.name}__imputed`"
    if one.name in plan.bounds:
        low, high = plan.bounds[one.name]
        value = f"least(greatest({value}, CAST('{low!r}' AS DOUBLE)), CAST('{high!r}' AS DOUBLE))"
    return f"signum({value}) * log1p(abs({value}))" if one.log else value


def find_scaler(name: str) -> Scaler:
    """Return a scaler by its name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    return pick(SCALERS, name, place="preparation.scaler")


def _coordinates(plan: Plan, model: PipelineModel) -> tuple[Coordinate, ...]:
    """Return the coordinates in the order in which ``_stages`` assembles them."""
    fitted = {type(stage).__name__: stage for stage in model.stages}
    coordinates = []
    for one, (shift, scale) in zip(plan.numbers, _constants(plan, model), strict=True):
        coordinates.append(Coordinate(one.name, one.weight, shift, scale, one.log))
    if plan.categories:
        for one, levels in zip(plan.categories, fitted["StringIndexerModel"].labelsArray, strict=True):  # type: ignore[attr-defined]
            coordinates += [Coordinate(f"{one.name}={level}", one.weight) for level in levels]
    weights = {one.name: one.weight for one in plan.numbers}
    return (*coordinates, *(Coordinate(f"{name}={MISSING_LEVEL}", weights[name]) for name in sorted(plan.flagged)))


def _constants(plan: Plan, model: PipelineModel) -> list[tuple[float, float]]:
    """Return (shift, scale) of each number."""
    if not plan.numbers:
        return []
    stages: list[Any] = model.stages
    fitted = next(stage for stage in stages if stage.hasParam("outputCol") and stage.getOutputCol() == _SCALED)
    shift, scale = find_scaler(plan.scaler).constants(fitted)
    return [(float(one), float(other)) for one, other in zip(shift, scale, strict=True)]
