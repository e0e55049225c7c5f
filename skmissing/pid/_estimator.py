"""Partial information decomposition of modalities, from rows of data."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._estimation._folds import cross_fit_folds, observed_rows
from .._estimation._partial_labels import known_labels, labels_of
from .._estimation._rows import check_weights
from .._utils._checks import N_JOBS
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed, local_random_state
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import HasMethods, Interval, StrOptions, _fit_context
from ..ipw._propensity import PropensityWeighter
from ..modalities._validation import check_multimodal
from ._discrete import DiscreteTables, StatePosterior, check_states, choose_method
from ._posterior import PosteriorTables
from ._posterior_models import SourceModel
from ._resampling import MethodFit, Repeats, Tables, bootstrap, permute, plug_in_bias
from ._results import PIDResults, Uncertainty
from ._sources import CompleteCases, Source, find_complete_cases, resolve_sources, union
from ._stacking import calibrate, tilt
from .coupling import CouplingTables


@stores_parameters
class PIDEstimator(PIDResults, BaseEstimator):
    """Unique, redundant and synergistic information of modalities about a label.

    The information that two sources have about the label is split into what only the
    first has, what only the second has, what both have, and what only both together
    have. The target is always the label y; a source is a modality or several.

    Parameters
    ----------
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    sources : sequence of str or of sequences of str, default=None
        What is decomposed, for example ``("ecg", ("labs", "text"))``: the name of a
        source of several modalities is theirs joined by ``+``. None: every modality is
        a source. Of more than two, each is held against all others together.
    method : {"auto", "exact", "posterior", "coupling"}, default="auto"
        "exact" counts the distinct rows of each source, of any type: for discrete
        modalities. "posterior" replaces each source by the posterior of the label
        given it, which keeps all parts but the synergistic one, and takes the joint
        information from a classifier of all sources. "coupling" starts from the same
        posteriors and lets nets find the coupling of single rows, which is slower, see
        Notes; it is there for comparison. "auto" is "exact" if the number of distinct
        joint rows times the number of classes less one is at most a tenth of the
        effective number of rows; else "posterior".
    estimator : classifier, default=None
        A template with ``predict_proba``, not for "exact". One clone learns the
        posterior of each source, one that of all together. None: a combination of
        ridge-logistic regression, additive splines, a kernel, boosted trees and, for
        sources with an image or a series and if torch is there, a
        :class:`~skmissing.baselines.FusionClassifier`, see Notes.
    n_bins : int or "auto", default="auto"
        States of each source after its posterior was quantised. "auto" takes more for
        more rows and for more informative sources, from 2 to 40. For "posterior" only.
    cv : int, splitter or iterable, default=5
        Folds, not for "exact"; each used row is in one test set. An int is stratified
        by class and splits the used rows. Others split all rows of X, and models are
        trained on the training rows that they name.
    propensity : PropensityWeighter, default=None
        Template of the model of missingness: the used rows are weighted so that they
        stand for all rows. None: they are taken as they are.
    unit : {"bits", "nats"}, default="bits"
        Of every information, that of ``score`` included.
    n_bootstraps : int, default=0
        Resamples of the rows (or groups) for standard errors and intervals.
    n_permutations : int, default=0
        Shuffles of the labels for p-values, at least 19 to reach 0.05. Not for
        "coupling".
    confidence_level : float, default=0.9
        Of the intervals.
    n_jobs : int, default=None
        Folds, resamples and shuffles at once; results do not depend on it.
    verbose : int, default=0
        1 shows a progress bar of resamples and shuffles.
    random_state : int, RandomState instance or None, default=None
        Draws folds, models, resamples and shuffles.

    Attributes
    ----------
    unique_ : dict of str to float
        Unique information by source. Of more than two, against all others together.
    redundant_ : dict of (str, str) to float
        Information that both sources of a pair have, by the names of the two; of more
        than two sources the second one are all others, their names joined by ``+``.
        The second name of a single source is "".
    synergistic_ : dict of (str, str) to float
        Information that only both together have; likewise.
    redundant, synergistic : float
        The value of the only pair; AttributeError for more than two sources.
    mutual_information_ : dict of str to float
        Information of each source, and of all together under ``"joint"``: the estimate,
        raised by at most its standard error where a pair of sources has more.
    learners_ : DataFrame
        Held-out log-loss of every learner of every source (and of "joint") and of the
        class prior, the best one of each source first: ``weight`` is its mean power in
        the combination, ``margin`` how much larger the log-loss of the next one is,
        with ``std_error``. In ``unit``; without rows with "exact".
    raw_ : DataFrame
        The values before they were moved to what is possible, see Notes.
    duality_gap_ : float
        Certified bound on the error of the solver, of the worst pair. With "coupling"
        the minimum for the posteriors at hand is at most that much below the estimate.
    marginal_violation_ : float
        Largest error of a marginal of a solution.
    method_ : {"exact", "posterior", "coupling"}
        The method used.
    sources_ : list of tuple of str
        Modalities of each source.
    held_out_information_ : dict of str to float
        Held-out information of the model of each source and ``"joint"``; empty with
        "exact".
    n_bins_ : dict of str to int
        States of each source; with "coupling" its distinct rows.
    n_used_ : int
        Rows with all sources and a label.
    effective_sample_size_ : float
        Of the weights of these rows.
    propensity_ : PropensityWeighter or None
        The fitted model of missingness.
    null_distribution_ : ndarray of shape (n_permutations, n_quantities) or None
        Plain values after shuffling, in the order of the rows of ``to_frame``.
    bootstrap_distribution_ : ndarray of shape (n_bootstraps, n_quantities) or None
        Plain values of resamples.
    classes_ : ndarray of shape (n_classes,)
        Labels of the used rows, sorted.
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
        In ``fit``, for unknown sources, if the rows with all sources and a label are
        none or of one class, for test sets that are no partition, for training sets
        that hold no used row or one of the test set, with "exact" for a source in which
        four fifths of the rows have a state of their own, and whatever the propensity
        raises.

    Warns
    -----
    skmissing.exceptions.SparseStatesWarning
        With "exact", for fewer rows than "auto" asks for; for text that names rows.
    skmissing.exceptions.UncertifiedWarning
        If the certified gap of a solution exceeds 1e-9 bit ("coupling": 0.02 bit), with
        its value.

    See Also
    --------
    skmissing.pid.broja : Decomposes a table of probabilities.
    skmissing.PropensityWeighter : The weights.

    Notes
    -----
    *Definition.* With sources :math:`X_1, X_2` and :math:`I^*` the smallest information
    about Y that any coupling of the pairs :math:`(Y, X_1)` and :math:`(Y, X_2)` allows
    (see :func:`~skmissing.pid.broja`), :math:`U_1 = I^* - I(Y; X_2)`,
    :math:`U_2 = I^* - I(Y; X_1)`, :math:`R = I(Y; X_1) + I(Y; X_2) - I^*` and
    :math:`S = I(Y; X_1, X_2) - I^*`. A single source has all its information as unique.

    *Rows.* Only rows that have every source and a label are used, with the weight
    ``sample_weight`` times that of ``propensity`` (:cite:t:`icym2i`), whose
    ``required`` is the union of the sources unless set. Blocks that are not sources may
    serve as covariates. Only ratios of weights matter, and integer weights equal
    repeated rows except in what depends on the effective number of rows,
    :math:`(\\sum w)^2 / \\sum w^2`: ``"auto"``, the correction of bias
    boosted trees, and the kernel, which is made of some of the rows.

    *exact.* Weighted shares of the distinct rows go to the solver. A missing feature is
    a level of its own. In a sample, sources are more informative about the label than
    in the population: estimates of information are biased upwards, by about
    :math:`(n_x - 1)(K - 1) / (2 n \\ln 2)` bits for :math:`n_x` states and K classes.
    This first-order bias (Miller and Madow's, by occupied cells, with the effective
    number of rows) is subtracted; the column ``plain`` of ``to_frame`` has the values
    without a correction. :math:`I^*` has no such formula. Its excess in halves of the
    rows, in the mean of 8 halves, is subtracted from it, and the corrected parts follow
    from these corrected values, so that they add up. ``value`` is moved to 0 or above,
    and ``raw`` is not. Over samples of 300 to 10,000 rows of gates, random tables and
    noise of 5 x 5 states the mean absolute bias of a part falls from 0.007 to 0.003
    bit, and its root mean square error from 0.014 to 0.013. One unique part is at least
    :math:`|I(Y; X_1) - I(Y; X_2)|`, which is above 0 by chance even where both parts
    are 0: that bias falls with the root of n only, and about a quarter to four fifths
    of it are removed; the interval of the bootstrap accounts for it too. The halves
    take 8 solutions of each pair, milliseconds each up to 20 x 20 states.

    *Default learners.* Penalties, numbers of trees and the powers of the learners are
    chosen for each fold by the log-loss on the held-out rows of the others. Powers are
    not negative, and none at all is the class prior: noise has 0 bit. The joint model
    has the posteriors of each source as learners too. Wide tables have fewer learners:
    splines up to 60 columns, kernels up to 1,000, fewer or no trees where columns times
    classes exceed 1,600. Levels of text with at least 10 rows (the 100 most frequent)
    have an indicator, the others share one; free text is encoded by its words (TF-IDF,
    or 50 components of it); dates become days in UTC.

    *posterior.* (1) Models that were not trained on a row, nor on its group, give its
    posteriors for each source and for all. They are taken relative to the class totals
    of their training rows, so that folds compare, and raised to a power (a temperature)
    chosen by log-loss on the held-out rows of the other folds. (2) Those of each source
    are cut into bins of equal weight, for more than two classes into clusters (k-means
    of square roots). All of them are held out, and no label takes part in the cut. (3)
    The weighted shares of bin and label go to the solver, and the bias of these tables
    is treated as above, with the same bins in the halves; a bias of the models stays.
    (4) The joint information is
    :math:`\\sum_i w_i \\log_2 (q_i(y_i) / p(y_i)) / \\sum_i w_i` with held-out
    posteriors q and weighted class shares p, a lower bound in expectation. It can be
    negative for noise, or less than :math:`I^*`; the joint information is then
    raised to :math:`I^*`, but by no more than its standard error. If :math:`I^*` is
    still larger, all parts of the tables are scaled down to it, so that the parts
    always add up to the joint information and never exceed it. All pairs share one
    joint information. ``raw`` has the estimates before that.

    *coupling.* The estimator of :cite:t:`icym2i` with its defects removed. For each
    class y the coupling of two rows is proportional to
    :math:`\\exp(s_y \\langle f_1(x_1)_y, f_2(x_2)_y \\rangle)`, with a learned scale
    and two small nets of the features and log-odds that have 10 outputs per class, and
    is scaled to the marginals in log space; the gradient is that of the fixed point.
    The posteriors are those of step (1), multiplied by one factor per class such that
    both sources have the same class totals, so that a coupling exists. Equal rows count
    as one. More than 192 of them are divided into problems of about that size, each
    with the same share of every layer of posteriors, and the parts are means over all
    problems. Nets are started three times and trained on some problems; the best is
    chosen on others. For two and three classes its parts agree with those of "exact"
    (gates) and "posterior" (smooth posteriors, thousands of rows) to about 0.01 bit;
    for five classes a difference of 0.043 bit was found and is not explained. The lower
    bound of the gap comes from dual ascent. The joint information is that of
    "posterior". Resamples keep the nets. 20,000 distinct rows of two classes take two
    minutes.

    *Shuffling.* The labels of the used rows are permuted, with "posterior" within
    folds. Models and weights are kept; temperatures, bins, tables and solutions are
    computed again. A small p-value indicates that the value would be surprising if the
    label had nothing to do with any source. It is not evidence that one part differs
    from 0 while others are large; use intervals for that. Rows count as independent
    here.

    *Bootstrap.* Rows or groups are drawn from all rows, the propensities are refitted
    with their tuned settings, and the same steps are repeated. Intervals contain
    ``confidence_level`` of the resamples, are moved by twice their bias, so that they
    may lie below a plug-in value that is due to chance, and end at 0 and at the
    logarithm of the number of classes.

    *Differences from the paper.* (1) The columns of unique information of the published
    table of gates (:cite:t:`icym2i`) are swapped: the 0.44 bit of AND and the 0.34 of
    XOR among complete rows are unique to x2, whose AUC is the inflated one. The
    authors' code names them so, and the exact values are 0.439 and 0.278, of x2. (2)
    Its estimator is a net that finds the coupling; "exact" and "posterior" solve for
    it. (3) On two-valued features the published net depends on its seed: its inputs are
    standardised within a batch, where a function of two values has no gradient, and the
    signs of the first weights decide (for OR, two of five seeds came near the truth).
    On continuous features it learns: at 4,000 rows of a mixture with a known answer its
    largest error was 0.016 to 0.020 bit. "coupling" does not depend on the seed in
    either case. (4) Its code clips each part at 0, and its table has a redundant
    information of -0.07; here parts are at least 0 and add up. (5) Values in brackets
    of the paper are deviations over batches, here of resamples.

    The setting of the paper for the gates, except for its single split of the rows:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skmissing import PIDEstimator, PropensityWeighter
    >>> net = MLPClassifier(
    ...     hidden_layer_sizes=(32, 32), activation="relu", solver="adam", alpha=0.0,
    ...     batch_size=1024, learning_rate_init=1e-3, max_iter=100, early_stopping=True,
    ...     validation_fraction=1 / 9, n_iter_no_change=4,
    ... )
    >>> paper = PIDEstimator(
    ...     sources=("x1", "x2"), method="coupling",
    ...     estimator=make_pipeline(StandardScaler(), net),
    ...     propensity=PropensityWeighter(
    ...         LogisticRegression(C=1.0, max_iter=10_000), covariates=["x1"],
    ...         stabilized=True,
    ...     ),
    ...     unit="bits", n_bootstraps=0, n_permutations=0, random_state=42,
    ... )

    :ref:`The page of claims <claims-icym2i>` compares the results of the paper with
    ours.

    Examples
    --------
    The label is the AND of two bits. The second is mostly observed where the first is
    1, which makes it look unique; the truth is 0, 0, 0.311 and 0.5.

    >>> from skmissing import PIDEstimator, PropensityWeighter
    >>> from skmissing.datasets import make_bitwise
    >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    >>> for propensity in (None, PropensityWeighter(random_state=0)):
    ...     pid = PIDEstimator(propensity=propensity).fit(X, y)
    ...     parts = [*pid.unique_.values(), pid.redundant, pid.synergistic]
    ...     print(pid.method_, [round(part, 2) for part in parts])
    exact [0.0, 0.43, 0.18, 0.36]
    exact [0.0, 0.0, 0.31, 0.49]
    """

    modalities: Any = None
    sources: Any = None
    method: str = "auto"
    estimator: Any = None
    n_bins: int | str = "auto"
    cv: Any = 5
    propensity: PropensityWeighter | None = None
    unit: str = "bits"
    n_bootstraps: int = 0
    n_permutations: int = 0
    confidence_level: float = 0.9
    n_jobs: int | None = None
    verbose: int = 0
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "modalities": [dict, list, tuple, None],
        "sources": [list, tuple, str, None],
        "method": [StrOptions({"auto", "exact", "posterior", "coupling"})],
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "n_bins": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "propensity": [HasMethods(["fit", "sample_weight"]), None],
        "unit": [StrOptions({"bits", "nats"})],
        "n_bootstraps": [Interval(Integral, 0, None, closed="left")],
        "n_permutations": [Interval(Integral, 0, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "n_jobs": N_JOBS,
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(self, X, y, sample_weight=None, groups=None) -> PIDEstimator:
        """Estimate the decomposition.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The modalities; any may be missing in any row.
        y : array of shape (n_samples,)
            Class labels of any type; NaN, None or ``pandas.NA`` where missing.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. A row of weight 0 counts as absent.
        groups : array of shape (n_samples,), default=None
            Rows of one group stay together in folds and resamples.

        Returns
        -------
        self
        """
        data = check_multimodal(self, X, self.modalities, reset=True, numeric=False)
        self.sources_ = resolve_sources(self.sources, data.names)
        if self.method == "coupling" and self.n_permutations:
            raise ValueError(
                f"Got n_permutations={self.n_permutations} with method='coupling', "
                "expected 0: nets that learned one coupling are no null for another; "
                "take method='posterior' for p-values."
            )
        cases = find_complete_cases(
            self,
            X,
            data,
            self.sources_,
            y=y,
            sample_weight=sample_weight,
            groups=groups,
        )
        rng = local_random_state(self.random_state)
        rows = cases.rows
        self._pairs, self._joint = cases.pairs, union(cases.pairs[0])
        self.classes_ = rows.classes
        self._log_prior = np.log(rows.prior)
        self.propensity_ = cases.weighter
        self.n_used_ = len(rows)
        self.effective_sample_size_ = rows.ess
        self.method_ = choose_method(self.method, rows, self._joint)
        if self.method_ == "exact":
            check_states(rows, self.sources_)
            fit = fit_exact(cases)
        else:
            fit = fit_posterior(self, cases, rng)
        self._log_ratio = fit.log_ratio
        bias = plug_in_bias(cases, fit.found)
        null = drawn = None
        if self.n_permutations:
            repeats = Repeats(self.n_permutations, self.n_jobs, self.verbose, rng)
            null = permute(fit, rows, repeats)
        if self.n_bootstraps:
            frozen = None
            if cases.weighter is not None:
                frozen = cases.weighter.frozen(X, y, cases.all_rows.weight)
            repeats = Repeats(self.n_bootstraps, self.n_jobs, self.verbose, rng)
            drawn = bootstrap(fit, cases, frozen, repeats)
        self._store(fit, Uncertainty(bias, null, drawn))
        return self

    def score(self, X, y, sample_weight=None) -> float:
        """Information of the joint model about the labels of other rows.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Rows without a label or without one of the sources do not count.
        y : array of shape (n_samples,)
            Labels.
        sample_weight : array of shape (n_samples,), default=None
            Multiplied with the weights of ``propensity``.

        Returns
        -------
        float
            Mean of :math:`\\log (q(y) / p(y))` in the unit of the estimator, with the
            joint posterior q and the class shares p of ``fit``: at most the joint
            information in expectation, and negative for a model that is worse than
            none.
        """
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False, numeric=False)
        known = known_labels(y, len(data))
        weight = check_weights(sample_weight, len(data))
        weight = weight * (observed_rows(data, self._joint) & known)
        if self.propensity_ is not None:
            weight = weight * self.propensity_.sample_weight(X, y)
        rows = weight > 0
        if not rows.any():
            raise ValueError(
                f"Got no row with a label and all of the modalities {[*self._joint]}, "
                "expected at least one to score."
            )
        labels = labels_of(y, rows)
        codes = pd.Index(self.classes_).get_indexer(pd.Index(labels))
        if (codes < 0).any():
            raise ValueError(
                f"Got the label {labels[codes < 0].tolist()[0]!r} in y, expected those "
                f"of fit, {self.classes_.tolist()}."
            )
        posterior = tilt(self._log_ratio(data[rows]), 1.0, self._log_prior)
        gain = posterior[np.arange(len(codes)), codes] - self._log_prior[codes]
        nats = weight[rows] @ gain / weight[rows].sum()
        return float(nats if self.unit == "nats" else nats / np.log(2.0))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.target_tags.required = True
        return tags


def fit_exact(cases: CompleteCases) -> MethodFit:
    """Count distinct rows."""
    rows, pairs = cases.rows, cases.pairs
    tables = DiscreteTables(rows.data, pairs, len(rows.classes))
    found = tables.evaluate(rows.y, rows.weight)
    return MethodFit(tables, found, None, StatePosterior(rows, union(pairs[0])), [])


def fit_posterior(
    estimator, cases: CompleteCases, rng: np.random.RandomState
) -> MethodFit:
    """Cross-fit posteriors, and decompose through bins or couplings of them."""
    rows, all_rows, pairs = cases.rows, cases.all_rows, cases.pairs
    folds = cross_fit_folds(
        estimator.cv, rows.y, cases.index, all_rows.groups, all_rows.data, rng
    )
    seed = draw_seed(rng)
    joint = union(pairs[0])
    template = estimator.estimator
    models: dict[Source, SourceModel] = {}
    wanted = [s for pair in pairs if pair[1] for s in pair]
    # Parts before wholes; the joint model comes last.
    for source in sorted(dict.fromkeys([*wanted, joint]), key=len):
        parts = sorted(s for s in models if set(s) < set(source))
        inside = [models[s] for s in parts] if template is None else None
        models[source] = SourceModel(
            template, source, rows, folds, seed, inside, n_jobs=estimator.n_jobs
        )
    log_ratio = {source: model.log_ratio for source, model in models.items()}
    joint_model = models[joint].fit_all()
    tables: Tables
    if estimator.method_ == "coupling":
        tables = CouplingTables(log_ratio, folds.fold, pairs, rows.groups, rows, seed)
        found = tables.evaluate(rows.y, rows.weight, certify=True)
    else:
        n_bins = estimator.n_bins
        tables = PosteriorTables(log_ratio, folds.fold, pairs, rows.groups, n_bins)
        found = tables.evaluate(rows.y, rows.weight)
    # For rows that are not among these, so all of them have a say.
    exponent = calibrate(
        log_ratio[joint], folds.fold, rows.y, rows.weight, np.log(rows.prior)
    )
    tilted = replace(joint_model, exponent=float(exponent.mean()))
    reports = [model.report() for model in models.values()]
    return MethodFit(tables, found, folds.fold, tilted, reports)
