"""What more than one stage reads of a run: its features as laid out, its members, what it clusters on."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.catalogue import ORDER_DIMENSIONS
from segmentation.clustering.fits import lay_out
from segmentation.clustering.placing import Constants
from segmentation.clustering.preparation import Ingredient
from segmentation.config.schema import Config, FeatureSpec
from segmentation.config.sources import AttributeSpec, CustomersSource
from segmentation.errors import ModelError, PublishError
from segmentation.frames import Customers
from segmentation.run import Run
from segmentation.score_sql import DISTANCES, Steps, list_steps, read_centers
from segmentation.tables import (
    ASSIGNMENTS,
    CENTROIDS,
    COMPONENTS,
    CUSTOMERS,
    DOUBLE,
    FEATURES,
    GRID,
    PREPARATION,
    RUNS,
    STRING,
    Column,
    Rows,
    Table,
)
from segmentation.warehouse.lake import Lake
from segmentation.warehouse.models import load_model
from segmentation.warehouse.questions import find_limits

LIKE_SHARE = 0.99  # of a segment's training customers are as near; who is farther is unlike them
MEMBERS = "members"  # no table: the features with their segments


def attribute_columns(customers: CustomersSource | None) -> tuple[Column, ...]:
    """Return the columns of the attributes that a customers source declares."""
    if customers is None:
        return ()
    return tuple(Column(name, DOUBLE if spec.is_number else STRING, _told(spec)) for name, spec in customers.attributes.items())


def _told(spec: AttributeSpec) -> str:
    if spec.type == "date":
        return f"days from {spec.source} to as_of"
    return f"{spec.type} attribute from {spec.source if isinstance(spec.source, str) else ' + '.join(spec.source)}"


def customers_table(customers: CustomersSource) -> Table:
    """Return ``tables.CUSTOMERS`` with the attributes of a customers source."""
    return CUSTOMERS.widened(attribute_columns(customers))


def read_laid_out(run: Run, known: dict[str, Any]) -> DataFrame:
    """Return the features in the canonical layout, cached: those at hand, else the stored ones."""
    if FEATURES.name not in run.hands.frames:
        run.hands.frames[FEATURES.name] = run.hold(_lay_out(run, known))
    return run.hands.frames[FEATURES.name]


def _lay_out(run: Run, known: dict[str, Any]) -> DataFrame:
    at_hand = run.hands.frames.get(FEATURES.name)
    if at_hand is not None:
        return at_hand
    return lay_out(run.lake.read(FEATURES, run_id=run.run_id), partitions=known["layout_partitions"])


def place_members(run: Run, known: dict[str, Any]) -> DataFrame:
    """Return the features with ``features`` (vector) and ``segment_id``, cached, as the run's model gives them."""
    if MEMBERS not in run.hands.frames:
        run.hands.frames[MEMBERS] = run.hold(place_with(run, run.model_run_id, _lay_out(run, known)))
    return run.hands.frames[MEMBERS]


def place_with(run: Run, model_run_id: str, features: DataFrame) -> DataFrame:
    """Return rows of ``tables.FEATURES`` with ``features`` (vector, scaled units) and the ``segment_id`` by a run's model.

    This run's own model is asked itself; of another its constants, at a tenth of the cost, unless its segments are not those
    of the nearest centre.
    """
    steps = None if model_run_id == run.run_id else steps_of(constants_of(run, model_run_id))
    columns = features.columns
    if steps is None:
        placed = load_model_of(run, model_run_id).transform(features)
        return placed.select(*columns, "features", F.col("prediction").alias("segment_id"))
    cut = [name for name, _ in steps].index(DISTANCES)
    scaled = take_steps(features, steps[:cut], kept=columns)
    coordinates = [name for name in scaled.columns if name.startswith("_x_")]
    point = array_to_vector(F.array(*coordinates)).alias("features")
    placed = take_steps(scaled.select(*columns, point, *coordinates), steps[cut:], kept=[*columns, "features"])
    return placed.select(*columns, "features", "segment_id")


def take_steps(features: DataFrame, steps: Steps, *, kept: Sequence[str]) -> DataFrame:
    """Return the columns ``kept`` of ``features`` (customer_id unique) beside those of the last of ``score_sql.list_steps``.

    Raises
    ------
    pyspark.errors.AnalysisException
        If the model needs features that are not there.
    """
    placed, own = features, [F.col(f"`{name}`") for name in kept]
    for place, (_, columns) in enumerate(steps):
        placed = placed.alias("f").select(*(own if place else ["f.*"]), *map(F.expr, columns))
    return placed


def find_members(run: Run, known: dict[str, Any]) -> Customers:
    """Return the features with ``features`` and ``segment_id``: in this process where ``place_here`` can, else as a frame."""
    here = place_here(run, known)
    return place_members(run, known) if here is None else here


