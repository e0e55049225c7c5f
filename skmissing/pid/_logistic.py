"""The default posterior model: multinomial ridge regression tuned by log-loss."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import LinAlgWarning
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from .._estimation._folds import assign_folds

# Ridge penalties, as a multiple of half the squared norm beside the *mean* loss. The
# largest leaves hardly anything but the class prior, which is right for noise.
ALPHAS = tuple(np.logspace(-5, 1, 7))
# Inner folds where there are too few or too many outer ones to share theirs.
INNER_FOLDS = 5
# Up to this many coefficients a Newton step is cheap, and exact to the last digits.
# With more of them each penalty is tried on one held-out fold, see PenaltySearch.
NEWTON_COEFFICIENTS = 300
# Penalties by which the loss may rise in a row before weaker ones are left untried.
RISES = 2


class RidgeLogistic:
    """Multinomial logistic regression on standardised features.

    Parameters
    ----------
    alpha : float
        Penalty.

    Attributes
    ----------
    classes_ : ndarray
        Classes of the training rows.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        start: RidgeLogistic | None = None,
    ) -> RidgeLogistic:
        """Fit.

        Parameters
        ----------
        X : ndarray of shape (n, n_columns)
            Features without NaN.
        y : ndarray of int of shape (n,)
            Classes, at least two.
        weight : ndarray of shape (n,)
            Positive.
        start : RidgeLogistic, default=None
            Fitted to the same rows with another penalty, to start from.

        Returns
        -------
        self
        """
        self._mean = np.average(X, axis=0, weights=weight)
        spread = np.sqrt(np.average((X - self._mean) ** 2, axis=0, weights=weight))
        # A constant column stays at 0 where it was constant.
        noise = np.finfo(np.float64).eps * len(X) * np.abs(self._mean)
        self._scale = np.where(spread > noise, spread, np.inf)
        small = X.shape[1] * len(np.unique(y)) <= NEWTON_COEFFICIENTS
        self.model_ = LogisticRegression(
            C=1.0 / (self.alpha * weight.sum()),
            solver="newton-cholesky" if small else "lbfgs",
            tol=1e-8 if small else 1e-4,
            max_iter=100 if small else 200,
            warm_start=start is not None,
        )
        if start is not None:
            self.model_.coef_ = start.model_.coef_.copy()
            self.model_.intercept_ = start.model_.intercept_.copy()
        with warnings.catch_warnings():
            # Where features separate the classes a weak penalty converges slowly; the
            # tuning then prefers a stronger one.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", LinAlgWarning)
            self.model_.fit((X - self._mean) / self._scale, y, sample_weight=weight)
        self.classes_ = self.model_.classes_
        return self

    def predict_log_proba(self, X: np.ndarray) -> np.ndarray:
        """Logarithms of the class probabilities.

        Parameters
        ----------
        X : ndarray of shape (n, n_columns)
            Features without NaN.

        Returns
        -------
        ndarray of shape (n, n_classes)
        """
        score = self.model_.decision_function((X - self._mean) / self._scale)
        if score.ndim == 1:
            score = np.column_stack([np.zeros_like(score), score])
        # In log space a confident model stays finite.
        return log_softmax(score, axis=1)


