"""The scalers of numbers, by name: Spark's estimator, and what carries a scaled number back to its unit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.ml.base import Estimator
from pyspark.ml.feature import MinMaxScaler, RobustScaler, StandardScaler

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scaler:
    """A way to bring numbers to one scale.

    Attributes
    ----------
    make : the estimator for an input and an output column of vectors
    constants : of the fitted model, what it takes away from each number and what it divides it by
    needs_quartiles : it cannot scale a number whose quartiles are equal
    """

    make: Callable[[str, str], Estimator[Any]]
    constants: Callable[[Any], tuple[Vector, Vector]]
    needs_quartiles: bool = False


def _standard(source: str, target: str) -> Estimator[Any]:
    return StandardScaler(withMean=True, withStd=True, inputCol=source, outputCol=target)


def _robust(source: str, target: str) -> Estimator[Any]:
    return RobustScaler(withCentering=True, withScaling=True, relativeError=0.0001, inputCol=source, outputCol=target)


def _none(source: str, target: str) -> Estimator[Any]:
    return StandardScaler(withMean=False, withStd=False, inputCol=source, outputCol=target)


def _minmax(source: str, target: str) -> Estimator[Any]:
    return MinMaxScaler(inputCol=source, outputCol=target)


SCALERS: Mapping[str, Scaler] = {
    "standard": Scaler(_standard, lambda model: (np.asarray(model.mean), np.asarray(model.std))),
    "robust": Scaler(_robust, lambda model: (np.asarray(model.median), np.asarray(model.range)), needs_quartiles=True),
    "minmax": Scaler(
        _minmax, lambda model: (np.asarray(model.originalMin), model.originalMax.toArray() - model.originalMin.toArray())
    ),
    "none": Scaler(_none, lambda model: (np.zeros(len(model.mean)), np.ones(len(model.mean)))),
}
