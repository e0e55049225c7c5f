"""Predictions of models that have not seen the row, for every set of modalities."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from ..._utils._sklearn_compat import _safe_indexing
from ..._utils._warn import warn_user
from ...exceptions import FoldDependenceWarning, SkmissingWarning
from .._classifier import IPWMultimodalClassifier
from ._modality_sets import Subset
from ._reweighted_metrics import Predictions


def cross_fit(
    jobs: list[tuple[Subset, str]],
    template: IPWMultimodalClassifier,
    X: Any,
    y: Any,
    codes: np.ndarray,
    weight: np.ndarray,
    groups: np.ndarray | None,
    folds: np.ndarray,
    trains: list[np.ndarray],
    has: dict[Subset, np.ndarray],
    classes: np.ndarray,
    plan: list[tuple[tuple[int, ...], tuple[int, ...]]],
    n_jobs: int | None,
    progress: Any,
    fallback: tuple[dict[Any, Predictions], dict[Any, list]] | None = None,
) -> tuple[dict[tuple[Subset, str], Predictions], dict[tuple[Subset, str], list]]:
    """Fit every model without some folds and keep what it says of them.

    Parameters
    ----------
    jobs : list of (subset, weighting)
        Which models.
    template : IPWMultimodalClassifier
        Cloned for each.
    X, y : object
        As the user gave them.
    codes : ndarray of int of shape (n,)
        Index of each row's class, -1 where missing.
    weight : ndarray of shape (n,)
        Sample weights.
    groups : ndarray of shape (n,) or None
        Groups.
    folds : ndarray of int of shape (n,)
        Fold of each row, -1 where it is never tested.
    trains : list of ndarray of bool of shape (n,)
        Rows that may teach the model of each fold.
    has : dict of subset to ndarray of bool of shape (n,)
        Rows that have all modalities of a subset.
    classes : ndarray of shape (n_classes,)
        Class labels.
    plan : list of (left_out, tested)
        For each model, the folds that it is not fitted on and those of them whose
        rows it answers; every fold is tested once.
    n_jobs : int or None
        Fits at once.
    progress : callable
        Wraps the iteration over fits.
    fallback : (predictions, models), default=None
        Of an earlier call: the predictions are returned for rows whose model cannot be
        fitted or asked, or knows fewer classes than those models, with a warning. None:
        errors are raised.

    Warns
    -----
    FoldDependenceWarning
        If the fallback was needed.

    Returns
    -------
    predictions : dict of job to Predictions
    models : dict of job to list of fitted IPWMultimodalClassifier
        One per item of the plan.
    """
    tasks = [
        (
            job,
            np.all([trains[k] for k in out], axis=0) & ~np.isin(folds, out),
            np.isin(folds, tested) & has[job[0]],
        )
        for job in jobs
        for out, tested in plan
    ]
    results: Iterable[Any] = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_fold)(
            fallback is not None,
            clone(template).set_params(use=list(subset), weighting=weighting),
            X, y, weight, groups, train, test,
        )
        for (subset, weighting), train, test in tasks
    )  # fmt: skip
    n = len(codes)
    predictions = {
        job: Predictions(np.full((n, len(classes)), np.nan), np.full(n, -1))
        for job in jobs
    }
    models: dict[tuple[Subset, str], list] = {job: [] for job in jobs}
    missed = 0
    for (job, _, rows), (model, proba, labels) in zip(
        tasks, progress(results, len(tasks))
    ):
        known = predictions[job]
        if fallback is not None and (
            model is None
            or len(model.classes_) < min(len(m.classes_) for m in fallback[1][job])
        ):
            spare = fallback[0][job]
            known.predicted[rows] = spare.predicted[rows]
            if known.proba is not None and spare.proba is not None:
                known.proba[rows] = spare.proba[rows]
            missed += 1
            continue
        known.predicted[rows] = np.searchsorted(classes, labels)
        if proba is None:
            known.proba = None
        elif known.proba is not None:
            columns = np.searchsorted(classes, model.classes_)
            block = np.zeros((rows.sum(), len(classes)))
            block[:, columns] = proba
            known.proba[rows] = block
        models[job].append(model)
    if missed:
        warn_user(
            f"Got too few rows for {missed} of the {len(tasks)} models without two "
            "folds, expected enough rows of every class in the others; errors and "
            "intervals take those folds for independent.",
            FoldDependenceWarning,
        )
    return predictions, models


def _fit_fold(may_fail: bool, *task: Any) -> tuple[Any, np.ndarray | None, np.ndarray]:
    """What :func:`_fit_and_ask` returns, or no model where it may fail."""
    try:
        with warnings.catch_warnings():
            # Said once already, of the propensities of all rows.
            warnings.simplefilter("ignore", SkmissingWarning)
            return _fit_and_ask(*task)
    except Exception:
        # Whatever an estimator raises where too few rows are left.
        if not may_fail:
            raise
        return None, None, np.empty(0)


def _fit_and_ask(
    model: IPWMultimodalClassifier,
    X: Any,
    y: Any,
    weight: np.ndarray,
    groups: np.ndarray | None,
    train: np.ndarray,
    test: np.ndarray,
) -> tuple[IPWMultimodalClassifier, np.ndarray | None, np.ndarray]:
    at = np.flatnonzero(train)
    model.fit(
        _safe_indexing(X, at),
        _safe_indexing(y, at),
        sample_weight=weight[at],
        groups=None if groups is None else groups[at],
    )
    rows = _safe_indexing(X, np.flatnonzero(test))
    if not test.any():
        empty = np.empty((0, len(model.classes_)))
        return model, empty, model.classes_[:0]
    proba = model.predict_proba(rows) if hasattr(model, "predict_proba") else None
    if proba is not None and np.isnan(proba).any():
        raise ValueError(
            f"Got NaN among the probabilities of {model.estimator!r}, expected numbers."
        )
    return model, proba, model.predict(rows)
