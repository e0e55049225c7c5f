"""Held-out posteriors of every source, relative to the class prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from .._estimation._folds import Folds
from .._estimation._inner_estimators import (
    FlatTable,
    accepts_nan,
    clone_seeded,
    fit_weighted,
    takes_multimodal,
)
from .._estimation._rows import LabelledRows
from .._estimation._tuned_logistic import PenaltySearch, RidgeLogistic, WeightedTable
from ..modalities._multimodal_data import MultimodalData
from ._sources import Source


class SourceModel:
    """Posterior model of one source; ``template`` None takes the default."""

    def __init__(
        self, template, source: Source, rows: LabelledRows, folds: Folds, seed: int
    ) -> None:
        self.source, self.seed = source, seed
        self._rows, self._folds = rows, folds
        shapes = [rows.data.block_shapes[name] for name in source]
        if template is None and any(len(shape) > 1 for shape in shapes):
            # Imported here: it needs torch, which tables do not.
            from ..baselines import FusionClassifier

            template = FusionClassifier(random_state=seed)
        self._template = template
        self._blocks = template is not None and takes_multimodal(template)
        self._search: PenaltySearch | None = None
        if template is None:
            # Filled with the means of all rows, which are no function of the labels,
            # so that all folds share one table.
            flat = FlatTable(list(source), keep_nan=False).fit(rows.data, rows.weight)
            self._flat = flat
            self._table = flat.transform(rows.data)
            table = WeightedTable(self._table, rows.y, rows.weight, rows.groups)
            trains = None if folds.train_on_rest else np.array(folds.trains)
            self._search = PenaltySearch(table, folds.fold, seed, trains)

    def cross_fit(self) -> np.ndarray:
        """Logarithm of posterior over prior by models that have not seen the row."""
        rows, fold = self._rows, self._folds.fold
        out = np.zeros((len(rows), len(rows.classes)))
        for k, train in enumerate(self._folds.trains):
            out[fold == k] = self._fit(train, k)(rows.data[fold == k])
        return out

    def fit_all(self) -> FittedSource:
        """Fit on all rows; the model does not keep them."""
        return self._fit(np.ones(len(self._rows), dtype=bool), None)

    def _fit(self, train: np.ndarray, k: int | None) -> FittedSource:
        rows = self._rows
        y, weight = rows.y[train], rows.weight[train]
        mass = np.bincount(y, weight, minlength=len(rows.classes))
        prior = mass / mass.sum()
        weight = weight / weight.mean()
        groups = None if rows.groups is None else rows.groups[train]
        flat: FlatTable | None
        if (prior > 0).sum() < 2:
            return FittedSource(self.source, None, None, prior, len(y))
        if self._search is not None:
            model: Any = RidgeLogistic(self._search.choose(k))
            model.fit(WeightedTable(self._table[train], y, weight))
            return FittedSource(self.source, model, self._flat, prior, len(y))
        model = clone_seeded(self._template, self.seed)
        data = rows.data[train]
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


@dataclass(frozen=True)
class FittedSource:
    """A fitted posterior model, as the logarithm of posterior over prior.

    ``model`` is None where the training rows have one class only, ``flat`` for models
    that take blocks. ``prior`` and ``n_rows`` are those of the training rows. The ratio
    is raised to the power ``exponent``.
    """

    source: Source
    model: Any
    flat: FlatTable | None
    prior: np.ndarray
    n_rows: int
    exponent: float = 1.0

    def __call__(self, data: MultimodalData) -> np.ndarray:
        """Logarithm of posterior over prior, 0 for classes without training rows."""
        out = np.zeros((len(data), len(self.prior)))
        if self.model is None or not len(data):
            return out
        flat = self.flat
        X: Any = data.select([*self.source]) if flat is None else flat.transform(data)
        if isinstance(self.model, RidgeLogistic):
            log_proba = self.model.predict_log_proba(X)
        else:
            proba = np.asarray(self.model.predict_proba(X), dtype=np.float64)
            if not ((proba >= 0) & (proba <= 1 + 1e-9)).all():
                raise ValueError(
                    f"Got probabilities outside 0 to 1 from {type(self.model).__name__}"
                    ".predict_proba, expected probabilities."
                )
            # n rows cannot distinguish a probability below about 1 / n from zero,
            # which would cost infinitely much where it is wrong.
            log_proba = np.log(np.maximum(proba, 1.0 / (self.n_rows + 1.0)))
        at = np.asarray(self.model.classes_, dtype=np.intp)
        out[:, at] = self.exponent * (log_proba - np.log(self.prior[at]))
        return out
