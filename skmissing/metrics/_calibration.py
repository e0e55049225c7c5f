"""Whether probabilities hold for rows of every pattern."""

from __future__ import annotations

from numbers import Real

import numpy as np
import pandas as pd
from scipy.special import ndtri

from .._estimation._resampling import effective_sample_size
from .._estimation._rows import check_weights
from .._estimation._vectors import read_vector
from .._utils._tables import ResultTable
from ..missingness._read import read_blocks
from ._scored_rows import check_several


def calibration_by_pattern(
    y_true,
    y_proba,
    X,
    *,
    classes=None,
    modalities=None,
    level: float = 0.9,
    confidence_level: float = 0.9,
    sample_weight=None,
) -> pd.DataFrame:
    """Compare predicted probabilities with observed rates, for each pattern.

    Parameters
    ----------
    y_true : array of shape (n_samples,)
        Labels.
    y_proba : array of shape (n_samples, n_classes)
        Probabilities of the classes, best of rows that were held out.
    X : {array, DataFrame, MultimodalData} with n_samples rows
        The rows, for what they have.
    classes : array of shape (n_classes,), default=None
        The classes in the order of the columns. None: the sorted labels.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    level : float, default=0.9
        Probability of the sets of labels whose coverage is looked at.
    confidence_level : float, default=0.9
        Of the intervals.
    sample_weight : array of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    pandas.DataFrame
        A row for all rows together (``pattern`` is "all rows"), and one for each
        pattern that occurs, the most frequent first. ``predicted`` is the mean
        probability and ``observed`` the share of rows, with ``low`` and ``high``, that
        came true: of the second class where there are two, else of the most probable
        one. ``coverage`` is the share of rows whose label is in the smallest set of
        labels with a total probability of ``level``: at least that for probabilities
        that hold; ``set_size`` the mean number of labels in it.

    Raises
    ------
    ValueError
        For wrong shapes and numbers out of range, and for labels that are no class.
    TypeError
        For an estimator in place of labels.

    See Also
    --------
    score_by_pattern : Scores by pattern.
    sklearn.calibration.CalibrationDisplay : Calibration by probability.

    Notes
    -----
    The interval is Wilson's, with the effective number of rows for weights.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.metrics import calibration_by_pattern
    >>> X = MultimodalData({"a": np.ones(4), "b": [1, np.nan, 1, np.nan]})
    >>> proba = np.array([[0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
    >>> table = calibration_by_pattern([1, 0, 1, 0], proba, X)
    >>> table[["pattern", "n_rows", "predicted", "observed"]].round(2).values.tolist()
    [['all rows', 4, 0.6, 0.5], ['a + b', 2, 0.75, 1.0], ['a', 2, 0.45, 0.0]]
    """
    for name, value in (("level", level), ("confidence_level", confidence_level)):
        if not isinstance(value, Real) or not 0 < value < 1:
            raise ValueError(
                f"Got {name}={value!r}, expected a number between 0 and 1."
            )
    if hasattr(y_true, "predict"):
        raise TypeError(
            f"Got y_true of type {type(y_true).__name__}, expected labels: "
            "calibration_by_pattern(y, model.predict_proba(X), X)."
        )
    data, _ = read_blocks(X, modalities, "calibration_by_pattern")
    check_several("calibration_by_pattern", X, data)
    y = read_vector("y_true", y_true, len(data))
    classes = np.unique(y) if classes is None else np.asarray(classes)
    proba = np.asarray(y_proba, dtype=np.float64)
    if proba.shape != (len(data), len(classes)) or np.isnan(proba).any():
        raise ValueError(
            f"Got y_proba of shape {proba.shape}, expected a probability for each of "
            f"{len(data)} rows and {len(classes)} classes."
        )
    codes = pd.Index(classes).get_indexer(pd.Index(y))
    if (codes < 0).any():
        raise ValueError(
            f"Got {int((codes < 0).sum())} labels in y_true that are no class, "
            "expected those of classes."
        )
    weight = check_weights(sample_weight, len(data))
    records = _rows_of_interest(proba, codes, level)
    found, which = np.unique(data.present, axis=0, return_inverse=True)
    which = which.reshape(-1)
    # Ties: more modalities first.
    order = np.lexsort((-found.sum(axis=1), -np.bincount(which)))
    z = float(ndtri(0.5 + confidence_level / 2.0))
    out = [_summarise("all rows", records, weight, z)]
    for k in order:
        names = [n for n, here in zip(data.names, found[k]) if here]
        inside = which == k
        if weight[inside].any():
            label = " + ".join(names) or "none"
            out.append(_summarise(label, records[inside], weight[inside], z))
    return ResultTable(out)


def _rows_of_interest(proba: np.ndarray, codes: np.ndarray, level: float) -> np.ndarray:
    """Predicted, came true, covered and size of the set of each row."""
    n, k = proba.shape
    if k == 2:
        predicted, true = proba[:, 1], codes == 1
    else:
        predicted, true = proba.max(axis=1), codes == proba.argmax(axis=1)
    order = np.argsort(-proba, axis=1, kind="stable")
    ordered = np.take_along_axis(proba, order, axis=1)
    # A label is in the set if those before it do not reach the level; rounding aside.
    before = np.cumsum(ordered, axis=1) - ordered
    inside = before < level - 1e-12
    rank = (order == codes[:, None]).argmax(axis=1)
    covered = inside[np.arange(n), rank]
    return np.column_stack([predicted, true, covered, inside.sum(axis=1)])


def _summarise(
    pattern: str, records: np.ndarray, weight: np.ndarray, z: float
) -> dict[str, object]:
    predicted, observed, coverage, size = np.average(records, axis=0, weights=weight)
    n = effective_sample_size(weight)
    middle = (observed + z**2 / (2 * n)) / (1 + z**2 / n)
    spread = np.sqrt(observed * (1 - observed) / n + z**2 / (4 * n**2))
    half = z * spread / (1 + z**2 / n)
    return {
        "pattern": pattern, "n_rows": int((weight > 0).sum()),
        "predicted": float(predicted), "observed": float(observed),
        "low": float(max(middle - half, 0.0)), "high": float(min(middle + half, 1.0)),
        "coverage": float(coverage), "set_size": float(size),
    }  # fmt: skip
