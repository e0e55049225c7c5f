"""The default propensity model: a ridge logistic regression tuned by log-loss."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.linalg import LinAlgWarning
from scipy.special import log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from .._estimation._folds import assign_folds
from .._utils._random import local_random_state

# Ridge penalties, as a multiple of half the squared norm beside the *mean* loss: the
# choice then depends neither on the number of rows nor on the scale of the weights.
ALPHAS = tuple(np.logspace(-6, 0, 7))
TUNING_ROWS = 20_000
TUNING_FOLDS = 5
# Up to this many columns a Newton step is cheap, and exact to the last digits.
NEWTON_COLUMNS = 200


class LogisticPropensity(ClassifierMixin, BaseEstimator):
    """Logistic regression whose ridge penalty has the smallest held-out log-loss."""

    def __init__(self, alpha: float | None = None, random_state: Any = None) -> None:
        self.alpha = alpha
        self.random_state = random_state

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> LogisticPropensity:
        """Choose the penalty and fit."""
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        if self.alpha is None:
            self.alpha_ = self._tune(X, y, weight, groups)
        else:
            self.alpha_ = float(self.alpha)
        self.model_ = _make(self.alpha_, weight, X.shape[1])
        _quiet_fit(self.model_, X, y, weight)
        self.classes_ = self.model_.classes_
        return self

    def _tune(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        groups: np.ndarray | None,
    ) -> float:
        rng = local_random_state(self.random_state)
        if len(y) > TUNING_ROWS:
            if groups is None:
                rows = rng.choice(len(y), TUNING_ROWS, replace=False)
            else:
                # Whole groups, until there are enough rows.
                names, code = np.unique(groups, return_inverse=True)
                order = rng.permutation(len(names))
                size = np.bincount(code)[order]
                taken = order[np.cumsum(size) - size < TUNING_ROWS]
                rows = np.flatnonzero(np.isin(code, taken))
            if len(np.unique(y[rows])) == 2:
                X, y, weight = X[rows], y[rows], weight[rows]
                groups = None if groups is None else groups[rows]
        n_folds = TUNING_FOLDS
        if groups is not None:
            n_folds = min(n_folds, len(np.unique(groups)))
            if n_folds < 2:
                groups, n_folds = None, TUNING_FOLDS
        folds = assign_folds(y.astype(int), n_folds, rng, groups)
        loss, mass = np.zeros(len(ALPHAS)), 0.0
        for k in range(n_folds):
            train, test = folds != k, folds == k
            if not test.any() or len(np.unique(y[train])) < 2:
                continue
            mass += weight[test].sum()
            model = None
            # From the strongest penalty on, each start is near the next solution.
            for a in range(len(ALPHAS) - 1, -1, -1):
                fresh = _make(ALPHAS[a], weight[train], X.shape[1])
                model = fresh if model is None else model.set_params(C=fresh.C)
                _quiet_fit(model, X[train], y[train], weight[train])
                score = model.decision_function(X[test])
                held_out = -log_expit(np.where(y[test], score, -score))
                loss[a] += weight[test] @ held_out
        if mass == 0:
            # Too few rows of one kind to hold any out.
            return 1e-2
        self.log_loss_ = loss / mass
        return float(ALPHAS[int(np.argmin(loss))])

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of not observed and observed."""
        return self.model_.predict_proba(X)


def _make(alpha: float, weight: np.ndarray, n_columns: int) -> LogisticRegression:
    newton = n_columns <= NEWTON_COLUMNS
    return LogisticRegression(
        C=1.0 / (alpha * weight.sum()),
        solver="newton-cholesky" if newton else "lbfgs",
        tol=1e-8 if newton else 1e-5,
        max_iter=100 if newton else 500,
        warm_start=True,
    )


def _quiet_fit(
    model: LogisticRegression, X: np.ndarray, y: np.ndarray, weight: np.ndarray
) -> None:
    with warnings.catch_warnings():
        # With covariates that separate observed from missing rows a weak penalty
        # converges slowly; the tuning then prefers a stronger one, and the diagnostics
        # of the propensities say what is wrong with them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        model.fit(X, y, sample_weight=weight)
