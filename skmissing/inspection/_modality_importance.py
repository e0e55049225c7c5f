"""How much a fitted model uses each modality."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import get_scorer
from sklearn.utils.validation import check_is_fitted

from .._estimation._resampling import draw_counts, percentile_interval
from .._estimation._rows import check_groups, check_weights
from .._estimation._scoring import try_scorer
from .._utils._checks import is_count
from .._utils._random import local_random_state
from .._utils._tables import ResultTable
from ..exceptions import EmptyRowWarning
from ..metrics._answers import Answers
from ..metrics._scored_rows import ScoredRows, check_scored_rows
from ..missingness._hide import permute_block
from ._coalitions import Contributions, shapley_values

METHODS = ("shapley", "permutation", "leave_one_out")


def modality_importance(
    estimator,
    X,
    y,
    *,
    method: str = "shapley",
    scoring="accuracy",
    n_repeats: int = 10,
    n_bootstraps: int = 200,
    confidence_level: float = 0.9,
    groups=None,
    sample_weight=None,
    modalities=None,
    random_state=None,
) -> pd.DataFrame:
    """Importance of whole modalities for a fitted classifier.

    All modalities are evaluated on the same rows, X as it is: a modality that few rows
    have cannot be important for many predictions. To compare with models that are
    trained without the modality, use :func:`~skmissing.ipw.modality_utility`.

    Parameters
    ----------
    estimator : classifier
        Fitted; any that takes X with missing modalities.
    X : {array, DataFrame, MultimodalData} with n_samples rows
        Held-out rows.
    y : array of shape (n_samples,)
        Their labels.
    method : {"shapley", "permutation", "leave_one_out"}, default="shapley"
        "leave_one_out": what the score loses when the modality is hidden.
        "permutation": what it loses when the rows that have the modality swap it among
        themselves. "shapley": the mean of what it gains when the modality is shown,
        over the orders in which all are shown one after the other.
        Shapley values add up to the score with all modalities minus that with none.
    scoring : str or callable, default="accuracy"
        A scorer as in scikit-learn.
    n_repeats : int, default=10
        Permutations of each block; for "shapley" with more than 6 modalities, orders,
        each with its reverse (at least 2). Up to 6 modalities all sets are looked at.
    n_bootstraps : int, default=200
        Resamples of the rows for the intervals, the same for all modalities. 0: no
        intervals.
    confidence_level : float, default=0.9
        Level of the intervals.
    groups : array of shape (n_samples,), default=None
        Rows of one group, such as a patient, are resampled together.
    sample_weight : array of shape (n_samples,), default=None
        Weights of the rows, passed to the scorer.
    modalities : mapping or list, default=None
        Columns of each modality. None: those of the estimator.
    random_state : int, RandomState instance or None, default=None
        Draws permutations, orders and resamples.

    Returns
    -------
    pandas.DataFrame
        A row for each modality with the columns ``modality``, ``method``, ``metric``,
        ``value``, ``sampling_error`` (the standard error that permutations or orders
        add; 0 where nothing is drawn), ``n_present`` (rows that have the modality),
        and, with ``n_bootstraps``, ``std_error``, ``low`` and ``high``. The
        differences of two modalities are less uncertain than their intervals, because
        the rows are the same; ``attrs["resamples"]`` has the values of each resample,
        of shape (n_bootstraps, n_modalities), to compare them. ``attrs["score"]`` is
        the score of X as it is.

    Raises
    ------
    ValueError, TypeError
        For an unknown method, numbers out of range, wrong lengths, and metrics that do
        not take the labels.

    See Also
    --------
    modality_attribution : The same for single predictions.
    skmissing.ipw.modality_utility : The worth of a modality for the population.
    skmissing.inspection.ImportanceDisplay : Draws the table.

    Notes
    -----
    Hiding measures how well the model predicts without the modality. An early fusion
    net that was trained with modality dropout predicts sensibly then; a model that was
    trained on complete rows may not. Permuting keeps the distribution of each block but
    breaks its relation to the others, so the model predicts rows that do not exist.
    Shapley values :cite:p:`covert2020sage` divide the value that modalities have
    together among them.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.inspection import modality_importance
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": 4 * y[:, None] + rng.normal(size=(400, 1)),
    ...     "b": rng.normal(size=(400, 1)),
    ... })
    >>> clf = PatternClassifier().fit(X[:200], y[:200])
    >>> table = modality_importance(clf, X[200:], y[200:], random_state=0)
    >>> bool(table.value[0] > 0.4 > 0.05 > table.value[1])
    True
    """
    check_is_fitted(estimator)
    _check_numbers(method, n_repeats, n_bootstraps, confidence_level)
    test = check_scored_rows("modality_importance", X, y, [estimator], modalities)
    n = len(test.y)
    scorer = get_scorer(scoring)
    try_scorer(scoring, scorer, np.asarray(estimator.classes_))
    weight = None if sample_weight is None else check_weights(sample_weight, n)
    groups = check_groups(groups, n)
    rng = local_random_state(random_state)
    counts = [draw_counts(n, groups, rng) for _ in range(n_bootstraps)]
    scores = _Scores(estimator, test, scorer, weight, counts)
    whole = scores.of(test.X)
    found = _contributions(method, scores, whole, n_repeats, rng)
    return _tabulate(test, found, method, scoring, confidence_level, float(whole[0]))


class _Scores:
    """Scores of one estimator on rows, and on the resamples of them."""

    def __init__(self, estimator, test: ScoredRows, scorer, weight, counts) -> None:
        self.estimator, self.test, self.scorer = estimator, test, scorer
        self.weight = weight
        rows = np.arange(len(test.y))
        self.draws = [rows, *(np.repeat(rows, c.astype(int)) for c in counts)]
        self._known: dict[bytes, np.ndarray] = {}

    def of(self, X) -> np.ndarray:
        """Score of all rows and of each resample, NaN where it is not defined."""
        answers = Answers(self.estimator, X)
        out = np.full(len(self.draws), np.nan)
        with warnings.catch_warnings():
            # Rows without any modality are scored on purpose.
            warnings.simplefilter("ignore", EmptyRowWarning)
            for i, index in enumerate(self.draws):
                options: dict[str, Any] = {}
                if self.weight is not None:
                    options = {"sample_weight": self.weight[index]}
                try:
                    out[i] = self.scorer(answers, index, self.test.y[index], **options)
                except ValueError:
                    # A resample may lack a class.
                    if i == 0:
                        raise
        return out

    def showing(self, kept: np.ndarray) -> np.ndarray:
        """The same with the other modalities hidden."""
        key = kept.tobytes()
        if key not in self._known:
            mask = np.tile(~kept, (len(self.test.y), 1))
            self._known[key] = self.of(self.test.hide(mask))
        return self._known[key]


def _contributions(
    method: str,
    scores: _Scores,
    whole: np.ndarray,
    n_repeats: int,
    rng: np.random.RandomState,
) -> Contributions:
    test, m = scores.test, len(scores.test.names)
    if method == "shapley":
        return shapley_values(scores.showing, m, max(2, n_repeats), rng)
    if method == "leave_one_out":
        without = [scores.showing(np.arange(m) != k) for k in range(m)]
        return Contributions(whole - np.array(without), None)
    values, errors = [], []
    for k in range(m):
        rows = np.flatnonzero(test.present[:, k])
        losses = np.array(
            [
                whole
                - scores.of(
                    permute_block(
                        test.X, test.names[k], rows, rng.permutation(rows),
                        test.modalities,
                    )
                )
                for _ in range(n_repeats)
            ]
        )  # fmt: skip
        values.append(losses.mean(axis=0))
        spread = losses.std(axis=0, ddof=1) if n_repeats > 1 else np.nan * losses[0]
        errors.append(spread / np.sqrt(n_repeats))
    return Contributions(np.array(values), np.array(errors))


def _tabulate(
    test: ScoredRows,
    found: Contributions,
    method: str,
    scoring,
    level: float,
    score: float,
) -> ResultTable:
    values, error = found
    table = ResultTable(
        {
            "modality": test.names,
            "method": method,
            "metric": scoring if isinstance(scoring, str) else "score",
            "value": values[:, 0],
            "sampling_error": 0.0 if error is None else error[:, 0],
            "n_present": test.present.sum(axis=0),
        }
    )
    if values.shape[1] > 1:
        draws = values[:, 1:]
        table["std_error"] = np.nanstd(draws, axis=1, ddof=1)
        ends = percentile_interval(values[:, 0], draws.T, level)
        table["low"], table["high"] = ends
        table.attrs["resamples"] = draws.T.tolist()
    table.attrs["score"] = score
    return table


def _check_numbers(method, n_repeats, n_bootstraps, confidence_level) -> None:
    if method not in METHODS:
        raise ValueError(f"Got method={method!r}, expected one of {list(METHODS)}.")
    if not is_count(n_repeats):
        raise ValueError(f"Got n_repeats={n_repeats!r}, expected a positive integer.")
    if not isinstance(n_bootstraps, Integral) or n_bootstraps < 0 or n_bootstraps == 1:
        raise ValueError(
            f"Got n_bootstraps={n_bootstraps!r}, expected 0 or an integer from 2 on."
        )
    if not 0 < confidence_level < 1:
        raise ValueError(
            f"Got confidence_level={confidence_level!r}, expected a number between 0 "
            "and 1."
        )