def place_here(run: Run, known: dict[str, Any]) -> pa.Table | None:
    """Return the customers of a score in this process, where they are placed and counted without a Spark job.

    ``customer_id``, the features that are described or clustered on, ``features`` (list of coordinates, scaled units) and
    ``segment_id``, the smallest in a tie. None where they do not fit into ``clustering.driver_mb`` or Spark alone reads
    them; of a run that trains; and of a model that is not the nearest centre's.
    """
    at_hand = run.hands.tables.pop(FEATURES.name, None)
    if run.scored_with is None or not run.lake.is_plain or not (model := constants_of(run, run.scored_with)).is_nearest:
        return None
    names = {*_used_columns(run.config, known), *model.columns}
    numbers = len(names) + len(model.centers[0])
    if not run.fits(known["customers"], numbers=numbers):
        return None
    if MEMBERS not in run.hands.tables:
        wanted = ["customer_id", *names]
        features = run.lake.read_arrow(FEATURES, wanted, run_id=run.run_id) if at_hand is None else at_hand.select(wanted)
        customers = features.sort_by("customer_id")  # sums of floats depend on the order
        points = model.points(customers)
        listed = pa.FixedSizeListArray.from_arrays(pa.array(points.ravel()), points.shape[1])
        placed = customers.append_column("features", listed).append_column("segment_id", pa.array(model.place(points)[0]))
        run.hands.tables[MEMBERS] = placed
    return run.hands.tables[MEMBERS]


def _used_columns(config: Config, known: Mapping[str, Any]) -> list[str]:
    """Return the features that are described, and those that names and advice look at."""
    orders = ORDER_DIMENSIONS if config.sources.transactions is not None else ()
    revenue = [config.revenue_feature] if config.revenue_feature else []
    return [*config.features.use, *computed_shares(known), *orders, *revenue]


def load_model_of(run: Run, run_id: str) -> PipelineModel:
    """Return the model of a run: the one at hand, else the stored one, which takes seconds.

    Raises
    ------
    ModelError
        If there is none, or it was changed since it was saved.
    """
    if run_id not in run.hands.models:
        run.hands.models[run_id] = load_model(run.lake.spark, f"{run.lake.models}/{run_id}")
    return run.hands.models[run_id]


def read_constants(lake: Lake, run_id: str) -> Constants:
    """Return a model's constants as they are stored."""
    rows = {table: lake.read_rows(table, run_ids=[run_id]) for table in (GRID, PREPARATION, COMPONENTS, CENTROIDS)}
    is_nearest = bool(rows[PREPARATION]) and {row["algorithm"] for row in rows[GRID]} == {"kmeans"}
    return Constants(rows[PREPARATION], rows[COMPONENTS], read_centers(rows[CENTROIDS]), is_nearest)


def constants_of(run: Run, run_id: str) -> Constants:
    """Return ``read_constants`` of a run's model: those at hand, else of the stored tables."""
    if run_id not in run.hands.constants:
        run.hands.constants[run_id] = read_constants(run.lake, run_id)
    return run.hands.constants[run_id]


def steps_of(model: Constants) -> Steps | None:
    """Return ``score_sql.list_steps`` for Spark; None of a model that is not the nearest centre's."""
    if not model.is_nearest:
        return None
    return list_steps(model.preparation, model.components, model.centers, log1p="LOG1P({})")


def read_described(run: Run, table: Table) -> Rows:
    """Return this run's rows of a table that the stage ``segments`` fills.

    Raises
    ------
    PublishError
        If it has not ended.
    """
    rows = run.read_rows(table)
    if not rows:
        raise PublishError(f"--run-id {run.run_id}", expected="a run whose segments are described", found="none; run segments")
    return rows


def choose_ingredients(run: Run, known: dict[str, Any]) -> list[Ingredient]:
    """Return the features to cluster on; of category shares those that this run computed."""
    chosen = [_ingredient(run.config, name, spec) for name, spec in run.config.features.use.items() if spec.role == "cluster"]
    shares = run.config.features.category_shares
    if shares is not None and shares.preparation.role == "cluster":
        chosen += [_ingredient(run.config, name, shares.preparation) for name in computed_shares(known)]
    return chosen


def computed_shares(known: Mapping[str, Any]) -> dict[str, str]:
    """Return the category of each share that the run computed, by column; the table also has the columns of other runs."""
    found: dict[str, str] = json.loads(known["category_shares"])
    return found


def _ingredient(config: Config, name: str, spec: FeatureSpec) -> Ingredient:
    customers = config.sources.customers
    attribute = customers.attributes.get(name) if customers else None
    return Ingredient(
        name,
        attribute.kind if attribute else "number",
        log=spec.log,
        cap=spec.cap,
        weight=spec.weight,
        order=tuple(attribute.order or ()) if attribute else (),
    )


def read_limits(lake: Lake, model_run_id: str, *, segments: int) -> list[float]:
    """Return the 99th percentile of each segment's training distances, which nobody of the training far exceeds."""
    customers = lake.store.count(ASSIGNMENTS, model_run_id)
    found = find_limits(lake.reader(customers), model_run_id, share=LIKE_SHARE)
    return [found.get(segment, math.inf) for segment in range(segments)]


def check_frozen(run: Run) -> None:
    """Hold the configuration against the frozen model: every column that the model needs is one that it computes.

    Raises
    ------
    ModelError
        If it is not, or the model was saved by a version that kept no constants.
    """
    assert run.scored_with is not None  # only a score has a frozen model
    needed = constants_of(run, run.scored_with).columns
    if not needed:
        raise ModelError(f"--model {run.scored_with}", expected="a run with the table preparation", found="none; run it again")
    shares = computed_shares(run.read_model_rows(RUNS)[0])
    chosen = {name for name, spec in run.config.features.use.items() if spec.role == "cluster"}
    if run.config.features.category_shares is not None:
        chosen |= set(shares)
    if lacking := sorted(needed - chosen):
        raise ModelError(
            f"--model {run.scored_with}", expected=f"a configuration that clusters on {', '.join(lacking)}", found="it does not"
        )
