"""How much each modality adds, for the whole population."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from ..._utils._checks import N_JOBS
from ..._utils._sklearn_compat import HasMethods, Interval, validate_params
from .._classifier import IPWMultimodalClassifier
from .._propensity import PropensityWeighter
from ._bootstrap import UtilityTerms
from ._study import StudySettings, UtilityStudy


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "propensity": [HasMethods(["fit", "sample_weight"]), None],
        "modalities": [dict, list, tuple, None],
        "subsets": [list, tuple, None],
        "cv": ["cv_object"],
        "n_bootstraps": [Interval(Integral, 0, None, closed="left")],
        "fold_dependence": ["boolean"],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "correct_training": ["boolean"],
        "correct_evaluation": ["boolean"],
        "doubly_robust": ["boolean"],
        "outcome_model": [HasMethods(["fit", "predict"]), None],
        "n_jobs": N_JOBS,
        "verbose": ["verbose"],
        "return_scores": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def modality_utility(
    estimator,
    X,
    y,
    *,
    propensity: PropensityWeighter | None = None,
    modalities=None,
    subsets=None,
    scoring=None,
    cv=5,
    n_bootstraps: int = 200,
    fold_dependence: bool = True,
    confidence_level: float = 0.9,
    correct_training: bool = True,
    correct_evaluation: bool = True,
    doubly_robust: bool = True,
    outcome_model=None,
    sample_weight=None,
    groups=None,
    n_jobs: int | None = None,
    verbose: int = 0,
    return_scores: bool = False,
    random_state=None,
):
    """Estimate the value of sets of modalities, and the gain of one set over another.

    A model is cross-fitted for every set of modalities. Each is evaluated on
    the rows that have the modalities, unweighted (*biased*) and weighted so that they
    represent all rows (*corrected*); gains compare two models on the same rows.

    Parameters
    ----------
    estimator : classifier or None
        As in :class:`~skmissing.IPWMultimodalClassifier`; one of these is taken with
        its own ``propensity`` and ``modalities`` where they are not given here.
    X : {array, DataFrame, MultimodalData} with n_samples rows
        Observed and unobserved rows.
    y : array of shape (n_samples,)
        Labels; NaN, None or ``pandas.NA`` where missing.
    propensity : PropensityWeighter, default=None
        Template, with ``required=None``: each set of modalities gets its own.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    subsets : list of lists of str, default=None
        Sets of modalities, or their labels such as "a+b". None: each alone, all but
        one, and all; of more than four modalities gains are then only those of all of
        them over every other set.
    scoring : str, callable, list or dict, default=None
        Metrics that take weights, by scikit-learn's names; greater is better. They are
        tried before any model is fitted. None: AUC, log-likelihood, accuracy and
        (negative) Brier score.
    cv : int or splitter, default=5
        Folds. An int asks for that many shuffled ones, stratified by label and pattern.
        A splitter with one split, such as ``ShuffleSplit(1, test_size=0.5)``, holds
        rows out: only they are evaluated, see Notes.
    n_bootstraps : int, default=200
        Resamples of rows for errors and intervals; 0 for none.
    fold_dependence : bool, default=True
        Whether errors and intervals count that each row is tested in one fold and
        trains the others, see Notes. Takes about 0.6 times as many fits again with
        five folds. With two folds it cannot be measured, and is not counted.
    confidence_level : float, default=0.9
        Of the intervals.
    correct_training, correct_evaluation : bool, default=True
        Whether the models behind ``value`` are trained, and evaluated, with weights.
        Neither is done for ``biased_value``.
    doubly_robust : bool, default=True
        Whether to model what rows contribute, for doubly robust values; their columns
        are NaN otherwise.
    outcome_model : regressor, default=None
        Models the contribution of a row to a mean-type metric, for the doubly robust
        value; has to take sample weights where there are unequal ones. None: boosted
        trees and ridge regression on a kernel, combined.
    sample_weight : array of shape (n_samples,), default=None
        Not negative; multiplied with the inverse-probability weights.
    groups : array of shape (n_samples,), default=None
        Rows of one group share a fold and are resampled together.
    n_jobs : int, default=None
        Fits, and bundles of resamples, at once.
    verbose : int, default=0
        1 reports how many sets, gains and fits there are before the first one, and
        shows progress bars where there is a terminal.
    return_scores : bool, default=False
        Also return what each row contributes, for
        :func:`~skmissing.ipw.sensitivity_bounds`.
    random_state : int, RandomState instance or None, default=None
        Draws folds and resamples. An int also settles the random numbers of an
        ``estimator`` (also the default one) that leaves its own open.

    Returns
    -------
    table : DataFrame
        One row per set and metric (``quantity`` "value"), then one per pair of sets and
        metric ("gain", of ``subset`` over ``baseline``; every pair unless ``subsets``
        says otherwise, the larger set as ``subset`` where one holds the other). Sets
        are names joined by "+".
        ``value``, ``std_error``, ``low`` and ``high`` are the corrected estimate, its
        bootstrap standard error and its interval. The same columns exist with the
        prefix ``biased_``, and with ``doubly_robust_`` for mean-type metrics.
        ``n_observed`` and ``effective_sample_size`` are the rows behind them;
        ``tipping_odds_ratio`` is the sensitivity at which a corrected gain stops being
        positive, see :func:`~skmissing.ipw.tipping_odds_ratio`; NaN without
        ``correct_evaluation``.
    scores : UtilityScores
        Only with ``return_scores=True``.

    Raises
    ------
    ValueError
        For unknown modalities, metrics without weights or that do not take the labels,
        sets that no tested row has, a ``propensity`` whose ``required`` is set, and NaN
        from a model.
    TypeError
        For unequal sample weights and an ``outcome_model`` that takes none.

    Warns
    -----
    skmissing.exceptions.FoldDependenceWarning
        If too little is left for some of the models without two folds.

    See Also
    --------
    skmissing.ipw.sensitivity_bounds : Bounds if missingness is not quite at random.
    skmissing.inspection.UtilityDisplay : Plots the table.

    Notes
    -----
    A gain of T over S is evaluated on the rows that have S and T, with the propensity
    of that union. Metrics that are not means over rows (AUC) are evaluated within folds
    and averaged. Models are fitted once; the bootstrap draws evaluation rows (or
    groups), observed and unobserved ones, refits the propensities (with their tuned
    settings) and evaluates the same predictions. So standard errors are about the
    evaluation of these models, and gains are paired.

    With several folds each row is tested in one fold and used for training in the
    others, which correlates the errors of folds. This hardly matters for a model with
    few parameters; with a forest on few, unevenly weighted rows, errors that treat
    folds as independent were up to a fifth too small (see the benchmarks). So
    additional models are fitted without two folds. How much the resampled value changes
    from row to row with their predictions shows how much of its variance comes from the
    training rows. This part counts twice, since it appears in both of two folds, and
    all errors and intervals are inflated accordingly, with five folds at most by
    :math:`\\sqrt 2`. This is an approximation, for models that are averages of some
    kind and folds of about equal size; the inflation of a doubly robust value is that
    of the weighted one. A model that draws random numbers needs a fixed
    ``random_state``; otherwise the variation between draws is included. A single split
    has no such dependence, but fewer rows for training and evaluation.

    The doubly robust value of a mean of row scores :math:`\\ell` is
    :math:`\\sum_i s_i h_i / \\sum_i s_i + \\sum_i w_i (\\ell_i - h_i) / \\sum_i w_i`
    with sample weights s, weights w of the observed rows and a model h of
    :math:`\\ell` given all that is known of every row: the covariates, the label if
    none is missing, and the predictions of models that every row has. It is
    cross-fitted: by default boosted trees and ridge regression on a kernel, the sum of
    them (and of scores that are known of all rows) with the least variance
    :cite:p:`cao2009improving`, so that a poor model does little harm. The bootstrap
    keeps these models, but not how they are summed. The value is consistent if either
    the propensities or h are right :cite:p:`robins1994estimation`, and has a smaller
    variance than the weighted mean where h predicts well. It is kept inside the limits
    of the metric.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmissing import PropensityWeighter
    >>> from skmissing.datasets import make_bitwise
    >>> from skmissing.ipw import modality_utility
    >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    >>> table = modality_utility(
    ...     LogisticRegression(), X, y, propensity=PropensityWeighter(random_state=0),
    ...     scoring="roc_auc", n_bootstraps=0, random_state=0,
    ... )
    >>> table[["subset", "baseline", "biased_value", "value"]].round(2)
      subset baseline  biased_value  value
    0     x1                   0.84   0.84
    1     x2                   0.92   0.84
    2  x1+x2                   1.00   1.00
    3     x2       x1          0.24   0.00
    4  x1+x2       x1          0.33   0.16
    5  x1+x2       x2          0.08   0.16
    """
    template = _make_template(estimator, propensity, modalities, random_state)
    settings = StudySettings(
        subsets, scoring, cv, doubly_robust, outcome_model, correct_training,
        correct_evaluation, sample_weight, groups, n_jobs, verbose, random_state,
    )  # fmt: skip
    study = UtilityStudy.check(template, X, y, settings)
    folds = study.plan.folds
    covariance = bool(fold_dependence and n_bootstraps)
    study.announce(covariance, n_bootstraps)
    study = study.model_missingness()
    fits = study.fit_models(covariance)
    terms = study.make_terms(fits, study.model_outcomes(fits))
    drawn = study.bootstrap(terms, n_bootstraps)
    table = terms.tabulate(drawn, len(folds.numbers), confidence_level)
    if not return_scores:
        return table
    return table, UtilityScores(fits.each.models, folds.fold, terms)


def _make_template(
    estimator, propensity: PropensityWeighter | None, modalities, random_state
) -> IPWMultimodalClassifier:
    """What is cloned for every set of modalities."""
    # Models that draw random numbers share them, or comparisons would hold the noise.
    seed = random_state if isinstance(random_state, Integral) else None
    if isinstance(estimator, IPWMultimodalClassifier):
        seed = seed if estimator.random_state is None else estimator.random_state
        propensity = estimator.propensity if propensity is None else propensity
        modalities = estimator.modalities if modalities is None else modalities
        estimator = estimator.estimator
    if propensity is not None and propensity.required is not None:
        raise ValueError(
            f"Got propensity with required={propensity.required!r}, expected None: "
            "each set of modalities gets a propensity of its own."
        )
    return IPWMultimodalClassifier(
        estimator, propensity=propensity, modalities=modalities, random_state=seed
    )


@dataclass(eq=False, repr=False)
class UtilityScores:
    """What each row contributes to :func:`~skmissing.ipw.modality_utility`.

    Made by that function, not by users.

    Attributes
    ----------
    models : dict of (tuple of str, str) to list of IPWMultimodalClassifier
        The fitted models by set of modalities and weighting, one per fold.
    folds : ndarray of int of shape (n_samples,)
        Fold in which each row was held out.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmissing.datasets import make_bitwise
    >>> from skmissing.ipw import modality_utility, sensitivity_bounds
    >>> X, y = make_bitwise(2000, mechanism="mar", return_X_y=True, random_state=0)
    >>> table, scores = modality_utility(
    ...     LogisticRegression(), X, y, scoring="accuracy", n_bootstraps=0,
    ...     return_scores=True, random_state=0,
    ... )
    >>> rows = scores.rows("accuracy", "x1+x2", baseline="x1")
    >>> sensitivity_bounds(rows.score, rows.propensity, odds_ratios=[1, 2]).shape
    (2, 2)
    """

    models: dict[Any, list[IPWMultimodalClassifier]]
    folds: np.ndarray
    _terms: UtilityTerms

    def rows(self, metric: str, subset, baseline=()) -> pd.DataFrame:
        """Scores of observed rows, for :func:`~skmissing.ipw.sensitivity_bounds`.

        Parameters
        ----------
        metric : str
            Name of a mean-type metric in the table. One of your own is evaluated row
            by row, and refused if its value is not the mean of these.
        subset : str or list of str
            Set of modalities.
        baseline : str or list of str, default=()
            Set that it is compared with; empty for the plain value.

        Returns
        -------
        DataFrame
            Index ``row``; columns ``score`` (a difference if there is a baseline),
            ``propensity`` and ``sample_weight``.
        """
        wanted = (_as_set(subset), _as_set(baseline), metric)
        for term in self._terms.terms:
            if (set(term.subset), set(term.baseline), term.metric) == wanted:
                break
        else:
            raise ValueError(
                f"Got subset={subset!r}, baseline={baseline!r}, metric={metric!r}, "
                "expected a row of the table."
            )
        frozen = self._terms.propensities.get(term.union)
        if frozen is None:
            raise ValueError(
                f"Got subset={subset!r} and baseline={baseline!r}, expected sets that "
                "some row has together."
            )
        values = term.row_values(frozen.rows)
        if values is None:
            raise ValueError(
                f"Got metric={metric!r}, expected a mean over rows such as 'accuracy'."
            )
        return pd.DataFrame(
            {
                "score": values,
                "propensity": frozen.propensity[frozen.rows],
                "sample_weight": self._terms.weight[frozen.rows],
            },
            index=pd.Index(frozen.rows, name="row"),
        )


def _as_set(names) -> set[str]:
    if not isinstance(names, str) or not names:
        return set(names)
    return {part.strip() for part in names.split("+")}
