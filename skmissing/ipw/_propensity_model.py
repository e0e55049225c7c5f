"""The propensity of one required set, with or without cross-fitting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import check_cv

from .._estimation._folds import assign_folds
from .._estimation._inner_estimators import fit_weighted, takes_sample_weight
from .._estimation._tuned_logistic import TunedLogistic


class PropensityModel:
    """P(observed | covariates) for one required set of modalities."""

    def __init__(self, estimator, cv, required: list[str]) -> None:
        self.estimator = estimator
        self.cv = cv
        self.required = required

    def fit(
        self,
        design: np.ndarray,
        observed: np.ndarray,
        weight: np.ndarray,
        groups: np.ndarray | None,
        seed: int,
    ) -> PropensityModel:
        """Fit on the rows with positive weight."""
        kept = np.flatnonzero(weight > 0)
        self.rate_ = float(weight @ observed / weight.sum())
        self.model_, self.folds_ = None, None
        n = len(observed)
        if observed[kept].all():
            # Nothing to model, and nothing to warn of.
            self.rate_ = 1.0
            self.propensity_ = np.ones(n)
            return self
        if design.shape[1] == 0:
            self.propensity_ = np.full(n, self.rate_)
            return self
        table = design if len(kept) == n else design[kept]
        target, mass = observed[kept], weight[kept]
        inside = None if groups is None else groups[kept]
        self.seed_ = seed
        self.model_ = self._fit_one(table, target, mass, inside)
        self.propensity_ = self._read(self.model_, design)
        if self.cv is not None:
            self.folds_ = [
                (kept[train], kept[test])
                for train, test in self._split(table, target, inside)
            ]
            for train, test in self.folds_:
                g = None if groups is None else groups[train]
                self.propensity_[test] = self.predict_fold(
                    design, observed, weight, train, test, g
                )
        return self

    def predict_fold(
        self,
        design: np.ndarray,
        observed: np.ndarray,
        weight: np.ndarray,
        train: np.ndarray,
        test: np.ndarray,
        groups: np.ndarray | None,
    ) -> np.ndarray:
        """Propensities of the rows ``test`` by a model of the rows ``train``."""
        target, mass = observed[train], weight[train]
        if target.all() or not target.any():
            # Too few rows of one kind to be in every fold.
            return np.full(len(test), self.rate_)
        model = self._fit_one(design[train], target, mass, groups)
        return self._read(model, design[test])

    def _split(
        self, table: np.ndarray, target: np.ndarray, groups: np.ndarray | None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        if isinstance(self.cv, Integral):
            n_folds = int(self.cv)
            if not 2 <= n_folds <= len(target):
                raise ValueError(
                    f"Got cv={self.cv} for {len(target)} rows, expected an integer "
                    "from 2 to the number of rows."
                )
            rng = np.random.RandomState(self.seed_)
            folds = assign_folds(target.astype(int), n_folds, rng, groups)
            return [
                (np.flatnonzero(folds != k), np.flatnonzero(folds == k))
                for k in range(n_folds)
            ]
        splitter = check_cv(self.cv, target, classifier=True)
        given = list(splitter.split(table, target, groups))
        tests = np.concatenate([np.arange(len(target))[test] for _, test in given])
        if not np.array_equal(np.sort(tests), np.arange(len(target))):
            raise ValueError(
                f"Got cv={self.cv!r}, expected a partition: every row (of positive "
                "weight) in exactly one test set."
            )
        return given

    def _fit_one(
        self,
        table: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        groups: np.ndarray | None,
    ):
        if self.estimator is None:
            return TunedLogistic(random_state=self.seed_).fit(
                table, target, weight, groups
            )
        model = clone(self.estimator)
        if isinstance(model, TunedLogistic):
            return model.fit(table, target, weight, groups)
        if "random_state" in model.get_params() and model.random_state is None:
            model.set_params(random_state=self.seed_)
        weight = weight / weight.mean()
        if np.ptp(weight) > 0 and not takes_sample_weight(model):
            # Rows that were drawn twice can stand there twice.
            times = weight / weight.min()
            if np.allclose(times, np.round(times)) and times.sum() < 10 * len(times):
                again = np.repeat(np.arange(len(times)), np.round(times).astype(int))
                return model.fit(table[again], target[again])
        return fit_weighted(model, table, target, weight)

    def _read(self, model: BaseEstimator, table: np.ndarray) -> np.ndarray:
        proba = np.asarray(model.predict_proba(table), dtype=np.float64)
        out = proba[:, int(np.flatnonzero(model.classes_)[0])]
        wrong = ~((out >= 0) & (out <= 1))
        if wrong.any():
            raise ValueError(
                f"Got a propensity of {out[wrong][0]} from "
                f"{type(model).__name__}.predict_proba, expected numbers from 0 to 1."
            )
        return out

    def predict(self, design: np.ndarray) -> np.ndarray:
        """Propensities of any rows by the model of all training rows, shape (n,)."""
        if self.model_ is None:
            return np.full(len(design), self.rate_)
        return self._read(self.model_, design)

    def frozen(self) -> PropensityModel:
        """The same model with its tuned settings fixed, to be refitted often."""
        new = PropensityModel(self.estimator, self.cv, self.required)
        new.__dict__.update(self.__dict__)
        if isinstance(self.model_, TunedLogistic):
            new.estimator = TunedLogistic(alpha=self.model_.alpha_)
        return new

    def refit(
        self, design: np.ndarray, observed: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """Propensities of the training rows under other weights, in the same folds."""
        rate = float(weight @ observed / weight.sum())
        if self.model_ is None:
            return np.full(len(observed), rate)
        drawn = weight > 0
        if observed[drawn].all() or not observed[drawn].any():
            return np.full(len(observed), rate)
        if self.folds_ is None:
            model = self._fit_one(design[drawn], observed[drawn], weight[drawn], None)
            return self._read(model, design)
        out = np.full(len(observed), rate)
        for train, test in self.folds_:
            out[test] = self.predict_fold(
                design, observed, weight, train[weight[train] > 0], test, None
            )
        return out


def check_clip(clip) -> None:
    """Refuse what is neither None, a pair of probabilities, nor a quantile."""
    if clip is None:
        return
    wanted = "None, a pair 0 <= low < high <= 1, or a quantile between 0.5 and 1"
    if isinstance(clip, tuple | list):
        if len(clip) == 2 and all(
            isinstance(c, int | float | np.number) and 0 <= c <= 1 for c in clip
        ):
            low, high = clip
            if low < high:
                return
    elif 0.5 <= clip < 1:
        return
    raise ValueError(f"Got clip={clip!r}, expected {wanted}.")


def propensity_bounds(
    clip, propensity: np.ndarray, observed: np.ndarray, weight: np.ndarray
) -> tuple[float, float]:
    """Lower and upper bound on propensities; a quantile is one of the weights."""
    if clip is None:
        return 0.0, 1.0
    if isinstance(clip, tuple | list):
        return float(clip[0]), float(clip[1])
    # The smallest propensity that leaves at most a share 1 - q of the rows below.
    order = np.argsort(propensity[observed], kind="stable")
    below = np.cumsum(weight[observed][order])
    at = int(np.searchsorted(below, (1.0 - clip) * below[-1], side="right"))
    return float(propensity[observed][order][min(at, len(order) - 1)]), 1.0


class OutOfFold:
    """Propensities of training rows by models that have not seen them.

    A scorer or a diagnostic gets some of the training rows. The model of all rows has
    seen them, and a flexible one overfits them. Rows are found again by their
    covariates and by whether they are observed; those that agree in both share the
    mean of their propensities.
    """

    def __init__(
        self,
        design: np.ndarray,
        model: PropensityModel,
        observed: np.ndarray,
        kept: np.ndarray,
    ) -> None:
        self.keys: np.ndarray | None = None
        if model.folds_ is not None:
            keys = _row_keys(design[kept], observed[kept])
            known = pd.Series(model.propensity_[kept]).groupby(keys).mean()
            self.keys, self.values = known.index.to_numpy(), known.to_numpy()

    def replace(
        self, propensity: np.ndarray, design: np.ndarray, observed: np.ndarray
    ) -> None:
        """Put the propensities of known rows in their places, in place."""
        if self.keys is None:
            return
        keys = _row_keys(design, observed)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        same = self.keys[at] == keys
        propensity[same] = self.values[at[same]]


def _row_keys(design: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """64 bits for each row; equal for equal rows."""
    keys = observed.astype(np.uint64)
    with np.errstate(over="ignore"):
        for column in design.T:
            # Adding 0 makes one number of 0 and -0.
            part = pd.util.hash_array(np.ascontiguousarray(column) + 0.0)
            keys = keys * np.uint64(1_000_003) + part
    return keys


@dataclass(frozen=True)
class FrozenPropensity:
    """Propensities of one required set, to be refitted to resampled rows.

    ``model`` has its tuned settings fixed, ``design`` holds the standardised
    covariates of all rows, ``propensity`` their clipped propensities as they are.
    ``tested`` are the rows to evaluate; the others only help to fit the propensities.
    """

    model: PropensityModel
    design: np.ndarray
    observed: np.ndarray
    clip: Any
    propensity: np.ndarray
    tested: np.ndarray

    @cached_property
    def rows(self) -> np.ndarray:
        """Observed rows that are evaluated."""
        return np.flatnonzero(self.observed & self.tested)

    def weights(self, base: np.ndarray, refit: bool) -> np.ndarray:
        """Sample weight over propensity of the observed rows, shape (rows.size,).

        ``base`` are the sample weights of all rows, times the number of times that
        each was drawn; ``refit`` fits the propensities to them.
        """
        p = self.propensity
        if refit:
            p = self.model.refit(self.design, self.observed, base)
            drawn = self.observed & (base > 0)
            if drawn.any():
                p = np.clip(p, *propensity_bounds(self.clip, p, drawn, base))
        inside = base[self.rows]
        out = np.zeros(len(self.rows))
        some = inside > 0
        chance = p[self.rows][some]
        if (chance <= 0).any():
            raise ValueError(
                f"Got a propensity of exactly 0 for {int((chance <= 0).sum())} "
                "observed rows in a resample, expected positive ones; use a smoother "
                "estimator or clip."
            )
        out[some] = inside[some] / chance
        return out
