"""Held-out posteriors of every source, relative to the class prior."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from .._estimation._inner_estimators import (
    FlatTable,
    accepts_nan,
    fit_weighted,
    takes_multimodal,
)
from ..modalities._multimodal_data import MultimodalData
from ._logistic import PenaltySearch, RidgeLogistic
from ._sources import Source


class SourceModel:
    """Posterior model of one source."""

    def __init__(
        self,
        estimator: Any,
        source: Source,
        data: MultimodalData,
        codes: np.ndarray,
        weight: np.ndarray,
        folds: np.ndarray,
        groups: np.ndarray | None,
        seed: int,
        trains: np.ndarray | None = None,
    ) -> None:
        self.source, self.seed, self._trains = source, seed, trains
        self._data, self._codes, self._weight = data, codes, weight
        self._folds, self._groups = folds, groups
        self._n_classes = int(codes.max()) + 1
        self._template = estimator
        shapes = [data.block_shapes[name] for name in source]
        if estimator is None and any(len(shape) > 1 for shape in shapes):
            # Imported here: it needs torch, which tables do not.
            from ..baselines import FusionClassifier

            self._template = FusionClassifier(random_state=seed)
        self._blocks = self._template is not None and takes_multimodal(self._template)
        self._search: PenaltySearch | None = None
        if self._template is None:
            self.n_columns = sum(prod(shape) for shape in shapes)
            # Filled with the means of all rows, which are no function of the labels,
            # so that all folds share one table.
            table = FlatTable(list(source), keep_nan=False).fit(data, weight)
            self._flat = table
            self._table = table.transform(data)
            self._search = PenaltySearch(
                self._table, codes, weight, folds, groups, seed, trains
            )

    def cross_fit(self) -> np.ndarray:
        """Logarithm of posterior over prior by models that have not seen the row."""
        out = np.zeros((len(self._codes), self._n_classes))
        for k in range(int(self._folds.max()) + 1):
            test = self._folds == k
            train = ~test if self._trains is None else self._trains[k]
            out[test] = self._fit(train, k)(self._data[test])
        return out

    def finish(self) -> Any:
        """Fit on all rows, and let the training data go."""
        return self._fit(np.ones(len(self._codes), dtype=bool), None)

    def _fit(self, train: np.ndarray, k: int | None) -> FittedSource:
        y, weight = self._codes[train], self._weight[train]
        mass = np.bincount(y, weight, minlength=self._n_classes)
        prior = mass / mass.sum()
        weight = weight / weight.mean()
        groups = None if self._groups is None else self._groups[train]
        flat: FlatTable | None
        if (prior > 0).sum() < 2:
            return FittedSource(self.source, None, None, prior, len(y))
        if self._search is not None:
            model: Any = RidgeLogistic(self._search.choose(k))
            model.fit(self._table[train], y, weight)
            return FittedSource(self.source, model, self._flat, prior, len(y))
        model = clone(self._template)
        if "random_state" in model.get_params() and model.random_state is None:
            model.set_params(random_state=self.seed)
        data = self._data[train]
        if self._blocks:
            part, flat = data.select(list(self.source)), None
            if groups is not None and has_fit_parameter(model, "groups"):
                model.fit(part, y, sample_weight=weight, groups=groups)
            else:
                fit_weighted(model, part, y, weight)
        else:
            flat = FlatTable(list(self.source), accepts_nan(model)).fit(data, weight)
            fit_weighted(model, flat.transform(data), y, weight)
        return FittedSource(self.source, model, flat, prior, len(y))


class FittedSource:
    """A fitted posterior model, as the logarithm of posterior over prior."""

    def __init__(
        self,
        source: Source,
        model: Any,
        flat: FlatTable | None,
        prior: np.ndarray,
        n_rows: int,
    ) -> None:
        self.source, self.model, self.flat = source, model, flat
        self.prior, self.n_rows = prior, n_rows

    def __call__(self, data: MultimodalData) -> np.ndarray:
        """Read some rows."""
        out = np.zeros((len(data), len(self.prior)))
        if self.model is None or not len(data):
            return out
        X: Any = (
            data.select(list(self.source))
            if self.flat is None
            else self.flat.transform(data)
        )
        if isinstance(self.model, RidgeLogistic):
            log_proba = self.model.predict_log_proba(X)
        else:
            proba = np.asarray(self.model.predict_proba(X), dtype=np.float64)
            if not ((proba >= 0) & (proba <= 1 + 1e-9)).all():
                raise ValueError(
                    f"Got probabilities outside 0 to 1 from {type(self.model).__name__}"
                    ".predict_proba, expected probabilities."
                )
            # n rows cannot tell a probability below about 1 / n from zero, which
            # would cost infinitely much where it is wrong.
            log_proba = np.log(np.maximum(proba, 1.0 / (self.n_rows + 1.0)))
        at = np.asarray(self.model.classes_, dtype=np.intp)
        out[:, at] = log_proba - np.log(self.prior[at])
        return out


class TiltedSource:
    """A fitted posterior model with its temperature."""

    def __init__(self, model: FittedSource, exponent: float) -> None:
        self.model, self.exponent = model, exponent

    def __call__(self, data: MultimodalData) -> np.ndarray:
        """Logarithm of posterior over prior, shape (n, n_classes)."""
        return self.exponent * self.model(data)
