"""One model per pattern of present modalities."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from .._estimation._classifier_mixin import MultimodalClassifierMixin
from .._estimation._inner_estimators import (
    FlatTable,
    a_row_for_each,
    accepts_nan,
    fit_weighted,
)
from .._estimation._rows import LabelledRows, check_training_rows, warn_unobserved
from .._estimation._table_scaler import TableScaler
from .._utils._checks import N_JOBS
from .._utils._parameters import stores_parameters
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import HasMethods, StrOptions, _fit_context
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal

# Total weight of the rows of the default estimator, whatever their number: its ridge
# penalty is then 1e-3 of the mean loss, and a weight of 2 is the same as two rows.
DEFAULT_MASS = 1000.0

Pattern = tuple[str, ...]


class PatternModel(NamedTuple):
    """The model of a pattern: its columns, and the number of its training rows."""

    pattern: Pattern
    table: FlatTable
    model: Any
    n_rows: int


@stores_parameters
class PatternClassifier(MultimodalClassifierMixin, BaseEstimator):
    """One model per pattern of present modalities, of any kind.

    For each pattern of the training rows, and for each modality alone, a clone of
    ``estimator`` is fitted on the flat columns of these modalities. A row whose pattern
    has a model is predicted by it; for any other row the model of the largest pattern
    that the row contains is used.

    Parameters
    ----------
    estimator : classifier, default=None
        A template that is cloned for each pattern. None: a logistic regression with
        a ridge penalty of 1e-3 of the mean loss, on standardised features. Those with
        values more than 6 standard deviations from their mean are ranked (normal
        scores), and those with 5% of NaN or more get an indicator of it.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    training_rows : {"available", "exact"}, default="available"
        Rows on which the model of a pattern is fitted: all that have at least its
        modalities, or only those that have exactly these. A single modality that no
        row (or only one class) has alone gets all its rows in either case.
    class_weight : dict, "balanced" or None, default=None
        Factors on the weights of the rows of each class.
    n_jobs : int, default=None
        Models fitted at once, by joblib.

    Attributes
    ----------
    estimators_ : dict of tuple of str to classifier
        Fitted models by pattern.
    n_rows_ : dict of tuple of str to int
        Rows that each was fitted on.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted share of each class; predicted for rows without any modality.
    modality_names_in_ : ndarray of str
        Names of the modalities seen in ``fit``.
    modality_shapes_in_ : dict of str to tuple of int
        Shape of one row of each modality.
    n_features_in_ : int
        Columns of a 2-D X, number of modalities of a MultimodalData.
    feature_names_in_ : ndarray of str
        Only for data frames with string column names.

    Raises
    ------
    ValueError
        In ``fit``, for unusable data, or if no pattern has rows of two classes.
    TypeError
        If sample weights are given and ``estimator`` takes none.

    See Also
    --------
    FusionClassifier : One net for all patterns.

    Notes
    -----
    These are the reduced-feature models of :cite:t:`saar2007handling`. Blocks with a
    shape are passed flat. Missing features inside a present block are passed as NaN if
    the estimator's tags allow NaN, else they get their training mean. Sample
    weights are scaled to mean 1 over the rows of a model, so that only their ratios
    matter.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = MultimodalData({
    ...     "a": y[:, None] + rng.normal(size=(200, 3)),
    ...     "b": y[:, None] + rng.normal(size=(200, 5)),
    ... })
    >>> X = X.hide({"b": rng.random(200) < 0.5})
    >>> clf = PatternClassifier().fit(X, y)
    >>> sorted(clf.estimators_)
    [('a',), ('a', 'b'), ('b',)]
    >>> clf.n_rows_[("a",)]
    200
    """

    estimator: Any = field(default=None, kw_only=False)
    modalities: Any = None
    training_rows: str = "available"
    class_weight: Any = None
    n_jobs: int | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "modalities": [dict, list, tuple, None],
        "training_rows": [StrOptions({"available", "exact"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "n_jobs": N_JOBS,
    }

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(self, X, y, sample_weight=None, groups=None) -> PatternClassifier:
        """Fit a model for every pattern.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The modalities; any may be missing in any row.
        y : array of shape (n_samples,)
            Class labels of any type.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. A row of weight 0 counts as absent.
        groups : array of shape (n_samples,), default=None
            Passed to the models of the patterns if ``estimator`` takes groups, as a
            search over folds of groups does; else ignored.

        Returns
        -------
        self
        """
        data = check_multimodal(self, X, self.modalities, reset=True)
        rows = check_training_rows(
            self, data, y, sample_weight, groups, self.class_weight
        )
        data, names = rows.data, np.asarray(rows.data.names, dtype=object)
        warn_unobserved(names.tolist(), names[data.present.any(axis=0)].tolist())
        shown = np.unique(data.present, axis=0)
        wanted = np.unique(
            np.concatenate([shown, np.eye(len(names), dtype=bool)]), axis=0
        )
        jobs, patterns = [], []
        for pattern in wanted[wanted.any(axis=1)]:
            chosen = np.asarray(data.present[:, pattern].all(axis=1))
            exact = (data.present == pattern).all(axis=1)
            # One modality alone is what every other pattern may have to fall back to,
            # so it keeps all its rows where too few have only this one.
            if self.training_rows == "exact" and (
                pattern.sum() > 1 or len(np.unique(rows.y[exact])) > 1
            ):
                chosen = exact
            if len(np.unique(rows.y[chosen])) < 2:
                continue
            patterns.append(tuple(names[pattern]))
            jobs.append(rows.take(chosen))
        if not jobs:
            raise ValueError(
                "Got no pattern of modalities whose rows have two classes, expected at "
                "least one to fit a model on."
            )
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_pattern)(self.estimator, pattern, job)
            for pattern, job in zip(patterns, jobs)
        )
        # No dict: keys of several names cannot be written to every kind of file.
        self._models = [
            PatternModel(pattern, table, model, len(job))
            for pattern, (table, model), job in zip(patterns, fitted, jobs)
        ]
        self.classes_ = rows.classes
        self.class_prior_ = rows.prior
        return self

    @property
    def estimators_(self) -> dict[Pattern, Any]:
        """Fitted models by pattern."""
        return {m.pattern: m.model for m in self._models}

    @property
    def n_rows_(self) -> dict[Pattern, int]:
        """Rows that each was fitted on."""
        return {m.pattern: m.n_rows for m in self._models}

    def _best_pattern(self, have: set[str]) -> int | None:
        """The largest fitted pattern inside ``have``; with more rows if tied."""
        inside = [
            (len(m.pattern), m.n_rows, m.pattern, i)
            for i, m in enumerate(self._models)
            if have.issuperset(m.pattern)
        ]
        return max(inside)[-1] if inside else None

    def _split_by_model(self, data: MultimodalData) -> dict[int | None, np.ndarray]:
        """Rows that each model predicts; None: those that no model can."""
        kinds, member = np.unique(data.present, axis=0, return_inverse=True)
        rows: dict[int | None, np.ndarray] = {}
        for k, kind in enumerate(kinds):
            best = self._best_pattern({n for n, p in zip(data.names, kind) if p})
            own = member.reshape(-1) == k
            rows[best] = rows[best] | own if best in rows else own
        return rows

    def _answerable(self, data: MultimodalData) -> np.ndarray:
        none = self._split_by_model(data).get(None)
        return np.ones(len(data), dtype=bool) if none is None else ~none

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        # Some classes may be missing in the rows of a pattern.
        out = np.zeros((len(data), len(self.classes_)))
        for number, rows in self._split_by_model(data).items():
            _, table, model, _ = self._models[cast(int, number)]
            columns = np.searchsorted(self.classes_, model.classes_)
            proba = model.predict_proba(table.transform(data[rows]))
            proba = a_row_for_each(model, proba, int(rows.sum()))
            out[np.ix_(rows, columns)] = proba
        with np.errstate(divide="ignore"):
            return np.log(out)


def _fit_pattern(
    estimator, pattern: Pattern, rows: LabelledRows
) -> tuple[FlatTable, Any]:
    """Fit a clone on the flat columns of one pattern."""
    weight = rows.normalised().weight
    if estimator is None:
        model = make_pipeline(TableScaler(), LogisticRegression(max_iter=1000))
        passed = weight * (DEFAULT_MASS / weight.sum())
    else:
        model, passed = clone(estimator), weight
    keeps_nan = estimator is None or accepts_nan(model)
    table = FlatTable(list(pattern), keeps_nan).fit(rows.data, weight)
    X, y = table.transform(rows.data), rows.classes[rows.y]
    return table, fit_weighted(model, X, y, passed, rows.groups)
