"""All results about a classifier and its missing modalities, in one call."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from .._estimation._modalities import find_modalities
from .._utils._checks import N_JOBS
from .._utils._sklearn_compat import HasMethods, Interval, validate_params
from ..ipw import PropensityWeighter
from ..missingness import patterns
from ..persistence._versions import current_versions
from ._comparisons import (
    find_pairs,
    model_missingness,
    share_information,
    value_modalities,
)
from ._findings import describe
from ._inputs import Notes, Rows, Settings, write_estimator
from ._judged import Judged
from ._modality_report import ModalityReport


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "modalities": [dict, list, tuple, None],
        "cv": ["cv_object"],
        "scoring": [list, tuple, str, None],
        "propensity": [PropensityWeighter, None],
        "learner": [HasMethods(["fit", "predict_proba"]), None],
        "n_bootstraps": [Interval(Integral, 2, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "title": [str, None],
        "n_jobs": N_JOBS,
        "verbose": ["verbose"],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def report(
    estimator,
    X,
    y,
    *,
    modalities=None,
    groups=None,
    sample_weight=None,
    cv=3,
    scoring=None,
    propensity: PropensityWeighter | None = None,
    learner=None,
    n_bootstraps: int = 50,
    confidence_level: float = 0.9,
    title: str | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: int = 0,
) -> ModalityReport:
    """Report on a classifier, and on what its rows are missing.

    Patterns, held-out scores, calibration, the value of each modality corrected for who
    has it, overlap and balance, sensitivity, shared information, and whom to measure
    next: the tables of this package, findings in plain words, and one HTML page of all
    of it.

    Parameters
    ----------
    estimator : classifier or None
        Not fitted: it is cross-validated. Fitted: it is judged on X as it is, which has
        to be held out. None: a :class:`~skmissing.PRIMOClassifier`.
    X : {array, DataFrame, MultimodalData} with n_samples rows
        Rows with at least two modalities. Text and categories are encoded for all but
        ``estimator``, by a :class:`~skmissing.modalities.ModalityTransformer`.
    y : array of shape (n_samples,)
        Labels; rows without one are left out.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`. None: those of the
        estimator, or of the first step of a pipeline.
    groups : array of shape (n_samples,), default=None
        Ids; rows of one group, such as a patient, are held out and resampled together.
    sample_weight : array of shape (n_samples,), default=None
        Weights of the rows.
    cv : int, splitter or iterable, default=3
        Folds. An int is shuffled and stratified.
    scoring : str or list of str, default=None
        Metrics by scikit-learn's names; the first one is in the findings. None: AUC
        (of more than two classes: accuracy) and the negative log-loss.
    propensity : PropensityWeighter, default=None
        Template of the models of who has what.
    learner : classifier, default=None
        Compares modalities: it is fitted many times. None: small boosted trees.
    n_bootstraps : int, default=50
        Resamples of the rows for intervals, at least 2. With fewer than 20 the
        findings have no intervals, and none that rests on one.
    confidence_level : float, default=0.9
        Of all intervals.
    title : str, default=None
        Title of the page.
    n_jobs : int, default=None
        Folds, and comparisons of modalities, at once. Results are the same.
    verbose : int, default=0
        1 reports each section when it begins, in lines of the standard error stream.
    random_state : int, default=0
        Seed of everything that is drawn by the report.

    Returns
    -------
    ModalityReport
        With the tables, the findings, and ``to_html``.

    Raises
    ------
    ValueError
        For X with a single modality, and whatever the estimator raises. Other sections
        that cannot be computed are left out and say why.

    See Also
    --------
    skmissing.metrics.score_by_pattern : Scores.
    skmissing.inspection.modality_importance : What hiding a modality costs.
    skmissing.metrics.calibration_by_pattern : Calibration and coverage.
    skmissing.ipw.modality_utility : What each modality adds.
    skmissing.PIDEstimator : Information shared.
    skmissing.PRIMOClassifier : Whom to measure next.

    Notes
    -----
    A modality is compared with those that at least 99% of the rows have (with all
    others, if there are none such), on rows that have it. Intervals of scores are
    normal ones: the errors of folds, of the bootstrap of their test rows, add up like
    those of independent values. What a model loses when a modality is hidden, and what
    it gains over the class shares of its training rows, are differences on the same
    rows, with intervals of the difference. Intervals of gains count up to 5,000 rows
    that folds train each other (``fold_dependence`` of
    :func:`~skmissing.ipw.modality_utility`). A classifier without ``predictive_impact``
    does not know what a missing modality could change: a
    :class:`~skmissing.PRIMOClassifier` is then trained on the same folds.

    Examples
    --------
    >>> import skmissing
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.datasets import load_heart
    >>> X, y = load_heart(return_X_y=True)
    >>> report = skmissing.report(
    ...     PatternClassifier(), X[::4], y[::4], learner=GaussianNB(), cv=2,
    ...     n_bootstraps=2,
    ... )
    >>> print(report.findings[0])
    49% of the 230 rows have all 4 modalities. There are 4 patterns.
    """
    modalities = find_modalities([estimator], X, modalities)
    label = getattr(y, "name", None) or "label"
    rows = Rows.check(X, y, modalities, groups, sample_weight)
    classes = np.unique(rows.y)
    if scoring is None:
        first = "roc_auc" if len(classes) == 2 else "accuracy"
        scoring = [first, "neg_log_loss"]
    scoring = [scoring] if isinstance(scoring, str) else list(scoring)
    seed = int(random_state)
    if learner is None:
        learner = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=6, random_state=seed
        )
    settings = Settings(
        cv, scoring, propensity, learner, n_bootstraps, confidence_level, n_jobs, seed
    )
    positive = classes[1] if len(classes) == 2 else None
    notes, tables = Notes(verbose=verbose), {}
    with notes.section("patterns"):
        tables["patterns"] = patterns(rows.X, rows.modalities)
        tables["presence"] = _count_presence(rows, positive)
    judged = Judged(estimator, rows, settings, notes)
    judged.fill(tables)
    _compare(rows, settings, notes, tables)
    facts = {
        "title": title or "Modality report",
        "n_rows": len(rows),
        "modalities": rows.names,
        "estimator": judged.name,
        "held_out": judged.words,
        "positive": None if positive is None else f"{label} = {positive}",
        "scoring": scoring,
        "n_bootstraps": n_bootstraps,
        "confidence_level": confidence_level,
        "limits": [*judged.limits, *_limits(rows)],
        "settings": {
            "estimator": write_estimator(judged.estimator),
            "learner of comparisons": write_estimator(learner),
            "random_state": seed,
            "cv": repr(cv),
            "scoring": ", ".join(scoring),
            "n_bootstraps": n_bootstraps,
            "confidence_level": confidence_level,
            "propensity": write_estimator(
                PropensityWeighter(random_state=seed)
                if propensity is None
                else propensity
            ),
        },
        "versions": current_versions(),
    }
    findings = describe(tables, facts)
    return ModalityReport(
        tables, findings, notes.missing, notes.to_frame(), facts, judged.y_proba,
        judged.models,
    )  # fmt: skip


def _compare(
    rows: Rows, settings: Settings, notes: Notes, tables: dict[str, pd.DataFrame]
) -> None:
    """The sections on modalities rather than on the estimator."""
    pairs = find_pairs(rows)
    with notes.section("overlap"):
        tables |= model_missingness(rows, settings)
    with notes.section("utility"):
        found = value_modalities(rows, pairs, settings)
        tables["utility"], tables["sensitivity"] = found
    if "utility" in notes.missing:
        notes.missing["sensitivity"] = notes.missing["utility"]
    with notes.section("information"):
        tables["information"] = share_information(rows, pairs, settings)


def _count_presence(rows: Rows, positive) -> pd.DataFrame:
    """How many rows have each modality, and the outcome with and without it."""
    table = pd.DataFrame(
        {
            "modality": rows.names,
            "n_present": rows.present.sum(axis=0),
            "share_missing": 1.0 - rows.present.mean(axis=0),
        }
    )
    if positive is not None:
        happened = (rows.y == positive).astype(np.float64)
        for column, here in (("present", rows.present), ("missing", ~rows.present)):
            with np.errstate(invalid="ignore"):
                share = happened @ here / here.sum(axis=0)
            table[f"outcome_{column}"] = share
    return table


def _limits(rows: Rows) -> list[str]:
    """What no table can show."""
    sentences = [
        "Corrected values hold if who has a modality depends on the covariates alone, "
        "not on the modality or the label; no data can prove that.",
        "Scores with modalities hidden are of rows that have them: others may differ.",
        "Intervals are those of the evaluation of these models; other training rows "
        "would give other models.",
    ]
    if rows.numbers is not rows.X:
        sentences.append(
            "Text and categories were encoded once, on all rows and without the label, "
            "for comparisons of modalities."
        )
    return sentences
