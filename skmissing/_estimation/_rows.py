"""Labels, weights and groups of a classifier, checked once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Number

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets

from .._utils._sklearn_compat import _check_sample_weight
from .._utils._warn import warn_user
from ..exceptions import UnobservedModalityWarning
from ..modalities._multimodal_data import MultimodalData
from ._partial_labels import known_labels, labels_of, read_labels, warn_many_classes
from ._resampling import effective_sample_size
from ._vectors import count_missing, narrow, plain, read_vector


@dataclass(frozen=True)
class LabelledRows:
    """Rows with all that belongs to them, so that none of it travels alone.

    Attributes
    ----------
    data : MultimodalData of n rows
        The blocks.
    y : ndarray of int64 of shape (n,)
        Indices into ``classes``, -1 where the label is missing or the weight is 0.
    classes : ndarray of shape (n_classes,)
        The sorted labels.
    weight : ndarray of float64 of shape (n,)
        Weights.
    groups : ndarray of shape (n,) or None
        Rows of one group stay together in splits.
    """

    data: MultimodalData
    y: np.ndarray
    classes: np.ndarray
    weight: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def labelled(self) -> np.ndarray:
        """Rows that count and have a label, bool of shape (n,)."""
        return self.y >= 0

    @property
    def prior(self) -> np.ndarray:
        """Weighted share of each class, shape (n_classes,)."""
        mass = np.bincount(self.y, self.weight, minlength=len(self.classes))
        return mass / mass.sum()

    @property
    def ess(self) -> float:
        """Kish's effective number of rows."""
        return effective_sample_size(self.weight)

    def take(self, rows: np.ndarray) -> LabelledRows:
        """Some rows, by a mask or by their numbers."""
        if rows.dtype == bool and rows.all():
            return self
        groups = None if self.groups is None else self.groups[rows]
        return LabelledRows(
            self.data[rows], self.y[rows], self.classes, self.weight[rows], groups
        )

    def normalised(self) -> LabelledRows:
        """The same rows with weights of mean 1."""
        return replace(self, weight=self.weight / self.weight.mean())


def _require_y(estimator, y) -> None:
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            "the target y is None."
        )


def check_training_rows(
    estimator,
    data: MultimodalData,
    y,
    sample_weight=None,
    groups=None,
    class_weight=None,
) -> LabelledRows:
    """Check labels, weights and groups in ``fit``; rows of weight zero are dropped.

    Weights come with mean 1 and are multiplied by ``class_weight``.
    """
    _require_y(estimator, y)
    n = len(data)
    y = read_labels(y, n)
    if n_missing := count_missing(y):
        raise ValueError(
            f"Input y contains NaN. Got y with {n_missing} missing labels, expected a "
            "label for every row."
        )
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    weight = check_weights(sample_weight, n)
    groups = check_groups(groups, n)
    kept = weight > 0
    # A row of weight zero must leave no trace: not in statistics, classes, splits.
    data, y, weight = data[kept] if not kept.all() else data, y[kept], weight[kept]
    groups = None if groups is None else groups[kept]
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"Got one class only in y ({plain(classes[0])!r}), expected at least two "
            "classes."
        )
    codes = codes.astype(np.int64)
    warn_many_classes(classes, codes)
    weight = weight * class_factors(class_weight, classes, codes, weight)[codes]
    if not weight.sum() > 0:
        raise ValueError(
            f"Got class_weight={class_weight!r}, expected a positive weight for at "
            "least one class in y."
        )
    return LabelledRows(data, codes, classes, weight, groups).normalised()


def check_partial_rows(
    estimator, data: MultimodalData, y, sample_weight=None, groups=None
) -> LabelledRows:
    """Check rows of which some have no label; all rows are kept, weights as given."""
    _require_y(estimator, y)
    n = len(data)
    known = known_labels(y, n)
    weight = check_weights(sample_weight, n)
    used = known & (weight > 0)
    if not used.any():
        raise ValueError("Got no label in y, expected at least two classes.")
    labelled = check_training_rows(
        estimator, data[used], labels_of(y, used), weight[used]
    )
    codes = np.full(n, -1)
    codes[used] = labelled.y
    return LabelledRows(data, codes, labelled.classes, weight, check_groups(groups, n))


def check_groups(groups, n: int) -> np.ndarray | None:
    """Group of each row; None for None. A row without an id is in no group."""
    if groups is None:
        return None
    out = read_vector("groups", groups, n)
    if n_missing := count_missing(out):
        raise ValueError(
            f"Got groups with {n_missing} missing ids, expected an id for each of the "
            f"{n} rows: rows without one would count as a single group."
        )
    return narrow("groups", out)


def check_weights(sample_weight, n: int) -> np.ndarray:
    """Sample weights as float64 of shape (n,); ones for None."""
    if sample_weight is not None and not isinstance(sample_weight, Number):
        values = read_vector("sample_weight", sample_weight)
        try:
            if values.dtype.kind in "mMc":
                raise TypeError
            sample_weight = pd.Series(values).to_numpy(np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Got sample_weight of type {values.dtype}, expected a number for each "
                f"of the {n} rows."
            ) from error
    weight = _check_sample_weight(
        sample_weight, np.empty(n), dtype=np.float64, ensure_non_negative=True
    )
    top = weight.max(initial=0.0)
    # Only ratios count; sums of these would overflow, or lose their digits.
    return weight / top if top > 0 and not 1e-200 < top < 1e200 else weight


def class_factors(
    class_weight, classes: np.ndarray, codes: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Factor of each class, shape (n_classes,).

    "balanced" counts weights, so that a weight of 2 is two rows.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str):
        mass = np.bincount(codes, weight, minlength=len(classes))
        return mass.sum() / (len(classes) * mass)
    for label, factor in class_weight.items():
        if not (isinstance(factor, int | float | np.number) and 0 <= factor < np.inf):
            raise ValueError(
                f"Got class_weight={plain(factor)!r} for {plain(label)!r}, expected a "
                "finite number that is not negative."
            )
    listed = set(class_weight)
    unknown = [plain(k) for k in class_weight if k not in set(classes.tolist())]
    # Labels missing in a fold are fine; next to a class without a factor they are
    # more likely misspelt.
    if unknown and not listed.issuperset(classes.tolist()):
        raise ValueError(
            f"The classes, {unknown}, are not in class_weight. Got class_weight for "
            f"{unknown[0]!r}, expected labels among {classes.tolist()}."
        )
    return np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])


def check_some_modality(present: np.ndarray) -> None:
    """Refuse rows of which none has any modality."""
    if not present.any():
        raise ValueError(
            "Got only rows without any modality in fit, expected at least one row with "
            "one."
        )


def observed_names(data: MultimodalData) -> list[str]:
    """The modalities that some row has; at least one."""
    check_some_modality(data.present)
    seen = np.asarray(data.present.any(axis=0))
    return [name for name, here in zip(data.names, seen) if here]


def warn_unobserved(names: Sequence[str], observed: Sequence[str]) -> None:
    """Warn about each modality that no training row has."""
    for name in names:
        if name not in observed:
            warn_user(
                f"Got no training row with the modality {name!r}; it is ignored at "
                "prediction.",
                UnobservedModalityWarning,
            )
