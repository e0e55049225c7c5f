"""What each modality of a row has moved its prediction by."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.utils.validation import check_is_fitted

from .._estimation._vectors import plain
from .._utils._checks import is_count
from .._utils._random import local_random_state
from ..exceptions import EmptyRowWarning
from ..metrics._scored_rows import check_scored_rows
from ._coalitions import shapley_values

TINY = np.finfo(np.float64).epsneg


def modality_attribution(
    estimator,
    X,
    *,
    target=None,
    output: str = "probability",
    n_repeats: int = 10,
    modalities=None,
    random_state=None,
) -> pd.DataFrame:
    """Shapley values of the modalities of each row for its prediction.

    Parameters
    ----------
    estimator : classifier
        Fitted, with ``predict_proba``; any that takes X with missing modalities.
    X : {array, DataFrame, MultimodalData} with n_samples rows
        Rows to explain.
    target : label, default=None
        The class whose probability is explained. None: the second of two classes, else
        the predicted class of each row.
    output : {"probability", "log_odds"}, default="probability"
        The scale on which contributions add up.
    n_repeats : int, default=10
        With more than 6 modalities, orders in which they are shown, each with its
        reverse (at least 2). Up to 6 modalities all sets are looked at.
    modalities : mapping or list, default=None
        Columns of each modality. None: those of the estimator.
    random_state : int, RandomState instance or None, default=None
        Draws the orders.

    Returns
    -------
    pandas.DataFrame
        A row for each row of X. ``baseline`` is the prediction without any modality,
        a column for each modality has its contribution (0 where it is missing), and
        ``prediction`` is their sum. ``attrs["sampling_error"]`` is the mean standard
        error that drawn orders add, by modality; 0 where all sets are looked at.

    Raises
    ------
    ValueError, TypeError
        For an unknown class or scale, and unusable data.

    See Also
    --------
    modality_importance : The same for a score of all rows.
    skmissing.inspection.AttributionDisplay : Draws a row.
    skmissing.PRIMOClassifier : What a modality that is missing could change.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.inspection import modality_attribution
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": 4 * y[:, None] + rng.normal(size=(400, 1)),
    ...     "b": rng.normal(size=(400, 1)),
    ... })
    >>> clf = PatternClassifier().fit(X[:200], y[:200])
    >>> table = modality_attribution(clf, X[200:203])
    >>> list(table.columns)
    ['baseline', 'a', 'b', 'prediction']
    >>> bool((abs(table["a"]) > abs(table["b"])).all())
    True
    """
    check_is_fitted(estimator)
    if output not in ("probability", "log_odds"):
        raise ValueError(
            f"Got output={output!r}, expected 'probability' or 'log_odds'."
        )
    if not is_count(n_repeats):
        raise ValueError(f"Got n_repeats={n_repeats!r}, expected a positive integer.")
    classes = np.asarray(estimator.classes_)
    if target is not None and target not in classes.tolist():
        raise ValueError(
            f"Got target={plain(target)!r}, expected one of {classes.tolist()}."
        )
    n = len(X) if hasattr(X, "__len__") else X.shape[0]
    rows = check_scored_rows(
        "modality_attribution", X, np.zeros(n), [estimator], modalities
    )
    of = np.zeros(n, dtype=np.intp)
    if target is not None:
        of[:] = classes.tolist().index(target)
    elif len(classes) == 2:
        of[:] = 1
    else:
        of[:] = np.argmax(estimator.predict_proba(X), axis=1)
    known: dict[bytes, np.ndarray] = {}

    def value(kept: np.ndarray) -> np.ndarray:
        key = kept.tobytes()
        if key not in known:
            with warnings.catch_warnings():
                # Rows without any modality are asked for on purpose.
                warnings.simplefilter("ignore", EmptyRowWarning)
                hidden = rows.hide(np.tile(~kept, (n, 1)))
                proba = estimator.predict_proba(hidden)[np.arange(n), of]
            if output == "log_odds":
                # As sure as a float64 can be; differences of infinities are none.
                proba = logit(np.clip(proba, TINY, 1.0 - TINY))
            known[key] = proba
        return known[key]

    m = len(rows.names)
    found = shapley_values(
        value, m, max(2, n_repeats), local_random_state(random_state)
    )
    table = pd.DataFrame(found.values.T, getattr(X, "index", None), rows.names)
    table.insert(0, "baseline", value(np.zeros(m, dtype=bool)))
    table["prediction"] = value(np.ones(m, dtype=bool))
    error = found.sampling_error
    mean = np.zeros(m) if error is None else error.mean(axis=1)
    table.attrs["sampling_error"] = dict(zip(rows.names, mean.tolist()))
    return table
