"""Metrics that are evaluated again and again under other weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score, brier_score_loss, get_scorer, log_loss
from sklearn.utils.metaestimators import available_if

from ..._estimation._scoring import try_scorer
from ..._utils._sklearn_compat import is_scorer, response_method, scorer_function
from .._scorer import resolve_scorer

# scikit-learn's own bound in log_loss: an impossible class is not infinitely bad.
EPS = np.finfo(np.float64).eps


@dataclass(eq=False)
class Predictions:
    """Out-of-fold predictions of one model, for the rows that it can predict.

    ``codes`` are the classes of all rows, ``folds`` those that hold them out.
    """

    proba: np.ndarray | None
    predicted: np.ndarray
    codes: np.ndarray
    folds: np.ndarray

    def take_proba(self, name: str) -> np.ndarray:
        """Probabilities, for the metric of some name that needs them."""
        if self.proba is None:
            raise ValueError(
                f"Got the metric {name!r} with an estimator without predict_proba, "
                "expected one that has it, or scoring='accuracy'."
            )
        return self.proba


class MeanMetric:
    """A mean over rows."""

    is_mean = True

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.decides = kind == "accuracy"
        self.needs_proba = not self.decides
        self.limits = (0.0, 1.0) if self.decides else (-np.inf, 0.0)

    def values(self, predictions: Predictions) -> np.ndarray:
        """Contribution of each row; greater is better."""
        codes = predictions.codes
        known = (codes >= 0) & (predictions.predicted >= 0)
        out = np.full(len(codes), np.nan)
        y = codes[known]
        if self.kind == "accuracy":
            out[known] = predictions.predicted[known] == y
            return out
        proba = predictions.take_proba(self.name)[known]
        if self.kind == "neg_log_loss":
            out[known] = np.log(np.clip(proba[np.arange(len(y)), y], EPS, 1 - EPS))
        elif proba.shape[1] == 2:
            out[known] = -((proba[:, 1] - y) ** 2)
        else:
            out[known] = -((proba - np.eye(proba.shape[1])[y]) ** 2).sum(axis=1)
        return out

    def prepare(self, predictions: Predictions, rows: np.ndarray):
        """A function from weights of ``rows`` to the metric."""
        values = self.values(predictions)[rows]
        return lambda weight: float(weight @ values / weight.sum())


@dataclass(eq=False)
class AUCMetric:
    """Area under the ROC curve within folds; one class against the rest beyond two.

    Scores of models of different folds are not comparable: pooled, rows of a fold whose
    training part happened to have fewer positives would rank lower, which pulls the
    area of a useless model below one half.
    """

    name: str

    is_mean = False
    decides = False
    needs_proba = True
    limits = (0.0, 1.0)

    def prepare(self, predictions: Predictions, rows: np.ndarray):
        """A function from weights of ``rows`` to the metric."""
        proba = predictions.take_proba(self.name)
        columns = [1] if proba.shape[1] == 2 else list(range(proba.shape[1]))
        parts = []
        fold = predictions.folds[rows]
        for k in np.unique(fold):
            inside = np.flatnonzero(fold == k)
            y, found = predictions.codes[rows[inside]], proba[rows[inside]]
            parts.append((inside, [_Ranking(found[:, c], y == c) for c in columns]))

        def evaluate(weight: np.ndarray) -> float:
            total, mass = 0.0, 0.0
            for inside, rankings in parts:
                w = weight[inside]
                areas = [ranking.area(w) for ranking in rankings]
                areas = [a for a in areas if not np.isnan(a)]
                if areas:
                    total += w.sum() * sum(areas) / len(areas)
                    mass += w.sum()
            # No fold in which both classes have weight.
            return total / mass if mass > 0 else np.nan

        return evaluate


class _Ranking:
    """Scores sorted once, for the area under the curve under many weights."""

    def __init__(self, score: np.ndarray, positive: np.ndarray) -> None:
        self.order = np.argsort(score, kind="stable")
        ranked = score[self.order]
        self.starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        self.positive = positive[self.order]

    def area(self, weight: np.ndarray) -> float:
        w = weight[self.order]
        up = np.add.reduceat(np.where(self.positive, w, 0.0), self.starts)
        down = np.add.reduceat(np.where(self.positive, 0.0, w), self.starts)
        pairs = up.sum() * down.sum()
        if not pairs > 0:
            return np.nan
        # Ties count one half.
        below = np.cumsum(down) - down / 2.0
        return float(up @ below / pairs)


class ScorerMetric:
    """Any other scorer of scikit-learn that takes weights, within folds."""

    is_mean = False
    limits = (-np.inf, np.inf)

    def __init__(self, name: str, scorer, classes: np.ndarray) -> None:
        self.name, self.scorer, self.classes = name, scorer, classes
        self.decides = response_method(scorer) == "predict"
        self.needs_proba = not self.decides and response_method(scorer) is not None

    def prepare(self, predictions: Predictions, rows: np.ndarray):
        """A function from weights of ``rows`` to the metric."""
        model, fold = _Memory(predictions, self.classes), predictions.folds[rows]

        def evaluate(weight: np.ndarray) -> float:
            total, mass = 0.0, 0.0
            for k in np.unique(fold):
                inside = (fold == k) & (weight > 0)
                if not inside.any():
                    continue
                w, here = weight[inside], rows[inside]
                y = self.classes[predictions.codes[here]]
                score = self.scorer(model, here[:, None], y, sample_weight=w / w.mean())
                total, mass = total + w.sum() * score, mass + w.sum()
            return total / mass if mass > 0 else np.nan

        return evaluate


class _Memory(ClassifierMixin, BaseEstimator):
    """Predicts numbered rows as they were predicted before."""

    def __init__(self, predictions: Predictions, classes: np.ndarray) -> None:
        self.predictions = predictions
        self.classes_ = classes

    @available_if(lambda self: self.predictions.proba is not None)
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.predictions.take_proba("")[X[:, 0]]

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[self.predictions.predicted[X[:, 0]]]


# Functions of scikit-learn that are means over rows, and the metrics that they are.
MEANS = {
    accuracy_score: "accuracy",
    log_loss: "neg_log_loss",
    brier_score_loss: "neg_brier_score",
}


def _find_mean(metric) -> str | None:
    """The mean over rows that a metric is, by its name or as a function; else None."""
    if isinstance(metric, str):
        return metric if metric in MEANS.values() else None
    if not is_scorer(metric):
        return "accuracy" if metric is accuracy_score else None
    name = MEANS.get(scorer_function(metric))
    same = name is not None and repr(metric) == repr(get_scorer(name))
    return name if same else None


def resolve_metrics(scoring, classes: np.ndarray) -> list[Any]:
    """Metrics by name, in the order asked for."""
    area = "roc_auc" if len(classes) == 2 else "roc_auc_ovr"
    if scoring is None:
        scoring = [area, "neg_log_loss", "accuracy", "neg_brier_score"]
    if isinstance(scoring, str) or callable(scoring):
        scoring = [scoring]
    if not isinstance(scoring, dict):
        names = [getattr(m, "__name__", "score") if callable(m) else m for m in scoring]
        if len(set(names)) < len(names):
            raise ValueError(f"Got scoring={scoring!r}, expected distinct metrics.")
        scoring = dict(zip(names, scoring))
    if not scoring:
        raise ValueError("Got no metric in scoring, expected at least one.")
    out: list[Any] = []
    for name, metric in scoring.items():
        mean = _find_mean(metric)
        if mean is not None:
            out.append(MeanMetric(name, mean))
        elif metric in ("roc_auc_ovr", area):
            out.append(AUCMetric(name))
        else:
            scorer = resolve_scorer(metric)
            try_scorer(metric, scorer, classes)
            out.append(ScorerMetric(name, scorer, classes))
    return out
