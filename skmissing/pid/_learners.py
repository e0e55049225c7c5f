"""Learners of posteriors, each with a path of settings to choose from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed
from scipy.special import log_softmax
from sklearn.ensemble import HistGradientBoostingClassifier

from .._estimation._folds import Folds
from .._estimation._inner_estimators import accepts_nan, clone_seeded, fit_weighted
from .._estimation._number_table import NumberTable
from .._estimation._rows import LabelledRows
from .._estimation._tuned_logistic import (
    ALPHAS,
    PenaltySearch,
    RidgeLogistic,
    WeightedTable,
    fit_path,
)
from ..modalities._multimodal_data import MultimodalData
from ._views import Filled, Kernel, Splines, View

# Iterations of boosting to choose from.
STAGES = (3, 6, 12, 25, 50, 100)
# Columns times classes times iterations that take a few seconds in a thousand rows.
BOOSTING_WORK = 20_000
# Fewer iterations than this are not worth it.
LEAST_STAGES = 12
# Rows of models whose probabilities need no lower bound.
UNBOUNDED = 10**300
# Columns up to which each gets a spline, and a kernel is made of all.
SPLINE_COLUMNS, KERNEL_COLUMNS = 60, 1000

Predict = Callable[[Any], np.ndarray]


@dataclass(frozen=True)
class FittedLearner:
    """A fitted posterior model, as the logarithm of posterior over prior.

    ``predict`` takes the view of the table of a source, or its blocks if there is no
    ``view``. ``prior`` and ``n_rows`` are those of the training rows.
    """

    source: NumberTable | None
    view: View | None
    predict: Predict | None
    classes: np.ndarray
    prior: np.ndarray
    n_rows: int

    def __call__(self, data: MultimodalData) -> np.ndarray:
        """Logarithm of posterior over prior, 0 for classes without training rows."""
        if self.predict is None or self.source is None or not len(data):
            return np.zeros((len(data), len(self.prior)))
        if self.view is None:
            X: Any = data.select([*self.source.names])
        else:
            X = self.view(self.source.transform(data))
        return self.relate(self.predict(X))

    def relate(self, log_proba: np.ndarray) -> np.ndarray:
        """Log probabilities (..., n_classes of training) relative to the prior."""
        out = np.zeros((*log_proba.shape[:-1], len(self.prior)))
        # n rows cannot distinguish a probability below about 1 / n from zero, which
        # would cost infinitely much where it is wrong.
        log_proba = np.maximum(log_proba, -np.log(float(self.n_rows) + 1.0))
        out[..., self.classes] = log_proba - np.log(self.prior[self.classes])
        return out


class Learner(ABC):
    """Learns the posterior of one source; ``table`` has its used rows as numbers."""

    name: str
    kind: type[View] = View
    in_log_space = False

    def __init__(
        self,
        source: NumberTable,
        table: np.ndarray,
        rows: LabelledRows,
        folds: Folds,
        seed: int,
    ) -> None:
        self.source, self.rows, self.folds, self.seed = source, rows, folds, seed
        view = self.kind(table, rows.weight)
        self.view: View | None = view
        self.X: Any = view(table)

    @property
    def table(self) -> WeightedTable:
        """The columns that the learner sees, with labels and weights."""
        rows = self.rows
        return WeightedTable(self.X, rows.y, rows.weight, rows.groups)

    @abstractmethod
    def fit_path(self, train: np.ndarray, k: int | None) -> Predict:
        """Fit all settings; log probabilities of shape (n_settings, n, n_classes)."""

    @abstractmethod
    def fit_one(self, setting: int) -> Predict:
        """Fit one setting on all rows; log probabilities of shape (n, n_classes)."""

    def cross_fit(self, n_jobs: int | None = None) -> np.ndarray:
        """Logarithm of posterior over prior by models that have not seen the row.

        Of shape (n, n_settings, K).
        """
        folds = self.folds
        parts: list[np.ndarray | None] = Parallel(n_jobs=n_jobs)(
            delayed(self._predict_fold)(k) for k in range(len(folds.trains))
        )
        n_settings = max((len(p) for p in parts if p is not None), default=1)
        out = np.zeros((len(self.rows), n_settings, len(self.rows.classes)))
        for k, part in enumerate(parts):
            if part is not None:
                out[folds.fold == k] = part.transpose(1, 0, 2)
        return out

    def _predict_fold(self, k: int) -> np.ndarray | None:
        """Ratios of the rows of a fold; None where the others have one class only."""
        train = self.folds.trains[k]
        frame = self._frame(train)
        if len(frame.classes) < 2:
            return None
        return frame.relate(self.fit_path(train, k)(self.X[self.folds.fold == k]))

    def fit_all(self, setting: int) -> FittedLearner:
        """Fit one setting on all rows; the model does not keep them."""
        frame = self._frame(np.ones(len(self.rows), dtype=bool))
        return FittedLearner(
            self.source,
            self.view,
            self.fit_one(setting),
            frame.classes,
            frame.prior,
            frame.n_rows,
        )

    def _frame(self, train: np.ndarray) -> FittedLearner:
        frame = frame_of(self.rows, train)
        # In log space a regression stays finite by itself.
        return replace(frame, n_rows=UNBOUNDED) if self.in_log_space else frame


def frame_of(rows: LabelledRows, train: np.ndarray) -> FittedLearner:
    """What the classes of some training rows say of a model of them."""
    mass = np.bincount(rows.y[train], rows.weight[train], minlength=len(rows.classes))
    prior = mass / mass.sum()
    return FittedLearner(
        None, None, None, np.flatnonzero(prior > 0), prior, int(train.sum())
    )


class Linear(Learner):
    """Ridge logistic regression; its penalty is chosen within the training rows."""

    name = "linear"
    in_log_space = True
    kind = Filled

    def __init__(
        self,
        source: NumberTable,
        table: np.ndarray,
        rows: LabelledRows,
        folds: Folds,
        seed: int,
    ) -> None:
        super().__init__(source, table, rows, folds, seed)
        trains = None if folds.train_on_rest else np.array(folds.trains)
        self._search = PenaltySearch(self.table, folds.fold, seed, trains)

    def fit_path(self, train: np.ndarray, k: int | None) -> Predict:
        """The path has one setting, as the search keeps the fold out by itself."""
        table = self.table.take(train)
        weight = table.weight / table.weight.mean()
        model = RidgeLogistic(self._search.choose(k))
        model.fit(WeightedTable(table.X, table.y, weight))
        return lambda X: model.predict_log_proba(X)[None]

    def fit_one(self, setting: int) -> Predict:  # noqa: ARG002
        """Choose and fit on all rows."""
        model = RidgeLogistic(self._search.choose(None)).fit(self.table)
        return model.predict_log_proba


class LogisticPath(Learner):
    """Logistic regression of a view, of every ridge penalty."""

    standardize: ClassVar[bool]
    in_log_space = True

    def fit_path(self, train: np.ndarray, k: int | None) -> Predict:  # noqa: ARG002
        """From the strongest penalty on."""
        table = self.table.take(train)
        models = list(fit_path(table, ALPHAS, standardize=self.standardize))
        return lambda X: np.array([model.predict_log_proba(X) for model in models])

    def fit_one(self, setting: int) -> Predict:
        """Fit with one penalty."""
        alpha = ALPHAS[::-1][setting]
        model = RidgeLogistic(alpha, standardize=self.standardize).fit(self.table)
        return model.predict_log_proba


class AdditiveSplines(LogisticPath):
    """A smooth function of each feature."""

    name = "splines"
    kind = Splines
    standardize = True


class KernelLogistic(LogisticPath):
    """A smooth function of all features together."""

    name = "kernel"
    kind = Kernel
    standardize = False


class BoostedTrees(Learner):
    """Gradient boosting; the number of trees is chosen."""

    name = "boosted trees"
    kind = View

    def __init__(
        self,
        source: NumberTable,
        table: np.ndarray,
        rows: LabelledRows,
        folds: Folds,
        seed: int,
    ) -> None:
        super().__init__(source, table, rows, folds, seed)
        limit = boosting_stages(self.X.shape[1], len(rows.classes))
        self.stages = [stage for stage in STAGES if stage <= limit]

    def _fit(self, train: np.ndarray, max_iter: int) -> HistGradientBoostingClassifier:
        table = self.table.take(train)
        model = HistGradientBoostingClassifier(
            max_iter=max_iter, early_stopping=False, random_state=self.seed
        )
        # Bins of weighted values take ten times as long.
        weight = None if np.ptp(table.weight) == 0 else table.weight
        return model.fit(table.X, table.y, sample_weight=weight)

    def fit_path(self, train: np.ndarray, k: int | None) -> Predict:  # noqa: ARG002
        """One forest, read after every stage."""
        model = self._fit(train, self.stages[-1])

        def predict(X: np.ndarray) -> np.ndarray:
            scores = enumerate(model.staged_decision_function(X), start=1)
            return np.array([_softmax(s) for i, s in scores if i in self.stages])

        return predict

    def fit_one(self, setting: int) -> Predict:
        """As many trees as were chosen."""
        model = self._fit(np.ones(len(self.rows), dtype=bool), self.stages[setting])
        return TreeScores(model)


def boosting_stages(n_columns: int, n_classes: int) -> int:
    """Iterations of boosting that a table has time for."""
    n_trees = 1 if n_classes == 2 else n_classes
    return BOOSTING_WORK // (n_columns * n_trees)


def _softmax(score: np.ndarray) -> np.ndarray:
    """Log probabilities from scores; those of two classes are one column."""
    if score.ndim == 1 or score.shape[1] == 1:
        score = np.column_stack([np.zeros(len(score)), score.reshape(-1)])
    return log_softmax(score, axis=1)


class Template(Learner):
    """A clone of a classifier, on a table of numbers."""

    name = "estimator"

    def __init__(
        self,
        source: NumberTable,
        table: np.ndarray,
        rows: LabelledRows,
        folds: Folds,
        seed: int,
        template,
    ) -> None:
        self.kind = View if accepts_nan(template) else Filled
        super().__init__(source, table, rows, folds, seed)
        self.template = template
        self.name = type(template).__name__

    def fit_path(self, train: np.ndarray, k: int | None) -> Predict:  # noqa: ARG002
        """A single setting."""
        model = self._fit(train)
        return lambda X: model(X)[None]

    def fit_one(self, setting: int) -> Predict:  # noqa: ARG002
        """Fit on all rows."""
        return self._fit(np.ones(len(self.rows), dtype=bool))

    def _fit(self, train: np.ndarray) -> Probabilities:
        model, weight = clone_seeded(self.template, self.seed), self.rows.weight[train]
        groups = None if self.rows.groups is None else self.rows.groups[train]
        y, weight = self.rows.y[train], weight / weight.mean()
        return Probabilities(fit_weighted(model, self.X[train], y, weight, groups))


class BlockTemplate(Template):
    """A clone of a classifier that takes blocks."""

    def __init__(
        self, source: NumberTable, rows: LabelledRows, folds: Folds, seed: int, template
    ) -> None:
        self.source, self.rows, self.folds = source, rows, folds
        self.template, self.seed = template, seed
        self.name, self.view = type(template).__name__, None
        self.X = rows.data.select([*source.names])


@dataclass(frozen=True)
class Probabilities:
    """Log probabilities of a fitted classifier."""

    model: Any

    def __call__(self, X: Any) -> np.ndarray:
        proba = np.asarray(self.model.predict_proba(X), dtype=np.float64)
        if not ((proba >= 0) & (proba <= 1 + 1e-9)).all():
            raise ValueError(
                f"Got probabilities outside 0 to 1 from {type(self.model).__name__}"
                ".predict_proba, expected probabilities."
            )
        with np.errstate(divide="ignore"):
            return np.log(proba)


@dataclass(frozen=True)
class TreeScores:
    """Log probabilities of boosted trees."""

    model: HistGradientBoostingClassifier

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return _softmax(self.model.decision_function(X))


def candidates(table: np.ndarray, n_classes: int, shaped: bool) -> list[type[Learner]]:
    """Default learners that suit a table; images and series have nets besides."""
    n_columns = table.shape[1]
    out: list[type[Learner]] = [Linear]
    if n_columns <= SPLINE_COLUMNS and not shaped:
        out.append(AdditiveSplines)
    if 1 < n_columns <= KERNEL_COLUMNS and not shaped:
        out.append(KernelLogistic)
    if boosting_stages(n_columns, n_classes) >= LEAST_STAGES:
        out.append(BoostedTrees)
    return out
