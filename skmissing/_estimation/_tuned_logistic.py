"""Ridge logistic regression whose penalty has the smallest held-out log-loss.

The default model of posteriors (:class:`PenaltySearch`, one penalty for each outer
fold) and of propensities (:class:`TunedLogistic`, an estimator).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.linalg import LinAlgWarning
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from .._utils._random import local_random_state
from ._folds import assign_folds
from ._newton_search import MAX_PASSES, NewtonSearch
from ._scale import root_mean_square

# Ridge penalties, as a multiple of half the squared norm beside the *mean* loss: the
# choice then depends neither on the number of rows nor on the scale of the weights. The
# largest leaves hardly anything but the class prior, which is right for noise.
ALPHAS = tuple(np.logspace(-5, 1, 7))
# Of propensities, which are rarely noise: weaker ones, in the same number.
PROPENSITY_ALPHAS = tuple(np.logspace(-6, 0, 7))
# Where there are too few rows of one kind to hold any out.
UNTUNED_ALPHA = 1e-2
# Inner folds where there are too few or too many outer ones to share theirs.
INNER_FOLDS = 5
# Rows on which the penalty of a propensity is chosen.
TUNING_ROWS = 20_000
# Penalties by which the loss may rise in a row before weaker ones are left untried.
RISES = 2


class Precision(NamedTuple):
    """Up to how many coefficients Newton steps are taken, and when lbfgs stops.

    Newton steps are exact to the last digits, and cheap for few coefficients.
    """

    newton_coefficients: int
    tol: float
    max_iter: int


COARSE = Precision(300, 1e-4, 200)
# Small propensities become large weights, errors and all.
FINE = Precision(400, 1e-5, 500)


class WeightedTable(NamedTuple):
    """Columns and classes of some rows, their weights and groups."""

    # An array, or a table that is read chunk by chunk.
    X: Any
    y: np.ndarray
    weight: np.ndarray
    groups: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> WeightedTable:
        """Some rows, by a mask or by their numbers."""
        groups = None if self.groups is None else self.groups[rows]
        return WeightedTable(self.X[rows], self.y[rows], self.weight[rows], groups)


@dataclass(eq=False, repr=False)
class RidgeLogistic:
    """Binary or multinomial logistic regression with a fixed ridge penalty.

    ``standardize=False`` is for columns that are standardised already.
    """

    alpha: float
    _: KW_ONLY
    standardize: bool = True
    precision: Precision = COARSE

    def fit(self, table: WeightedTable, start: Self | None = None) -> Self:
        """Fit, from the coefficients of another penalty if there is one."""
        X, y, weight, _ = table
        if self.standardize:
            self._mean = np.average(X, axis=0, weights=weight)
            deviation = root_mean_square(X - self._mean, weight)
            # A constant column stays at 0 where it was constant.
            noise = np.finfo(np.float64).eps * len(X) * np.abs(self._mean)
            self._scale = np.where(deviation > noise, deviation, np.inf)
        n_coefficients = X.shape[1] * len(np.unique(y))
        newton = n_coefficients <= self.precision.newton_coefficients
        self.model_ = LogisticRegression(
            C=1.0 / (self.alpha * weight.sum()),
            solver="newton-cholesky" if newton else "lbfgs",
            tol=1e-8 if newton else self.precision.tol,
            max_iter=100 if newton else self.precision.max_iter,
            warm_start=start is not None,
        )
        if start is not None:
            self.model_.coef_ = start.model_.coef_.copy()
            self.model_.intercept_ = start.model_.intercept_.copy()
        with warnings.catch_warnings():
            # Where columns separate the classes a weak penalty converges slowly; the
            # tuning then prefers a stronger one.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", LinAlgWarning)
            self.model_.fit(self._columns(X), y, sample_weight=weight)
        self.classes_ = self.model_.classes_
        return self

    @property
    def coefficients(self) -> tuple[np.ndarray, np.ndarray]:
        """Slopes and intercept of a model of two classes."""
        return self.model_.coef_[0], self.model_.intercept_

    @coefficients.setter
    def coefficients(self, values: tuple[np.ndarray, np.ndarray]) -> None:
        slopes, self.model_.intercept_ = values
        self.model_.coef_ = slopes[None]

    def _columns(self, X: np.ndarray) -> np.ndarray:
        return (X - self._mean) / self._scale if self.standardize else X

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Class probabilities, shape (n, n_classes)."""
        return self.model_.predict_proba(self._columns(X))

    def predict_log_proba(self, X: np.ndarray) -> np.ndarray:
        """Logarithms of the class probabilities, shape (n, n_classes)."""
        score = self.model_.decision_function(self._columns(X))
        if score.ndim == 1:
            score = np.column_stack([np.zeros_like(score), score])
        # In log space a confident model stays finite.
        return log_softmax(score, axis=1)

    def log_loss(self, table: WeightedTable) -> float:
        """Sum over rows; those of classes without training rows are left out."""
        at = np.searchsorted(self.classes_, table.y)
        at = np.minimum(at, len(self.classes_) - 1)
        met = self.classes_[at] == table.y
        log_proba = self.predict_log_proba(table.X)[np.arange(len(at)), at]
        return float(-(table.weight * met) @ log_proba)


