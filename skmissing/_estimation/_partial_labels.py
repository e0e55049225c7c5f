"""Labels some of which may be missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.exceptions import DataConversionWarning

from .._utils._warn import warn_user
from ..exceptions import ManyClassesWarning
from ._vectors import narrow, plain, read_vector

# Whole numbers with more classes than this may be a quantity.
MANY_CLASSES = 20
# A class with fewer rows than this can hardly be learnt.
FEW_ROWS = 5
# Share of such classes from which on there is a warning.
MANY_RARE = 0.1


def read_labels(y, n: int | None = None) -> np.ndarray:
    """Labels as one dimension; a single column is accepted as scikit-learn does."""
    if getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
        warn_user(
            "A column-vector y was passed when a 1d array was expected. Please change "
            "the shape of y to (n_samples, ), for example using ravel().",
            DataConversionWarning,
        )
    return read_vector("y", y, n)


def known_labels(y, n: int) -> np.ndarray:
    """Which labels are known, bool of shape (n,); all of them if y is None."""
    if y is None:
        return np.ones(n, dtype=bool)
    return ~np.asarray(pd.isna(read_labels(y, n)), dtype=bool)


def labels_of(y, rows: np.ndarray) -> np.ndarray:
    """Labels of some rows, none of them missing, in their natural type."""
    return narrow("y", read_labels(y)[rows])


def check_like_classes(y: np.ndarray, classes: np.ndarray) -> None:
    """Refuse text where the classes are numbers, and numbers where they are text."""
    numbers = [values.dtype.kind in "biuf" for values in (y, classes)]
    if numbers[0] != numbers[1]:
        raise ValueError(
            f"Got y with labels such as {plain(y[0])!r}, expected labels like those of "
            f"fit, such as {plain(classes[0])!r}."
        )


def label_codes(y, known: np.ndarray) -> np.ndarray:
    """Number of each label's class, 0 where the label is missing."""
    codes = np.zeros(len(known), dtype=np.intp)
    if y is not None and known.any():
        codes[known] = 1 + np.unique(labels_of(y, known), return_inverse=True)[1]
    return codes


def warn_many_classes(classes: np.ndarray, codes: np.ndarray) -> None:
    """Warn where whole numbers look like a quantity rather than classes."""
    k = len(classes)
    # Beyond half of the rows scikit-learn has its own warning.
    if classes.dtype.kind not in "fiu" or not MANY_CLASSES < k <= len(codes) / 2:
        return
    rare = int((np.bincount(codes, minlength=k) < FEW_ROWS).sum())
    if rare > MANY_RARE * k:
        warn_user(
            f"Got {k} classes of whole numbers in y for {len(codes)} rows, {rare} of "
            f"them with fewer than {FEW_ROWS} rows, expected classes that can be "
            "learnt; if y is a quantity such as an age, cut it into few classes.",
            ManyClassesWarning,
        )
