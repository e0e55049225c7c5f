"""How likely each row was to be observed, and the weight that makes up for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from .._estimation._folds import observed_rows
from .._estimation._partial_labels import known_labels, read_labels
from .._estimation._resampling import effective_sample_size
from .._estimation._rows import check_groups, check_weights
from .._estimation._tuned_logistic import WeightedTable
from .._utils._checks import N_JOBS, choose_names, is_count
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed, local_random_state
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import HasMethods, Interval, _fit_context
from .._utils._warn import warn_user
from ..exceptions import NoCovariateWarning, OverlapWarning
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from . import _diagnostics
from ._chunked_table import (
    ChunkedTable,
    CovariateReader,
    iter_transformed,
    learn_by_chunks,
)
from ._covariates import CovariateSource, CovariateTable
from ._propensity_model import (
    FrozenPropensity,
    PropensityModel,
    check_clip,
    propensity_bounds,
)


class _Read(NamedTuple):
    """What a fitted weighter finds in rows; columns are required sets."""

    propensity: np.ndarray
    observed: np.ndarray
    design: np.ndarray


@stores_parameters
class PropensityWeighter(TransformerMixin, BaseEstimator):
    """Weights with which the observed rows represent all rows.

    Models the probability that all ``required`` modalities (and the label) of a row
    are observed, given covariates that are always observed. The inverse of this
    *propensity* is the weight of an observed row; other rows have weight 0.

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
        modality, and every modality that all rows have, but for what identifies rows:
        text with a level of its own for most rows, whole numbers that count the rows,
        free text, the column that is passed as ``groups``, and a copy of y.
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
    n_jobs : int, default=None
        Required sets whose models are fitted at once, or folds of a single one.
    random_state : int, RandomState instance or None, default=None
        Draws folds, and the rows on which the penalty is chosen.

    Attributes
    ----------
    required_ : list of list of str
        The required sets; attributes have one column or entry for each.
    propensity_ : ndarray of shape (n_samples, n_sets)
        Propensity of each training row, before clipping; out of fold with ``cv``.
    observed_ : ndarray of bool of shape (n_samples, n_sets)
        Which training rows are observed.
    sample_weight_ : ndarray of shape (n_samples, n_sets)
        Weight of each training row, 0 where it is not observed; out of fold with
        ``cv``.
    observed_rate_ : ndarray of shape (n_sets,)
        Weighted share of observed rows.
    effective_sample_size_ : ndarray of shape (n_sets,)
        :math:`(\\sum w)^2 / \\sum w^2` of the observed training rows.
    n_clipped_ : ndarray of int of shape (n_sets,)
        Training rows, observed or not, whose propensity lies outside the bounds.
    clip_bounds_ : ndarray of shape (n_sets, 2)
        Bounds on the propensity.
    models_ : list of classifier or None
        The propensity model of each required set; None where the marginal rate does.
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
        the covariates, a missing label with ``use_target=True``, an infinite or complex
        covariate or one of lists, groups with missing ids; wherever an observed row
        would get an infinite weight.

    Warns
    -----
    NoCovariateWarning
        If there is no covariate: missingness is then taken to be completely at random.
    OverlapWarning
        If many propensities are nearly 0, some are exactly 0 or 1, or a few weights
        decide everything; with the numbers. On other rows, if a weight is over ten
        times the largest in ``fit``.
    IdentifierWarning
        If columns are left out of ``covariates=None`` since they identify rows; with
        their names.
    MissingCovariateWarning
        If a covariate is missing at prediction that was always there in ``fit``.

    See Also
    --------
    skmissing.IPWMultimodalClassifier : Trains and scores with these weights.
    skmissing.ipw.modality_utility : What each modality adds, for the whole population.

    Notes
    -----
    With o = 1 for an observed row and covariates C, the propensity is
    :math:`\\pi(C) = P(o = 1 \\mid C)`, and the weight of an observed row
    :math:`1 / \\pi(C)`, times :math:`P(o = 1)` if stabilised (:cite:t:`icym2i`, whose
    code always stabilises although the text does not). The weights are valid under two
    assumptions. *Missing at random*: given C, whether a row is observed depends neither
    on the modalities nor on the label. *Positivity*: every kind of row is sometimes
    observed. No data can prove the first; :func:`~skmissing.ipw.sensitivity_bounds`
    bounds its effect. Check the second with ``overlap`` and ``balance``.

    Covariates may have any type: numbers in any unit, booleans, dates, periods, times
    of day and durations (as days), categories and text (one column per level, for the
    100 most frequent). Dates are converted to UTC, whatever their zone, resolution and
    type; those without a zone are treated as UTC. A missing value becomes the training
    mean or the most frequent level, with an indicator column if there were any in
    ``fit``. Rows with ``sample_weight`` 0 have no effect.

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
    required
    x1+x2    x1__0         0.6        0.0
    """

    estimator: Any = field(default=None, kw_only=False)
    modalities: Any = None
    covariates: Any = None
    required: Any = None
    use_target: bool = False
    stabilized: bool = True
    clip: Any = None
    cv: Any = None
    n_jobs: int | None = None
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "modalities": [dict, list, tuple, None],
        "covariates": [list, tuple, str, slice, callable, np.ndarray, pd.Index, None],
        "required": [list, tuple, str, None],
        "use_target": ["boolean"],
        "stabilized": ["boolean"],
        "clip": [tuple, list, Interval(Real, 0.5, 1, closed="left"), None],
        "cv": ["cv_object"],
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
    }

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(self, X, y=None, sample_weight=None, groups=None) -> PropensityWeighter:
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
            Ids; rows of one group stay together in cross-fitting and tuning. The column
            itself is no default covariate.

        Returns
        -------
        self
        """
        check_clip(self.clip)
        data = check_multimodal(self, X, self.modalities, reset=True, numeric=False)
        weight = check_weights(sample_weight, len(data))
        groups = check_groups(groups, len(data))
        kept = weight > 0
        self.required_, self._several = resolve_required(self.required, data.names)
        observed = self._find_observed(data, y)
        for names, here in self._by_set(observed):
            if not (here & kept).any():
                raise ValueError(
                    f"Got no row with all of the modalities {names}"
                    f"{'' if y is None else ' and a label'}, expected at least one."
                )
        target = self._target(y)
        self._source = CovariateSource(self, data, X, kept)
        if target is not None:
            self._source.learn_classes(target)
        self._source.leave_out(self, data, X, y, kept, groups)
        reader = CovariateReader(self, self._source, data, X, target)
        design = self._fit_table(reader, weight)
        self.covariate_names_ = list(self._table.names_)
        rng = local_random_state(self.random_state)
        # One set has its folds to share out.
        sets, folds = (1, self.n_jobs) if len(self.required_) == 1 else (self.n_jobs, 1)
        self._models: list[PropensityModel] = Parallel(n_jobs=sets)(
            delayed(PropensityModel(self.estimator, self.cv, names, folds).fit)(
                WeightedTable(design, here, weight, groups), draw_seed(rng)
            )
            for names, here in self._by_set(observed)
        )
        for model in self._models:
            if model.model_ is None and model.rate_ < 1:
                warn_user(
                    f"Got no covariate to explain which rows have {model.required}; "
                    f"the observed rate {model.rate_:.3g} is used for all, as if they "
                    "were missing completely at random.",
                    NoCovariateWarning,
                )
        self.models_ = [m.model_ for m in self._models]
        self._settle(observed, weight)
        for names, p, here, w in self._by_set(
            self.propensity_[kept], observed[kept], self.sample_weight_[kept]
        ):
            found = _diagnostics.find_poor_overlap(p, here, weight[kept], w)
            if found:
                warn_user(
                    f"Poor overlap for {names}: {'; '.join(found)}. See overlap(X) "
                    "and balance(X).",
                    OverlapWarning,
                )
        return self

    def _fit_table(
        self, reader: CovariateReader, weight: np.ndarray
    ) -> np.ndarray | ChunkedTable:
        """Learn the coding of the covariates, and code them."""
        if self.estimator is None and reader.is_large:
            self._table = learn_by_chunks(reader, weight)
            return ChunkedTable(self._table, reader)
        self._table = CovariateTable()
        return self._table.fit_transform(reader.read(slice(None)), weight)

    def _settle(self, observed: np.ndarray, weight: np.ndarray) -> None:
        """Bounds, weights and sizes of the training rows."""
        propensity = np.column_stack([m.propensity_ for m in self._models])
        kept = weight > 0
        self.observed_rate_ = weight @ observed / weight.sum()
        bounds = [
            propensity_bounds(self.clip, p, here & kept, weight)
            for _, p, here in self._by_set(propensity, observed)
        ]
        self.clip_bounds_ = np.array(bounds)
        low, high = self.clip_bounds_.T
        outside = (propensity < low) | (propensity > high)
        self.n_clipped_ = (kept[:, None] & outside).sum(axis=0)
        self.propensity_, self.observed_ = propensity, observed
        self.sample_weight_ = self._weigh(propensity, observed)
        sizes = [effective_sample_size(w * weight) for w in self.sample_weight_.T]
        self.effective_sample_size_ = np.array(sizes)

    def _by_set(self, *tables: np.ndarray) -> Iterator[Any]:
        """Each required set, with its column of some tables."""
        return zip(self.required_, *(table.T for table in tables))

    def _find_observed(self, data: MultimodalData, y) -> np.ndarray:
        known = known_labels(y, len(data))
        return np.column_stack([observed_rows(data, r) & known for r in self.required_])

    def _squeeze(self, values: np.ndarray) -> np.ndarray:
        """One vector where ``required`` is not a list of lists."""
        return values if self._several else values[:, 0]

    def _reader(self, data: MultimodalData, X, y) -> CovariateReader:
        return CovariateReader(self, self._source, data, X, self._target(y))

    def _design(self, data: MultimodalData, X, y) -> np.ndarray:
        """Standardised covariates of any rows, shape (n, n_columns)."""
        covariates = self._reader(data, X, y).read(slice(None))
        return self._table.transform(covariates, len(data))

    def _target(self, y) -> np.ndarray | None:
        """Labels that are a covariate, None where they are not."""
        if self.use_target and y is None:
            raise ValueError(
                "Got y=None with use_target=True, expected the labels of all rows: the "
                "propensity depends on them."
            )
        return read_labels(y) if self.use_target else None

    def _read(
        self, X, y, out_of_fold: bool = False, with_design: bool = False
    ) -> _Read:
        """Propensities of any rows, and whether they are observed."""
        check_is_fitted(self)
        self._target(y)
        data = check_multimodal(self, X, self.modalities, reset=False, numeric=False)
        observed = self._find_observed(data, y)
        # No model needs covariates, so none have to be there.
        design = np.empty((len(data), 0))
        reader = self._reader(data, X, y)
        modelled = any(m.model_ is not None for m in self._models)
        if modelled and not with_design and reader.is_large:
            propensity = np.empty(observed.shape)
            for part, table in iter_transformed(self._table, reader):
                propensity[part] = self._predict(table, observed[part], out_of_fold)
            return _Read(propensity, observed, design)
        if with_design or modelled:
            design = self._design(data, X, y)
        propensity = self._predict(design, observed, out_of_fold)
        return _Read(propensity, observed, design)

    def _predict(
        self, design: np.ndarray, observed: np.ndarray, out_of_fold: bool
    ) -> np.ndarray:
        """Propensities of rows whose covariates are coded, shape (n, n_sets)."""
        found = [
            model.predict(design, here if out_of_fold else None)
            for model, here in zip(self._models, observed.T)
        ]
        return np.column_stack(found)

    def _weigh(self, propensity: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Weights of rows whose propensities are known, shape (n, n_sets)."""
        out = np.zeros(propensity.shape)
        for i, (low, high) in enumerate(self.clip_bounds_):
            p, here = np.clip(propensity[:, i], low, high), observed[:, i]
            never = here & (p <= 0)
            if never.any():
                raise ValueError(
                    f"Got a propensity of exactly 0 for {int(never.sum())} observed "
                    f"rows (the first is row {int(np.flatnonzero(never)[0])}), "
                    "expected positive ones; use a smoother estimator or clip."
                )
            scale = self.observed_rate_[i] if self.stabilized else 1.0
            out[here, i] = scale / p[here]
        return out

    def _warn_of_far_rows(self, weights: np.ndarray) -> None:
        """Warn of weights far above those in fit: the model extrapolates."""
        for names, new, seen in self._by_set(weights, self.sample_weight_):
            far = new > _diagnostics.FAR_WEIGHT * seen.max()
            if far.any():
                warn_user(
                    f"Got weights of up to {new.max():.2g} for {names} in "
                    f"{int(far.sum())} rows, where the largest in fit is "
                    f"{seen.max():.2g}: these rows are far from those of fit. "
                    "Choose clip.",
                    OverlapWarning,
                )

    def find_observed(self, X, y=None) -> np.ndarray:
        """Which rows have everything that is required.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; rows whose label is missing are not observed. None: all are known.

        Returns
        -------
        ndarray of bool of shape (n_samples,) or (n_samples, n_sets)
        """
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False, numeric=False)
        return self._squeeze(self._find_observed(data, y))

    def predict_propensity(self, X, y=None, *, out_of_fold: bool = False) -> np.ndarray:
        """Probability of being observed, before clipping.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; needed with ``use_target=True``, and out of fold if ``fit`` had
            them.
        out_of_fold : bool, default=False
            With ``cv``, training rows get the propensity of the model that has not
            seen them. Rows are found by their covariates. False: the models of all
            training rows.

        Returns
        -------
        ndarray of float64 of shape (n_samples,) or (n_samples, n_sets)
            One column for each required set if ``required`` is a list of lists.
        """
        return self._squeeze(self._read(X, y, out_of_fold).propensity)

    def sample_weight(self, X, y=None, *, out_of_fold: bool = False) -> np.ndarray:
        """Weight of each row, 0 where it is not observed.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; a row whose label is missing gets weight 0. None: all are known.
        out_of_fold : bool, default=False
            As in :meth:`predict_propensity`.

        Returns
        -------
        ndarray of float64 of shape (n_samples,) or (n_samples, n_sets)
            One column for each required set if ``required`` is a list of lists.
        """
        read = self._read(X, y, out_of_fold)
        weights = self._weigh(read.propensity, read.observed)
        self._warn_of_far_rows(weights)
        return self._squeeze(weights)

    def transform(self, X) -> np.ndarray:
        """Weight of each row as a column, labels taken as known.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_sets)
        """
        read = self._read(X, None)
        weights = self._weigh(read.propensity, read.observed)
        self._warn_of_far_rows(weights)
        return weights

    def fit_transform(self, X, y=None, sample_weight=None, groups=None) -> np.ndarray:
        """Fit, and weight the same rows; out of fold with ``cv``.

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
        return self.fit(X, y, sample_weight, groups).sample_weight_.copy()

    def frozen(self, X, y=None, sample_weight=None) -> FrozenPropensity:
        """Propensities of the training rows that can be refitted to other weights.

        For bootstraps: the tuned settings and the folds stay as they are.

        Parameters
        ----------
        X, y, sample_weight : object
            What ``fit`` was given.

        Returns
        -------
        FrozenPropensity
            ``rows`` are the observed rows, ``weights(base, refit=True)`` their weights
            under other sample weights.

        Raises
        ------
        ValueError
            For several required sets, or other rows than those of ``fit``.
        """
        check_is_fitted(self)
        if len(self.required_) > 1:
            raise ValueError(
                f"Got a weighter of {len(self.required_)} required sets, expected one."
            )
        data = check_multimodal(self, X, self.modalities, reset=False, numeric=False)
        if len(data) != len(self.observed_):
            raise ValueError(
                f"Got X of {len(data)} rows, expected the {len(self.observed_)} rows "
                "of fit."
            )
        return FrozenPropensity(
            model=self._models[0],
            design=self._design(data, X, y),
            observed=self.observed_[:, 0]
            & (check_weights(sample_weight, len(data)) > 0),
            clip=self.clip,
            propensity=np.clip(self.propensity_[:, 0], *self.clip_bounds_[0]),
            tested=np.ones(len(data), dtype=bool),
        )

    def balance(self, X, y=None, sample_weight=None) -> pd.DataFrame:
        """Compare covariates of the observed rows with those of all rows.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; rows without one are not observed.
        sample_weight : array of shape (n_samples,), default=None
            Multiplies the weights.

        Returns
        -------
        DataFrame
            One row per covariate column: ``mean_all``, ``mean_observed``,
            ``mean_weighted``, in units of the covariate, and the standardised mean
            differences to all rows, ``smd_before`` and ``smd_after`` weighting. Beyond
            0.1 (in absolute value) after weighting, the propensity model misses
            something. The first index level, ``required``, names the required set.
        """
        read = self._read(X, y, out_of_fold=True, with_design=True)
        weights = self._weigh(read.propensity, read.observed)
        base = check_weights(sample_weight, len(weights))
        parts = []
        for names, here, w in self._by_set(read.observed, weights):
            before, after = base * here, base * w
            if before.sum() == 0:
                raise ValueError(
                    f"Got no row with all of the modalities {names}, expected at least "
                    "one."
                )
            part = _diagnostics.balance_table(
                read.design, base, before, after, self._table.scale_, self._table.mean_
            )
            parts.append(part.set_axis(self.covariate_names_, axis=0))
        return self._stack(parts)

    def overlap(self, X, y=None, sample_weight=None) -> pd.DataFrame:
        """Summarise propensities and weights.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; rows without one are not observed.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. Multiplies the weights in the effective sample size; rows of
            weight 0 are left out.

        Returns
        -------
        DataFrame
            One row per required set: numbers of rows and of observed ones, quantiles of
            the propensity, share of rows below 0.05, smallest and largest
            inverse-probability weight of the observed rows, effective sample size and
            its ratio to that of the observed rows without these weights, number of rows
            clipped.
        """
        read = self._read(X, y, out_of_fold=True)
        weights = self._weigh(read.propensity, read.observed)
        base = check_weights(sample_weight, len(weights))
        some = base > 0
        sets = self._by_set(read.propensity[some], read.observed[some], weights[some])
        rows = {
            "+".join(names): _diagnostics.overlap_record(p, here, base[some], w, bounds)
            for (names, p, here, w), bounds in zip(sets, self.clip_bounds_)
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("required")

    def calibration(
        self, X, y=None, n_bins: int = 10, sample_weight=None
    ) -> pd.DataFrame:
        """Compare propensities with the share of rows that are observed.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; rows without one are not observed.
        n_bins : int, default=10
            Bins with equal numbers of rows, sorted by propensity.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. Weights of the means and shares; rows of weight 0 are left
            out.

        Returns
        -------
        DataFrame
            ``propensity`` (mean), ``observed`` (share), ``std_error`` (of the share)
            and ``n_rows`` of each bin. The first index level, ``required``, names
            the required set.
        """
        if not is_count(n_bins):
            raise ValueError(f"Got n_bins={n_bins!r}, expected a positive integer.")
        read = self._read(X, y, out_of_fold=True)
        base = check_weights(sample_weight, len(read.propensity))
        some = base > 0
        return self._stack(
            _diagnostics.calibration_bins(p[some], here[some], n_bins, base[some])
            for _, p, here in self._by_set(read.propensity, read.observed)
        )

    def _stack(self, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
        """One table, whose first index level names the required set."""
        names = ["+".join(r) for r in self.required_]
        return pd.concat(dict(zip(names, parts)), names=["required"])

    def get_feature_names_out(self, input_features=None) -> np.ndarray:  # noqa: ARG002
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


def resolve_required(required, names: list[str]) -> tuple[list[list[str]], bool]:
    """The required sets, and whether the parameter was a list of lists."""
    if required is None:
        return [list(names)], False
    given = [required] if isinstance(required, str) else required
    several = any(not isinstance(r, str) for r in given)
    sets = given if several else [given]
    return [choose_names(one, names, "required") for one in sets], several


def make_weighter(
    template: PropensityWeighter | None, X, modalities, required: list[str]
) -> PropensityWeighter:
    """An unfitted clone of the user's weighter, open settings filled in."""
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
