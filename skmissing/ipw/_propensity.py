"""How likely each row was to be observed, and the weight that makes up for it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from .._estimation._folds import observed_rows
from .._estimation._partial_labels import known_labels
from .._estimation._resampling import effective_sample_size
from .._estimation._rows import check_weights
from .._utils._random import local_random_state
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import HasMethods, _fit_context
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from ._covariate_source import CovariateSource
from ._covariates import CovariateTable
from ._diagnostics import PropensityDiagnostics
from ._propensity_model import HeldOut, PropensityModel, check_clip, propensity_bounds


class PropensityWeighter(TransformerMixin, PropensityDiagnostics, BaseEstimator):
    """Weights that let the observed rows stand for all rows.

    Models the probability that all ``required`` modalities (and the label) of a row
    are there, given covariates that are always there. The inverse of that
    *propensity* is the weight of an observed row; a row that is not observed weighs 0.

    Parameters
    ----------
    estimator : classifier, default=None
        Anything with ``fit`` and ``predict_proba``; it gets the covariates coded as
        numbers, filled and standardised. None: a logistic regression whose ridge
        penalty has the smallest cross-validated log-loss (on at most 20,000 rows).
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    covariates : list of str, or column selector, default=None
        Names of modalities and labels of columns. None: the columns that are in no
        modality, and every modality that all rows have.
    required : list of str, or list of lists of str, default=None
        Modalities that make a row observed. None: all of them. A list of lists asks
        for one propensity per list, and the outputs have one column for each.
    use_target : bool, default=False
        Let the propensity depend on the label too. Only where it is always known; it
        is then needed wherever a propensity is.
    stabilized : bool, default=True
        Multiply the weights by the overall observed rate, so that those of the
        observed rows have mean 1.
    clip : (float, float) or float, default=None
        A pair bounds the propensity that the weights are made of. A number q below 1
        cuts the weights at their q-quantile among the observed rows of ``fit``. None
        leaves every weight as it is.
    cv : int, splitter or None, default=None
        Cross-fitting: ``propensity_`` and the weights of ``fit_transform`` come from
        models that have not seen the row (its group, where ``groups`` are given), and
        so do the diagnostics and scores of rows of ``fit``. An int asks for that many
        shuffled folds. Other methods, and other rows, use one model of all rows.
    random_state : int, RandomState instance or None, default=None
        Draws folds, and the rows on which the penalty is chosen.

    Attributes
    ----------
    propensity_ : ndarray of shape (n_samples,) or (n_samples, n_sets)
        Propensity of each row of ``fit``, before clipping; out of fold with ``cv``.
    observed_ : ndarray of bool of shape (n_samples,) or (n_samples, n_sets)
        Which rows of ``fit`` are observed.
    observed_rate_ : float or ndarray of shape (n_sets,)
        Weighted share of observed rows.
    effective_sample_size_ : float or ndarray of shape (n_sets,)
        :math:`(\\sum w)^2 / \\sum w^2` of the observed rows of ``fit``.
    n_clipped_ : int or ndarray of shape (n_sets,)
        Rows of ``fit``, observed or not, whose propensity lies outside the bounds.
    clip_bounds_ : (float, float) or list of them
        Bounds on the propensity.
    models_ : list of classifier or None
        The propensity model of each required set; None where the marginal rate does.
    required_ : list of list of str
        The required sets.
    covariate_names_ : list of str
        Columns that the models see.
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
        In ``fit``, if no row is observed, for unknown names, a required modality among
        the covariates, a missing label with ``use_target=True``, an infinite
        covariate; wherever an observed row would get an infinite weight.

    Warns
    -----
    NoCovariateWarning
        If there is no covariate: missingness is then taken to be completely at random.
    OverlapWarning
        If many propensities are nearly 0, some are exactly 0 or 1, or a few weights
        decide everything; with figures.
    MissingCovariateWarning
        If a covariate is missing at prediction that was always there in ``fit``.

    See Also
    --------
    IPWMultimodalClassifier : Trains and scores with these weights.
    modality_utility : What each modality adds, for the whole population.

    Notes
    -----
    With o = 1 for an observed row and covariates C, the propensity is
    :math:`\\pi(C) = P(o = 1 \\mid C)`, and the weight of an observed row
    :math:`1 / \\pi(C)`, times :math:`P(o = 1)` if stabilised (:cite:t:`icym2i`, whose
    code always stabilises although the text does not). The weights correct
    under two assumptions. *Missing at random*: given C, being observed depends neither
    on the modalities nor on the label. *Positivity*: every kind of row is observed at
    times. No data can prove the first; :func:`sensitivity_bounds` says how much it
    matters. The second shows in ``overlap`` and ``balance``.

    Covariates of any type are taken: numbers, booleans, dates (as days), categories and
    text (one column per level, for the 100 most frequent). A missing value becomes the
    training mean or the most frequent level, with a column that says so if there were
    any in ``fit``. Rows of ``sample_weight`` 0 leave no trace.

    Examples
    --------
    Of two bits the second is observed in 80% of the rows where the first is 1, and in
    20% of the others.

    >>> from skmissing import PropensityWeighter
    >>> from skmissing.datasets import make_bitwise
    >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    >>> weighter = PropensityWeighter(random_state=0).fit(X)
    >>> weighter.covariate_names_
    ['x1__0']
    >>> weighter.transform(X)[:4].round(2).ravel().tolist()
    [0.62, 0.62, 0.0, 0.62]
    >>> weighter.balance(X).round(2)[["smd_before", "smd_after"]]
           smd_before  smd_after
    x1__0         0.6        0.0
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "modalities": [dict, list, tuple, None],
        "covariates": [list, tuple, str, slice, callable, np.ndarray, pd.Index, None],
        "required": [list, tuple, str, None],
        "use_target": ["boolean"],
        "stabilized": ["boolean"],
        "clip": [tuple, list, float, Integral, None],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        modalities: Any = None,
        covariates: Any = None,
        required: Any = None,
        use_target: bool = False,
        stabilized: bool = True,
        clip: Any = None,
        cv: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.modalities = modalities
        self.covariates = covariates
        self.required = required
        self.use_target = use_target
        self.stabilized = stabilized
        self.clip = clip
        self.cv = cv
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None
    ) -> PropensityWeighter:
        """Model which rows are observed.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Observed and unobserved rows.
        y : array of shape (n_samples,), default=None
            Labels. A row whose label is missing (NaN, None) counts as not observed.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. A row of weight 0 counts as absent.
        groups : array of shape (n_samples,), default=None
            Rows of one group stay together in cross-fitting and tuning.

        Returns
        -------
        self
        """
        check_clip(self.clip)
        data = check_multimodal(self, X, self.modalities, reset=True, numeric=False)
        n = len(data)
        weight = check_weights(sample_weight, n)
        if groups is not None and len(groups) != n:
            raise ValueError(
                f"Got groups of length {len(groups)}, expected {n}, the rows of X."
            )
        kept = weight > 0
        self.required_, self._several = resolve_required(self.required, data.names)
        observed = self._observed(data, y)
        for i, names in enumerate(self.required_):
            if not (observed[:, i] & kept).any():
                raise ValueError(
                    f"Got no row with all of the modalities {names}"
                    f"{'' if y is None else ' and a label'}, expected at least one."
                )
        self._source = CovariateSource(
            self, data, X, kept, self.required_, y if self.use_target else None
        )
        self._table = CovariateTable()
        design = self._table.fit_transform(
            self._source.take(self, data, X, y if self.use_target else None), weight
        )
        self.covariate_names_ = list(self._table.names_)
        rng = local_random_state(self.random_state)
        self._fitted = []
        for i in range(len(self.required_)):
            model = PropensityModel(self.estimator, self.cv, self.required_[i])
            groups_here = None if groups is None else np.asarray(groups)
            seed = int(rng.randint(2**31 - 1))
            self._fitted.append(
                model.fit(design, observed[:, i], weight, groups_here, seed)
            )
        self.models_ = [m.model_ for m in self._fitted]
        self._held_out = [
            HeldOut(design, m, observed[:, i], kept) for i, m in enumerate(self._fitted)
        ]
        self._settle(observed, weight)
        self._warn_poor_overlap(kept)
        return self

    def _settle(self, observed: np.ndarray, weight: np.ndarray) -> None:
        """Bounds, weights and figures of the rows of fit."""
        propensity = np.column_stack([m.propensity_ for m in self._fitted])
        kept = weight > 0
        rate = weight @ observed / weight.sum()
        self._rate = rate
        self._bounds = [
            propensity_bounds(
                self.clip, propensity[:, i], observed[:, i] & kept, weight
            )
            for i in range(len(rate))
        ]
        w = self._weights(propensity, observed)
        outside = np.column_stack(
            [
                kept & ((p < low) | (p > high))
                for p, (low, high) in zip(propensity.T, self._bounds)
            ]
        )
        self._training = (propensity, observed, weight, w)
        self.propensity_ = self._shape(propensity)
        self.observed_ = self._shape(observed)
        self.observed_rate_ = self._shape(rate)
        self.n_clipped_ = self._shape(outside.sum(axis=0))
        self.clip_bounds_ = self._bounds if self._several else self._bounds[0]
        self.effective_sample_size_ = self._shape(
            np.array([effective_sample_size(c * weight) for c in w.T])
        )

    def _observed(self, data: MultimodalData, y: Any) -> np.ndarray:
        known = known_labels(y, len(data))
        return np.column_stack([observed_rows(data, r) & known for r in self.required_])

    def _shape(self, values: np.ndarray) -> Any:
        """One column, or one number, where a single set is asked for."""
        if self._several:
            return values
        values = values[..., 0]
        return values.item() if values.ndim == 0 else values

    def predict_propensity(self, X: Any, y: Any = None) -> np.ndarray:
        """Probability of being observed, before clipping.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels, needed with ``use_target=True`` only.

        Returns
        -------
        ndarray of float64 of shape (n_samples,) or (n_samples, n_sets)
            By the models of all rows of ``fit``.
        """
        return self._shape(self._read(X, y)[1])

    def sample_weight(self, X: Any, y: Any = None) -> np.ndarray:
        """Weight of each row, 0 where it is not observed.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; a row whose label is missing gets weight 0. None: all are known.

        Returns
        -------
        ndarray of float64 of shape (n_samples,) or (n_samples, n_sets)
        """
        data, propensity = self._read(X, y)
        return self._shape(self._weights(propensity, self._observed(data, y)))

    def transform(self, X: Any) -> np.ndarray:
        """Weight of each row as a column, labels taken as known.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_sets)
        """
        data, propensity = self._read(X, None)
        return self._weights(propensity, self._observed(data, None))

    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None
    ) -> np.ndarray:
        """Fit, and weigh the same rows; out of fold with ``cv``.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Observed and unobserved rows.
        y : array of shape (n_samples,), default=None
            Labels; a row whose label is missing gets weight 0.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. They shape the propensities; the output is not multiplied.
        groups : array of shape (n_samples,), default=None
            Rows of one group stay together in cross-fitting and tuning.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_sets)
        """
        self.fit(X, y, sample_weight, groups)
        return self._training[3].copy()

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the output columns.

        Parameters
        ----------
        input_features : object, default=None
            Ignored.

        Returns
        -------
        ndarray of str
            ``ipw_weight``, or one ``ipw_weight_<modalities>`` per required set.
        """
        check_is_fitted(self)
        if not self._several:
            return np.array(["ipw_weight"], dtype=object)
        names = ["ipw_weight_" + "_".join(r) for r in self.required_]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


def resolve_required(required: Any, names: list[str]) -> tuple[list[list[str]], bool]:
    """The required sets.

    Parameters
    ----------
    required : None, str, list of str or list of lists of str
        The parameter; None means all modalities.
    names : list of str
        The modalities.

    Returns
    -------
    sets : list of list of str
        At least one.
    several : bool
        Whether more than one set may be meant, so that outputs have a column for each.
    """
    if required is None:
        return [list(names)], False
    given: Sequence[Any] = [required] if isinstance(required, str) else required
    several = any(not isinstance(r, str) for r in given)
    if several:
        sets = [[s] if isinstance(s, str) else list(s) for s in given]
    else:
        sets = [list(given)]
    for one in sets:
        if not one:
            raise ValueError(
                "Got an empty list in required, expected at least one modality."
            )
        for name in one:
            if name not in names:
                raise ValueError(
                    f"Got the unknown modality {name!r} in required, expected some of "
                    f"{names}."
                )
    return sets, several


def make_weighter(
    template: PropensityWeighter | None, X: Any, modalities: Any, required: list[str]
) -> PropensityWeighter:
    """A clone of the user's weighter for one required set.

    Parameters
    ----------
    template : PropensityWeighter or None
        What it leaves open is filled in.
    X : {array, DataFrame, MultimodalData}
        The data.
    modalities : mapping, list or None
        Columns of each modality.
    required : list of str
        Modalities that make a row observed.

    Returns
    -------
    PropensityWeighter
        Not fitted.
    """
    # A fixed seed: otherwise a default fit would not be repeatable at all.
    weighter = (
        PropensityWeighter(random_state=0) if template is None else clone(template)
    )
    # Blocks of a container that no model uses are covariates.
    if weighter.modalities is None and not isinstance(X, MultimodalData):
        weighter.set_params(modalities=modalities)
    if weighter.required is None:
        weighter.set_params(required=list(required))
    return weighter
