"""The propensity of one required set, with or without cross-fitting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.model_selection import check_cv

from .._estimation._chunked_logistic import fit_by_chunks
from .._estimation._folds import assign_folds, run_splitter
from .._estimation._inner_estimators import (
    clone_seeded,
    fit_weighted,
    takes_sample_weight,
)
from .._estimation._tuned_logistic import TunedLogistic, WeightedTable
from ._chunked_table import ChunkedTable

Fit = Callable[[WeightedTable], Any]


@dataclass(eq=False, repr=False)
class PropensityModel:
    """P(observed | covariates) for one required set of modalities.

    The classes of its tables are whether rows are observed.
    """

    estimator: Any
    cv: Any
    required: list[str]
    # Folds whose models are fitted at once.
    n_jobs: int | None = 1

    def fit(self, table: WeightedTable, seed: int) -> PropensityModel:
        """Fit on the rows with positive weight."""
        n, kept = len(table.y), np.flatnonzero(table.weight > 0)
        self.model_, self.folds_, self.seed_ = None, None, seed
        observed = table.y[kept]
        # Where all are observed there is nothing to model, and nothing to warn of.
        self.rate_ = 1.0 if observed.all() else _mean_observed(table)
        if observed.all() or table.X.shape[1] == 0:
            self.propensity_ = np.full(n, self.rate_)
            return self
        if isinstance(table.X, ChunkedTable):
            return self._fit_by_chunks(table.X, table, kept)
        used = table if len(kept) == n else table.take(kept)
        self.model_ = self._fit_one(used)
        self.propensity_ = self._read(self.model_, table.X)
        if self.cv is not None:
            splits = self._split(used)
            self.folds_ = [(kept[train], kept[test]) for train, test in splits]
            found = Parallel(n_jobs=self.n_jobs)(
                delayed(self._predict_fold)(self._fit_one, table, train, test)
                for train, test in self.folds_
            )
            for (_, test), values in zip(self.folds_, found):
                self.propensity_[test] = values
            # A scorer or a diagnostic gets some of the training rows, which a flexible
            # model of all rows overfits. They are found again by their covariates and
            # by whether they are observed; equal ones share the mean.
            known = pd.Series(self.propensity_[kept])
            self._out_of_fold = known.groupby(_row_keys(used.X, observed)).mean()
        return self

    def _fit_by_chunks(
        self, X: ChunkedTable, table: WeightedTable, kept: np.ndarray
    ) -> PropensityModel:
        """Fit the default model on a table that is read chunk by chunk."""
        rest = table._replace(X=np.empty((len(table.y), 0)))
        trains, fold = [table.weight > 0], np.full(len(table.y), -1)
        if self.cv is not None:
            splits = self._split(rest.take(kept))
            self.folds_ = [(kept[train], kept[test]) for train, test in splits]
            for k, (train, test) in enumerate(self.folds_):
                fold[test] = k
                trains.append(np.zeros(len(fold), dtype=bool))
                trains[-1][train] = True
        mixed = [0 < table.y[t].sum() < t.sum() for t in trains]
        found = iter(
            fit_by_chunks(X, rest, [t for t, m in zip(trains, mixed) if m], self.seed_)
        )
        self.model_, *others = [next(found) if m else None for m in mixed]
        self.propensity_ = np.empty(len(fold))
        keys = []
        for part, values in X.chunks():
            out, own = self._read(self.model_, values), fold[part]
            for k in np.unique(own[own >= 0]):
                here = own == k
                model = others[k]
                # Too few rows of one kind to be in every fold.
                out[here] = (
                    self.rate_ if model is None else self._read(model, values[here])
                )
            self.propensity_[part] = out
            if self.cv is not None:
                keys.append(_row_keys(values, table.y[part]))
        if self.cv is not None:
            known = pd.Series(self.propensity_[kept])
            self._out_of_fold = known.groupby(np.concatenate(keys)[kept]).mean()
        return self

    def _predict_fold(
        self, fit: Fit, table: WeightedTable, train: np.ndarray, test: np.ndarray
    ) -> np.ndarray:
        """Propensities of the rows ``test`` by a model of the rows ``train``."""
        used = table.take(train)
        if used.y.all() or not used.y.any():
            # Too few rows of one kind to be in every fold.
            return np.full(len(test), self.rate_)
        return self._read(fit(used), table.X[test])

    def _split(self, table: WeightedTable) -> list[tuple[np.ndarray, np.ndarray]]:
        n = len(table.y)
        if isinstance(self.cv, Integral):
            n_folds = int(self.cv)
            if not 2 <= n_folds <= n:
                raise ValueError(
                    f"Got cv={self.cv} for {n} rows, expected an integer from 2 to the "
                    "number of rows."
                )
            rng = np.random.RandomState(self.seed_)
            folds = assign_folds(table.y.astype(int), n_folds, rng, table.groups)
            return [
                (np.flatnonzero(folds != k), np.flatnonzero(folds == k))
                for k in range(n_folds)
            ]
        splitter = check_cv(self.cv, table.y, classifier=True)
        given = run_splitter(splitter, table.X, table.y, table.groups)
        tests = np.concatenate([np.arange(n)[test] for _, test in given])
        if not np.array_equal(np.sort(tests), np.arange(n)):
            raise ValueError(
                f"Got cv={self.cv!r}, expected a partition: every row (of positive "
                "weight) in exactly one test set."
            )
        return given

    def _fit_one(self, table: WeightedTable):
        template = TunedLogistic() if self.estimator is None else self.estimator
        model = clone_seeded(template, self.seed_)
        if isinstance(model, TunedLogistic):
            return model.fit(*table)
        weight = table.weight / table.weight.mean()
        if np.ptp(weight) > 0 and not takes_sample_weight(model):
            # Rows that were drawn twice can stand there twice.
            times = weight / weight.min()
            if np.allclose(times, np.round(times)) and times.sum() < 10 * len(times):
                again = np.repeat(np.arange(len(times)), np.round(times).astype(int))
                return model.fit(table.X[again], table.y[again])
        return fit_weighted(model, table.X, table.y, weight)

    def _read(self, model: BaseEstimator, X: np.ndarray) -> np.ndarray:
        proba = np.asarray(model.predict_proba(X), dtype=np.float64)
        out = proba[:, int(np.flatnonzero(model.classes_)[0])]
        wrong = ~((out >= 0) & (out <= 1))
        if wrong.any():
            raise ValueError(
                f"Got a propensity of {out[wrong][0]} from "
                f"{type(model).__name__}.predict_proba, expected numbers from 0 to 1."
            )
        return out

    def predict(self, X: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
        """Propensities of any rows by the model of all training rows, shape (n,).

        Training rows get those out of fold where ``observed`` is given.
        """
        if self.model_ is None:
            return np.full(len(X), self.rate_)
        out = self._read(self.model_, X)
        if observed is not None and self.folds_ is not None:
            keys, known = _row_keys(X, observed), self._out_of_fold.index.to_numpy()
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            same = known[at] == keys
            out[same] = self._out_of_fold.to_numpy()[at[same]]
        return out

    def refit(self, table: WeightedTable) -> np.ndarray:
        """Propensities of the training rows under other weights.

        Folds and tuned settings stay as they are.
        """
        out = np.full(len(table.y), _mean_observed(table))
        drawn = table.weight > 0
        observed = table.y[drawn]
        if self.model_ is None or observed.all() or not observed.any():
            return out
        fit: Fit = self._fit_one
        if isinstance(self.model_, TunedLogistic):
            fit = self.model_.refit
        if self.folds_ is None:
            return self._read(fit(table.take(drawn)), table.X)
        for train, test in self.folds_:
            out[test] = self._predict_fold(fit, table, train[drawn[train]], test)
        return out


def _mean_observed(table: WeightedTable) -> float:
    return float(table.weight @ table.y / table.weight.sum())


def check_clip(clip) -> None:
    """Refuse a pair that is no interval of probabilities."""
    if isinstance(clip, tuple | list):
        numbers = len(clip) == 2 and all(isinstance(c, Real) for c in clip)
        if not (numbers and 0 <= clip[0] < clip[1] <= 1):
            raise ValueError(
                f"Got clip={clip!r}, expected a pair 0 <= low < high <= 1."
            )


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

    ``design`` holds the standardised covariates of all rows, ``propensity`` their
    clipped propensities as they are. ``tested`` are the rows to evaluate; the others
    only help to fit the propensities.
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
            p = self.model.refit(WeightedTable(self.design, self.observed, base))
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
