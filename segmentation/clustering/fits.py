"""The one shape that every solver returns, and the layout it is given. Feeds table ``grid``."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame

Centers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """The best restart of one K.

    ``centers`` has shape (effective_k, dimensions), scaled units; fewer rows than ``k`` where the customers have
    fewer distinct points. ``gain`` is the share of WSSSE that one more iteration would at least save, None unmeasured;
    ``converged`` is None where the algorithm does not say.
    """

    k: int
    seed: int
    centers: Centers
    iterations: int
    converged: bool | None
    gain: float | None = None


def count_partitions(customers: int) -> int:
    """Return the partitions of the canonical layout: by the number of customers, never by the number of cores."""
    return max(1, math.ceil(customers / 50_000))


def lay_out(frame: DataFrame, *, partitions: int) -> DataFrame:
    """Return the rows of ``frame`` (customer_id unique) in the canonical layout.

    MLlib's seeding and sums depend on what each partition holds and in which order, so both are made a function of
    the customers alone.
    """
    spread = frame.repartition(partitions, "customer_id") if partitions > 1 else frame.coalesce(1)
    return spread.sortWithinPartitions("customer_id")
