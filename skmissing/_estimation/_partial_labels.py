"""Labels some of which may be missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d


def check_length(name: str, values: np.ndarray, n: int) -> np.ndarray:
    """The values, if there is one for each row."""
    if len(values) != n:
        raise ValueError(
            f"Got {name} of length {len(values)}, expected {n}, the rows of X."
        )
    return values


def known_labels(y, n: int) -> np.ndarray:
    """Which labels are known, bool of shape (n,); all of them if y is None."""
    if y is None:
        return np.ones(n, dtype=bool)
    values = check_length("y", _one_dimensional(y), n)
    return ~np.asarray(pd.isna(values), dtype=bool)


def labels_of(y, rows: np.ndarray) -> np.ndarray:
    """Labels of some rows, none of them missing, in their natural type.

    An object array that held None beside integers becomes one of integers.
    """
    values = _one_dimensional(y)[rows]
    return np.array(values.tolist()) if values.dtype == object else values


def label_codes(y, known: np.ndarray) -> np.ndarray:
    """Number of each label's class, 0 where the label is missing."""
    codes = np.zeros(len(known), dtype=np.intp)
    if y is not None and known.any():
        codes[known] = 1 + np.unique(labels_of(y, known), return_inverse=True)[1]
    return codes


def _one_dimensional(y) -> np.ndarray:
    if isinstance(y, pd.Series) and not isinstance(y.dtype, np.dtype):
        y = y.astype(object).to_numpy()
    return column_or_1d(y, warn=True, dtype=None)
