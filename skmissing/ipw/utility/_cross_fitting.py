"""Predictions of models that have not seen the row, for every set of modalities."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from ..._estimation._folds import Folds
from ..._estimation._rows import LabelledRows
from ..._utils._sklearn_compat import _safe_indexing
from ..._utils._warn import warn_user
from ...exceptions import FoldDependenceWarning, SkmissingWarning
from .._classifier import IPWMultimodalClassifier
from ._fold_covariance import LeftOut
from ._modality_sets import Subset
from ._reweighted_metrics import Predictions

Job = tuple[Subset, str]


class CrossFitted(NamedTuple):
    """Out-of-fold predictions and fitted models, by subset and weighting."""

    predictions: dict[Job, Predictions]
    models: dict[Job, list[IPWMultimodalClassifier]]


@dataclass(frozen=True)
class FitPlan:
    """What the models of a study are fitted on.

    ``present`` are the rows that have all modalities of a subset.
    """

    template: IPWMultimodalClassifier
    X: Any
    y: Any
    rows: LabelledRows
    folds: Folds
    present: dict[Subset, np.ndarray]
    n_jobs: int | None


def cross_fit(
    plan: FitPlan,
    jobs: list[Job],
    left_out: list[LeftOut],
    progress,
    fallback: CrossFitted | None = None,
) -> CrossFitted:
    """Fit every model without some folds, and predict those.

    Where a model cannot be fitted, or knows fewer classes than those of ``fallback``,
    the predictions of ``fallback`` are used, with a warning.
    """
    rows, folds = plan.rows, plan.folds
    classes = rows.classes
    tasks = [
        (
            job,
            np.all([folds.trains[k] for k in out.folds], axis=0)
            & ~np.isin(folds.fold, out.folds),
            np.isin(folds.fold, out.tested) & plan.present[job[0]],
        )
        for job in jobs
        for out in left_out
    ]
    results: Iterable[Any] = Parallel(n_jobs=plan.n_jobs, return_as="generator")(
        delayed(_fit_fold)(
            clone(plan.template).set_params(use=list(subset), weighting=weighting),
            plan.X,
            plan.y,
            weight=rows.weight,
            groups=rows.groups,
            train=train,
            test=test,
            may_fail=fallback is not None,
        )
        for (subset, weighting), train, test in tasks
    )
    shape = len(rows), len(classes)
    blank = {
        job: Predictions(np.full(shape, np.nan), np.full(len(rows), -1)) for job in jobs
    }
    out = CrossFitted(blank, {job: [] for job in jobs})
    missed = 0
    for (job, _, tested), (model, proba, labels) in zip(
        tasks, progress(results, len(tasks))
    ):
        known = out.predictions[job]
        if fallback is not None and (
            model is None
            or len(model.classes_) < min(len(m.classes_) for m in fallback.models[job])
        ):
            _copy(fallback.predictions[job], known, tested)
            missed += 1
            continue
        known.predicted[tested] = np.searchsorted(classes, labels)
        if proba is None:
            known.proba = None
        elif known.proba is not None:
            columns = np.searchsorted(classes, model.classes_)
            block = np.zeros((tested.sum(), len(classes)))
            block[:, columns] = proba
            known.proba[tested] = block
        out.models[job].append(model)
    if missed:
        warn_user(
            f"Got too few rows for {missed} of the {len(tasks)} models without two "
            "folds, expected enough rows of every class in the others; errors and "
            "intervals take those folds for independent.",
            FoldDependenceWarning,
        )
    return out


def _copy(source: Predictions, target: Predictions, rows: np.ndarray) -> None:
    """Take the predictions of some rows from an earlier model."""
    target.predicted[rows] = source.predicted[rows]
    if target.proba is not None and source.proba is not None:
        target.proba[rows] = source.proba[rows]


def _fit_fold(
    model: IPWMultimodalClassifier,
    X,
    y,
    *,
    weight: np.ndarray,
    groups: np.ndarray | None,
    train: np.ndarray,
    test: np.ndarray,
    may_fail: bool,
) -> tuple[Any, np.ndarray | None, np.ndarray]:
    """A fitted model, probabilities and labels of the tested rows.

    No model where it may fail and does.
    """
    at, tested = np.flatnonzero(train), np.flatnonzero(test)
    try:
        with warnings.catch_warnings():
            # Raised once already, for the propensities of all rows.
            warnings.simplefilter("ignore", SkmissingWarning)
            model.fit(
                _safe_indexing(X, at),
                _safe_indexing(y, at),
                sample_weight=weight[at],
                groups=None if groups is None else groups[at],
            )
            return model, *_predict(model, _safe_indexing(X, tested), len(tested))
    except Exception:
        # Whatever an estimator raises where too few rows are left.
        if not may_fail:
            raise
        return None, None, np.empty(0)


def _predict(
    model: IPWMultimodalClassifier, rows, n: int
) -> tuple[np.ndarray | None, np.ndarray]:
    if not n:
        return np.empty((0, len(model.classes_))), model.classes_[:0]
    proba = model.predict_proba(rows) if hasattr(model, "predict_proba") else None
    if proba is not None and np.isnan(proba).any():
        raise ValueError(
            f"Got NaN among the probabilities of {model.estimator!r}, expected numbers."
        )
    return proba, model.predict(rows)