def fit_path(
    table: WeightedTable, alphas: Sequence[float], **how
) -> Iterator[RidgeLogistic]:
    """Models from the strongest penalty on: each solution is near the next one."""
    model = None
    for alpha in alphas[::-1]:
        model = RidgeLogistic(alpha, **how).fit(table, model)
        yield model


class TunedLogistic(ClassifierMixin, BaseEstimator):
    """Logistic regression on standardised columns, its ridge penalty tuned in ``fit``.

    ``alpha`` fixes the penalty; ``random_state`` draws folds and the tuning rows.
    """

    def __init__(self, alpha: float | None = None, random_state=None) -> None:
        self.alpha = alpha
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, groups=None) -> TunedLogistic:
        """Choose the penalty and fit; rows of one group stay in one tuning fold."""
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        table = WeightedTable(X, y, weight, groups)
        self.alpha_ = self._tune(table) if self.alpha is None else float(self.alpha)
        self.model_ = RidgeLogistic(self.alpha_, standardize=False, precision=FINE)
        self.model_.fit(table)
        self.classes_ = self.model_.classes_
        return self

    def refit(self, table: WeightedTable) -> TunedLogistic:
        """The same penalty for other weights: a few steps from these coefficients."""
        new, model = copy(self), copy(self.model_)
        if 2 * table.X.shape[1] > FINE.newton_coefficients:
            new.model_ = model.fit(table)
            return new
        columns = np.empty((table.X.shape[1] + 1, len(table.y)))
        columns[:-1], columns[-1] = table.X.T, 1.0
        y = table.y.astype(np.float64)
        start = np.append(*model.coefficients)
        search = NewtonSearch(start, self.alpha_, table.weight.sum())
        for _ in range(MAX_PASSES):
            search.add(columns, y, table.weight)
            if search.step():
                break
        new.model_, model.model_ = model, copy(model.model_)
        model.coefficients = search.point[:-1], search.point[-1:]
        return new

    def _tune(self, table: WeightedTable) -> float:
        rng = local_random_state(self.random_state)
        if len(table.y) > TUNING_ROWS:
            rows = draw_rows(table.groups, len(table.y), rng, TUNING_ROWS)
            drawn = table.take(rows)
            if len(np.unique(drawn.y)) > 1:
                table = drawn
        groups, n_folds = table.groups, _count_inner_folds(table.groups)
        if n_folds < 2:
            groups, n_folds = None, INNER_FOLDS
        strata = np.unique(table.y, return_inverse=True)[1]
        folds = assign_folds(strata, n_folds, rng, groups)
        loss, mass = np.zeros(len(PROPENSITY_ALPHAS)), 0.0
        for k in range(n_folds):
            train, test = table.take(folds != k), table.take(folds == k)
            if not len(test.y) or len(np.unique(train.y)) < 2:
                continue
            mass += test.weight.sum()
            path = fit_path(train, PROPENSITY_ALPHAS, standardize=False, precision=FINE)
            loss += [model.log_loss(test) for model in path][::-1]
        if mass == 0:
            return UNTUNED_ALPHA
        self.log_loss_ = loss / mass
        return float(PROPENSITY_ALPHAS[int(np.argmin(loss))])

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Class probabilities, shape (n, n_classes)."""
        return self.model_.predict_proba(X)


def _count_inner_folds(groups: np.ndarray | None) -> int:
    """No more than there are groups."""
    return min(INNER_FOLDS, INNER_FOLDS if groups is None else len(np.unique(groups)))


def draw_rows(
    groups: np.ndarray | None, n: int, rng: np.random.RandomState, n_drawn: int
) -> np.ndarray:
    """Numbers of about ``n_drawn`` of n rows; groups are drawn whole."""
    if groups is None:
        return rng.choice(n, n_drawn, replace=False)
    names, code = np.unique(groups, return_inverse=True)
    order = rng.permutation(len(names))
    size = np.bincount(code)[order]
    taken = order[np.cumsum(size) - size < n_drawn]
    return np.flatnonzero(np.isin(code, taken))


@dataclass(eq=False, repr=False)
class PenaltySearch:
    """Chooses the penalty for any training set out of folds.

    For the outer fold k the penalty has the smallest log-loss when each of the other
    folds is predicted from the rest of them. The model without the folds j and k
    serves the choice for both, which halves the work; no model that takes part in the
    choice for k has seen a row of k.

    Models with many coefficients take seconds, and their best penalties are strong:
    there one of the other folds is predicted, two outer folds choose for each other
    from the same models, and penalties are tried from the strongest one on until the
    loss has risen twice in a row.

    ``trains`` has one mask of training rows for each fold; None stands for all rows of
    the other folds. ``seed`` draws inner folds where the outer ones cannot serve.
    """

    table: WeightedTable
    folds: np.ndarray
    seed: int
    trains: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._n_folds = int(self.folds.max()) + 1
        self._share = self.trains is None and 3 <= self._n_folds <= 2 * INNER_FOLDS
        n_coefficients = self.table.X.shape[1] * len(np.unique(self.table.y))
        self._wide = n_coefficients > COARSE.newton_coefficients
        self._descents: dict[tuple[int, int], list[np.ndarray]] = {}
        self._known: dict[frozenset[int], list[RidgeLogistic] | None] = {}

    def choose(self, k: int | None) -> float:
        """Penalty for the rows out of fold k; None for all rows."""
        if k is None:
            train = np.ones(len(self.folds), dtype=bool)
        else:
            train = self.folds != k if self.trains is None else self.trains[k]
        if self._wide:
            return self._choose_wide(k, train)
        inner = self._inner(train)
        loss, mass = np.zeros(len(ALPHAS)), 0.0
        for j in np.unique(inner[train]):
            held_out = train & (inner == j)
            if self._share:
                left_out = frozenset([int(j)] if k is None else [int(j), k])
                if left_out not in self._known:
                    others = ~np.isin(self.folds, list(left_out))
                    self._known[left_out] = self._path(others)
                models = self._known[left_out]
            else:
                models = self._path(train & ~held_out)
            if models is None:
                continue
            test = self.table.take(held_out)
            mass += test.weight.sum()
            loss += [model.log_loss(test) for model in models]
        if mass == 0:
            # Too few rows of one class to hold any out.
            return ALPHAS[-1]
        return float(ALPHAS[int(np.argmin(loss))])

    def _choose_wide(self, k: int | None, train: np.ndarray) -> float:
        """Penalty by the loss on one other fold; for all rows, by that on all folds."""
        losses = []
        if self._share:
            for own in range(self._n_folds) if k is None else [k]:
                other = own ^ 1 if own ^ 1 < self._n_folds else 0
                pair = (min(own, other), max(own, other))
                if pair not in self._descents:
                    tests = [self.folds == j for j in pair]
                    self._descents[pair] = self._descend(~(tests[0] | tests[1]), tests)
                found = self._descents[pair]
                if found:
                    # The loss on the other fold: that on the own one may not choose.
                    losses.append(found[pair.index(own if k is None else other)])
        else:
            inner = self._inner(train)
            test = train & (inner == inner[train].min())
            losses = self._descend(train & ~test, [test])
        if not losses:
            return ALPHAS[-1]
        return float(ALPHAS[int(np.argmin(np.sum(losses, axis=0)))])

    def _descend(self, train: np.ndarray, tests: list[np.ndarray]) -> list[np.ndarray]:
        """Loss of every penalty on each test set, infinite for those left untried.

        Empty where the training rows have one class only.

        Each test set stops by its own losses, so that those of one cannot change what
        the other chooses.
        """
        path = self._fits(train)
        if path is None:
            return []
        losses = [np.full(len(ALPHAS), np.inf) for _ in tests]
        going = [True] * len(tests)
        for i, model in zip(range(len(ALPHAS))[::-1], path):
            for t, test in enumerate(tests):
                if going[t]:
                    losses[t][i] = model.log_loss(self.table.take(test))
                    last = losses[t][i : i + RISES + 1]
                    going[t] = len(last) <= RISES or not (np.diff(last) < 0).all()
            if not any(going):
                break
        return losses

    def _inner(self, train: np.ndarray) -> np.ndarray:
        """Fold of each training row in the choice of the penalty."""
        if self._share:
            return self.folds
        rng = np.random.RandomState(self.seed)
        groups = None if self.table.groups is None else self.table.groups[train]
        n_folds = _count_inner_folds(groups)
        out = np.where(train, 0, -1)
        if n_folds > 1:
            out[train] = assign_folds(self.table.y[train], n_folds, rng, groups)
        return out

    def _fits(self, train: np.ndarray) -> Iterator[RidgeLogistic] | None:
        """Models, strongest penalty first; None where the rows have one class only."""
        if not train.any() or np.ptp(self.table.y[train]) == 0:
            return None
        return fit_path(self.table.take(train), ALPHAS)

    def _path(self, train: np.ndarray) -> list[RidgeLogistic] | None:
        """Models in the order of ``ALPHAS``."""
        path = self._fits(train)
        return None if path is None else list(path)[::-1]
