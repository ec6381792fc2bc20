"""Customers as this run and the model of the run before place them: of frames as frames, of tables of Arrow as such."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F

from segmentation.assign.movement import PAID, POINT, carried, find_bounds, mark_far, place_by_model, place_by_steps
from segmentation.clustering.placing import Constants
from segmentation.errors import ModelError
from segmentation.frames import Customers
from segmentation.money import as_money, paid_by
from segmentation.readings import steps_of


def carry(members: Customers, *, revenue: str | None) -> Customers:
    """Return members with ``PAID``, their revenue (null where it is no feature), frames with ``POINT`` (array) too."""
    if isinstance(members, pa.Table):
        return members.append_column(PAID, paid_by(members, revenue))
    amount = as_money(revenue) if revenue is not None and revenue in members.columns else F.lit(None).cast("decimal(28,6)")
    return members.withColumns({PAID: amount, POINT: vector_to_array(F.col("features"))})


def label_own(now: Customers) -> Customers:
    """Return ``customer_id``, ``segment_id``, ``revenue`` and ``point`` of members of ``carry``."""
    if isinstance(now, pa.Table):
        return now.select(["customer_id", "segment_id", PAID, "features"]).rename_columns({PAID: "revenue", "features": "point"})
    return now.select("customer_id", "segment_id", *carried())


def label_alike(now: Customers, *, is_known: bool) -> Customers:
    """Return ``label_own`` with ``mid_id``, this run's segment where the former model is its own, and nobody ``is_far``."""
    own = label_own(now)
    if isinstance(own, pa.Table):
        mid = own["segment_id"] if is_known else pa.nulls(len(own), pa.int32())
        return own.append_column("mid_id", mid).append_column("is_far", pa.array(np.zeros(len(own), dtype=bool)))
    mid_id = F.col("segment_id") if is_known else F.lit(None).cast("int")
    return own.select("*", mid_id.alias("mid_id"), F.lit(False).alias("is_far"))


def label_again(
    now: Customers, model: Constants, load: Callable[[], PipelineModel], reach: Mapping[int, float]
) -> Customers | None:
    """Return ``label_own`` with the former model's segment and who lies beyond its reach; None where it cannot tell.

    Parameters
    ----------
    now : of ``carry``; a table with every column that the former model needs
    load : of a model that is not the nearest centre's, which only places frames
    reach : of the former model's segments, scaled units
    """
    if isinstance(now, pa.Table):
        placed, squares = model.place(model.points(now))
        bounds = find_bounds(reach)
        bound = np.array([bounds.get(one, math.inf) for one in range(len(model.centers))])
        labelled: pa.Table = label_own(now)
        labelled = labelled.append_column("mid_id", pa.array(placed))
        return labelled.append_column("is_far", pa.array(np.sqrt(squares) > bound[placed]))
    steps = steps_of(model)
    try:
        # By the constants there is no need to load the model, at two Spark jobs for each of its stages.
        frame = place_by_model(now, load(), model.centers) if steps is None else place_by_steps(now, steps)
    except (ModelError, PySparkException, ValueError):  # removed to save room, or it needs other features
        return None
    return mark_far(frame, reach)
