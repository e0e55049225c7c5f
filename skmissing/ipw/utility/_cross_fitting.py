"""Predictions of models that have not seen the row, for every set of modalities."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from ..._estimation._folds import Folds
from ..._utils._sklearn_compat import _safe_indexing
from ..._utils._warn import warn_user
from ...exceptions import FoldDependenceWarning, SkmissingWarning
from .._classifier import IPWMultimodalClassifier
from .._propensity import make_weighter
from .._propensity_model import FrozenPropensity
from ._fold_covariance import LeftOut
from ._modality_sets import Subset
from ._reweighted_metrics import Predictions

Job = tuple[Subset, str]


class FoldFit(NamedTuple):
    """A fitted model, and what it predicts for the tested rows."""

    model: IPWMultimodalClassifier
    proba: np.ndarray | None
    labels: np.ndarray


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
    weight: np.ndarray
    groups: np.ndarray | None
    classes: np.ndarray
    codes: np.ndarray
    folds: Folds
    present: dict[Subset, np.ndarray]
    n_jobs: int | None

    def cross_fit(
        self,
        jobs: list[Job],
        left_out: list[LeftOut],
        progress,
        fallback: CrossFitted | None = None,
    ) -> CrossFitted:
        """Fit every model without some folds, and predict those.

        Where a model cannot be fitted, or knows fewer classes than those of
        ``fallback``, the predictions of ``fallback`` are used, with a warning.
        """
        tasks = [(job, out) for job in jobs for out in left_out]
        results: Iterable[Any] = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(self._fit_fold)(job, out, fallback is not None)
            for job, out in tasks
        )
        n, shape = len(self.weight), (len(self.weight), len(self.classes))
        fits = CrossFitted(
            {
                job: Predictions(
                    np.full(shape, np.nan), np.full(n, -1), self.codes, self.folds.fold
                )
                for job in jobs
            },
            {job: [] for job in jobs},
        )
        missed = 0
        for (job, out), fit in zip(tasks, progress(results, len(tasks))):
            tested, known = self._find_tested(job[0], out), fits.predictions[job]
            if fallback is not None and (
                fit is None
                or len(fit.model.classes_)
                < min(len(m.classes_) for m in fallback.models[job])
            ):
                _copy(fallback.predictions[job], known, tested)
                missed += 1
                continue
            known.predicted[tested] = np.searchsorted(self.classes, fit.labels)
            if fit.proba is None:
                known.proba = None
            elif known.proba is not None:
                columns = np.searchsorted(self.classes, fit.model.classes_)
                known.proba[tested] = 0.0
                known.proba[np.ix_(tested, columns)] = fit.proba
            fits.models[job].append(fit.model)
        if missed:
            warn_user(
                f"Got too few rows for {missed} of the {len(tasks)} models without two "
                "folds, expected enough rows of every class in the others; errors and "
                "intervals take those folds for independent.",
                FoldDependenceWarning,
            )
        return fits

    def _find_tested(self, subset: Subset, out: LeftOut) -> np.ndarray:
        return np.isin(self.folds.fold, out.tested) & self.present[subset]

    def _fit_fold(self, job: Job, out: LeftOut, may_fail: bool) -> FoldFit | None:
        """Fit a model without some folds; None where it may fail and does."""
        subset, weighting = job
        model = clone(self.template).set_params(use=list(subset), weighting=weighting)
        train = np.all([self.folds.trains[k] for k in out.folds], axis=0)
        at = np.flatnonzero(train & ~np.isin(self.folds.fold, out.folds))
        tested = np.flatnonzero(self._find_tested(subset, out))
        try:
            with warnings.catch_warnings():
                # Raised once already, for the propensities of all rows.
                warnings.simplefilter("ignore", SkmissingWarning)
                model.fit(
                    _safe_indexing(self.X, at),
                    _safe_indexing(self.y, at),
                    sample_weight=self.weight[at],
                    groups=None if self.groups is None else self.groups[at],
                )
                return _predict(model, _safe_indexing(self.X, tested), len(tested))
        except Exception:
            # Whatever an estimator raises where too few rows are left.
            if not may_fail:
                raise
            return None

    def freeze_propensity(self, required: list[str]) -> FrozenPropensity:
        """Propensities of the rows that have some modalities, to be refitted."""
        weighter = make_weighter(
            self.template.propensity, self.X, self.template.modalities, required
        )
        weighter.fit(self.X, self.y, self.weight, self.groups)
        frozen = weighter.frozen(self.X, self.y, self.weight)
        return replace(frozen, tested=self.folds.tested)


def _copy(source: Predictions, target: Predictions, rows: np.ndarray) -> None:
    """Take the predictions of some rows from an earlier model."""
    target.predicted[rows] = source.predicted[rows]
    if target.proba is not None and source.proba is not None:
        target.proba[rows] = source.proba[rows]


def _predict(model: IPWMultimodalClassifier, rows, n: int) -> FoldFit:
    if not n:
        return FoldFit(model, np.empty((0, len(model.classes_))), model.classes_[:0])
    proba = model.predict_proba(rows) if hasattr(model, "predict_proba") else None
    if proba is not None and np.isnan(proba).any():
        raise ValueError(
            f"Got NaN among the probabilities of {model.estimator!r}, expected numbers."
        )
    return FoldFit(model, proba, model.predict(rows))
