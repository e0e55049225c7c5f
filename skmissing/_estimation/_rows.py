"""Labels, weights and groups of a classifier, checked once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from .._utils._warn import warn_user
from ..exceptions import UnobservedModalityWarning
from ..modalities._multimodal_data import MultimodalData


@dataclass
class TrainingRows:
    """The rows that count: those with a weight above zero.

    Attributes
    ----------
    data : MultimodalData of n rows
        The blocks.
    y : ndarray of int64 of shape (n,)
        Indices into ``classes``.
    classes : ndarray of shape (n_classes,)
        The sorted labels.
    weight : ndarray of float64 of shape (n,)
        Sample weight times class weight, with mean 1.
    groups : ndarray of shape (n,) or None
        Groups that stay together in splits.
    kept : ndarray of bool of shape (n_given,)
        Which of the rows given these are.
    """

    data: MultimodalData
    y: np.ndarray
    classes: np.ndarray
    weight: np.ndarray
    groups: np.ndarray | None
    kept: np.ndarray

    def prior(self) -> np.ndarray:
        """Weighted share of each class, shape (n_classes,)."""
        mass = np.bincount(self.y, self.weight, minlength=len(self.classes))
        return mass / mass.sum()


def check_training_rows(
    estimator: Any,
    data: MultimodalData,
    y: Any,
    sample_weight: Any = None,
    groups: Any = None,
    class_weight: Any = None,
) -> TrainingRows:
    """Validate what goes with X in ``fit`` and drop rows of weight zero.

    Parameters
    ----------
    estimator : estimator instance
        Named in messages.
    data : MultimodalData of n rows
        The validated X.
    y : array of shape (n,)
        Labels of any type.
    sample_weight : array of shape (n,), default=None
        Not negative.
    groups : array of shape (n,), default=None
        Group labels.
    class_weight : dict, "balanced" or None
        Multiplies the weights of the rows of a class.

    Returns
    -------
    TrainingRows

    Raises
    ------
    ValueError
        For labels that are not classes, one class only, wrong lengths, bad weights.
    """
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            "the target y is None."
        )
    n = len(data)
    y = column_or_1d(y, warn=True)
    if len(y) != n:
        raise ValueError(f"Got y of length {len(y)}, expected {n}, the rows of X.")
    if pd.isna(y).any():
        raise ValueError(
            f"Input y contains NaN. Got y with {int(pd.isna(y).sum())} missing labels, "
            "expected a label for every row."
        )
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise ValueError(
            "Input y contains infinity or a value too large for its dtype. Got "
            f"{int(np.isinf(y).sum())} infinite labels, expected class labels."
        )
    if type_of_target(y) == "continuous":
        raise ValueError(
            "Unknown label type: continuous. Got y with real numbers, expected class "
            "labels."
        )
    check_classification_targets(y)
    weight = check_weights(sample_weight, n)
    if groups is not None:
        groups = column_or_1d(groups)
        if len(groups) != n:
            raise ValueError(
                f"Got groups of length {len(groups)}, expected {n}, the rows of X."
            )
    kept = weight > 0
    if not kept.all():
        # A row of weight zero must leave no trace: not in statistics, classes, splits.
        data, y, weight = data[kept], y[kept], weight[kept]
        groups = None if groups is None else groups[kept]
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"Got one class only in y ({classes[0]!r}), expected at least two classes."
        )
    codes = codes.astype(np.int64)
    weight = weight * class_factors(class_weight, classes, codes, weight)[codes]
    if not weight.sum() > 0:
        raise ValueError(
            f"Got class_weight={class_weight!r}, expected a positive weight for at "
            "least one class in y."
        )
    return TrainingRows(data, codes, classes, weight / weight.mean(), groups, kept)


def check_weights(sample_weight: Any, n: int) -> np.ndarray:
    """Sample weights as float64; ones for None.

    Parameters
    ----------
    sample_weight : scalar, array of shape (n,) or None
        The weights.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of float64 of shape (n,)
    """
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.ndim == 0:
        weight = np.full(n, float(weight))
    if weight.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar. Got sample_weight of shape "
            f"{weight.shape}, expected ({n},)."
        )
    if weight.shape != (n,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n,)}! Got one weight "
            "too many or too few."
        )
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError(
            "Got negative, infinite or NaN values in sample_weight, expected finite "
            "numbers that are not negative."
        )
    if not weight.sum() > 0:
        raise ValueError(
            "Got sample_weight with zeros only, expected at least one positive weight."
        )
    return weight


def class_factors(
    class_weight: Any, classes: np.ndarray, codes: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Factor of each class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        As in scikit-learn; "balanced" gives every class the same total weight.
    classes : ndarray of shape (n_classes,)
        The labels.
    codes : ndarray of int of shape (n,)
        Class index of each row.
    weight : ndarray of shape (n,)
        Sample weights. "Balanced" counts them, so that a weight of 2 is two rows.

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str):
        mass = np.bincount(codes, weight, minlength=len(classes))
        return mass.sum() / (len(classes) * mass)
    for label, factor in class_weight.items():
        if not (isinstance(factor, int | float | np.number) and 0 <= factor < np.inf):
            raise ValueError(
                f"Got class_weight={factor!r} for {label!r}, expected a finite number "
                "that is not negative."
            )
    listed = set(class_weight)
    unknown = [label for label in class_weight if label not in set(classes.tolist())]
    # Labels that a fold lacks are fine; next to a class without a factor they are
    # more likely misspelt.
    if unknown and not listed.issuperset(classes.tolist()):
        raise ValueError(
            f"The classes, {unknown}, are not in class_weight. Got class_weight for "
            f"{unknown[0]!r}, expected labels among {classes.tolist()}."
        )
    return np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])


def warn_unobserved(names: Sequence[str], observed: Sequence[str]) -> None:
    """Warn about each modality that no training row has.

    Parameters
    ----------
    names : sequence of str
        All modalities.
    observed : sequence of str
        Those that some training row has.
    """
    for name in names:
        if name not in observed:
            warn_user(
                f"Got no training row with the modality {name!r}; it is ignored at "
                "prediction.",
                UnobservedModalityWarning,
            )