class PenaltySearch:
    """Chooses the penalty for any training set out of folds.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns)
        Features of all rows, without NaN.
    y : ndarray of int of shape (n,)
        Classes.
    weight : ndarray of shape (n,)
        Positive.
    folds : ndarray of int of shape (n,)
        Outer folds, 0 to n_folds - 1.
    groups : ndarray of shape (n,) or None
        Rows of one group share an inner fold.
    seed : int
        Draws inner folds where the outer ones are not used for that.
    trains : ndarray of bool of shape (n_folds, n) or None
        Training rows of each fold; None stands for all rows of the other folds.

    Notes
    -----
    For the outer fold k the penalty has the smallest log-loss when each of the other
    folds is predicted from the rest of them. The model without the folds j and k
    serves the choice for both, which halves the work; no model that takes part in the
    choice for k has seen a row of k.

    Models with many coefficients take seconds, and their best penalties are strong:
    there one of the other folds is predicted, two outer folds choose for each other
    from the same models, and penalties are tried from the strongest one on until the
    loss has risen twice in a row.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        folds: np.ndarray,
        groups: np.ndarray | None,
        seed: int,
        *,
        trains: np.ndarray | None = None,
    ) -> None:
        self._X, self._y, self._weight, self._folds = X, y, weight, folds
        self._groups, self._seed, self._trains = groups, seed, trains
        self._n_folds = int(folds.max()) + 1
        self._share = trains is None and 3 <= self._n_folds <= 2 * INNER_FOLDS
        self._wide = X.shape[1] * len(np.unique(y)) > NEWTON_COEFFICIENTS
        self._descents: dict[tuple[int, int], list[np.ndarray] | None] = {}
        self._known: dict[frozenset[int], list[RidgeLogistic] | None] = {}

    def choose(self, k: int | None) -> float:
        """Penalty for the rows out of fold k, or for all rows.

        Parameters
        ----------
        k : int or None
            Outer fold.

        Returns
        -------
        float
        """
        if k is None:
            train = np.ones(len(self._y), dtype=bool)
        else:
            train = self._folds != k if self._trains is None else self._trains[k]
        if self._wide:
            return self._choose_wide(k, train)
        inner = self._inner(train)
        loss, mass = np.zeros(len(ALPHAS)), 0.0
        for j in np.unique(inner[train]):
            here = train & (inner == j)
            if self._share:
                left_out = frozenset([int(j)] if k is None else [int(j), k])
                if left_out not in self._known:
                    self._known[left_out] = self._path(
                        ~np.isin(self._folds, list(left_out))
                    )
                models = self._known[left_out]
            else:
                models = self._path(train & ~here)
            if models is None:
                continue
            mass += self._weight[here].sum()
            loss += [self._loss(model, here) for model in models]
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
                    tests = [self._folds == j for j in pair]
                    self._descents[pair] = self._descend(~(tests[0] | tests[1]), tests)
                found = self._descents[pair]
                if found is not None:
                    # The loss on the other fold: that on the own one may not choose.
                    losses.append(found[pair.index(own if k is None else other)])
        else:
            inner = self._inner(train)
            test = train & (inner == inner[train].min())
            found = self._descend(train & ~test, [test])
            losses = [] if found is None else found
        if not losses:
            return ALPHAS[-1]
        return float(ALPHAS[int(np.argmin(np.sum(losses, axis=0)))])

    def _descend(
        self, train: np.ndarray, tests: list[np.ndarray]
    ) -> list[np.ndarray] | None:
        """Loss of every penalty on each test set, infinite for those left untried.

        Each test set stops by its own losses, so that those of one cannot change what
        the other chooses.
        """
        if not train.any() or np.ptp(self._y[train]) == 0:
            return None
        X, y, weight = self._X[train], self._y[train], self._weight[train]
        losses = [np.full(len(ALPHAS), np.inf) for _ in tests]
        going, model = [True] * len(tests), None
        for i in range(len(ALPHAS))[::-1]:
            model = RidgeLogistic(ALPHAS[i]).fit(X, y, weight, model)
            for t, test in enumerate(tests):
                if going[t]:
                    losses[t][i] = self._loss(model, test)
                    last = losses[t][i : i + RISES + 1]
                    going[t] = len(last) <= RISES or not (np.diff(last) < 0).all()
            if not any(going):
                break
        return losses

    def _inner(self, train: np.ndarray) -> np.ndarray:
        if self._share:
            return self._folds
        rng = np.random.RandomState(self._seed)
        groups = None if self._groups is None else self._groups[train]
        n_folds = INNER_FOLDS
        if groups is not None:
            n_folds = min(n_folds, len(np.unique(groups)))
        out = np.full(len(train), -1)
        out[train] = (
            assign_folds(self._y[train], n_folds, rng, groups) if n_folds > 1 else 0
        )
        return out

    def _path(self, train: np.ndarray) -> list[RidgeLogistic] | None:
        """Models of all penalties; None where the rows show one class only."""
        if not train.any() or np.ptp(self._y[train]) == 0:
            return None
        X, y, weight = self._X[train], self._y[train], self._weight[train]
        # From the strongest penalty on, each solution is near the next one.
        models: list[RidgeLogistic] = []
        for alpha in ALPHAS[::-1]:
            start = models[-1] if models else None
            models.append(RidgeLogistic(alpha).fit(X, y, weight, start))
        return models[::-1]

    def _loss(self, model: RidgeLogistic, rows: np.ndarray) -> float:
        """Summed loss; classes that the model has not met are left out of it."""
        at = np.searchsorted(model.classes_, self._y[rows])
        at = np.minimum(at, len(model.classes_) - 1)
        met = model.classes_[at] == self._y[rows]
        log_proba = model.predict_log_proba(self._X[rows])[np.arange(len(at)), at]
        return float(-(self._weight[rows] * met) @ log_proba)
