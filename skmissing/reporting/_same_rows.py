"""Scores of held-out rows as they are, and of less on the same rows."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer

from .._estimation._resampling import draw_counts, percentile_interval
from .._utils._sklearn_compat import _safe_indexing
from ..exceptions import EmptyRowWarning
from ..inspection import modality_importance
from ..metrics._answers import Answers
from ._held_out import Fold, combine_folds
from ._inputs import Rows, Settings, run_all

# Patterns of the table of scores that hide nothing, and everything.
AS_THEY_ARE, NOTHING = "rows as they are", "nothing known: class shares"
CLASS_SHARES = "class shares"


class ClassShares(ClassifierMixin, BaseEstimator):
    """Predicts the shares of the classes, whatever a row has."""

    def __init__(self, classes, y, weight=None) -> None:
        self.classes_ = classes
        code = np.searchsorted(classes, y)
        mass = np.bincount(code, weight, minlength=len(classes))
        self.shares_ = mass / mass.sum()

    def predict_proba(self, rows) -> np.ndarray:
        """The same probabilities for each row."""
        return np.tile(self.shares_, (len(rows), 1))

    def predict(self, rows) -> np.ndarray:
        """The most frequent class."""
        return np.repeat(self.classes_[self.shares_.argmax()], len(rows))


def compare_folds(
    folds: list[Fold], X, modalities, rows: Rows, settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of all held-out rows, and what they lose with less, folds combined.

    The second table has a row for each modality that is hidden, by the first metric,
    and one for the class shares of the training rows, by the log-likelihood.
    """
    found = run_all(
        _compare_fold, folds, X, modalities, rows, settings, n_jobs=settings.n_jobs
    )
    scores, losses = (pd.concat(tables, ignore_index=True) for tables in zip(*found))
    level = settings.confidence_level
    return combine_folds(scores, level), combine_folds(
        losses, level, ["compared_with", "metric"], ["score", "other", "value"]
    )


def _compare_fold(
    fold: Fold, X, modalities, rows: Rows, settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables for one model on its test rows."""
    test = fold.test
    part, y = _safe_indexing(X, test), rows.y[test]
    weight = None if rows.weight is None else rows.weight[test]
    groups = None if rows.groups is None else rows.groups[test]
    shares = ClassShares(
        fold.model.classes_,
        rows.y[fold.train],
        None if rows.weight is None else rows.weight[fold.train],
    )
    rng = np.random.RandomState(settings.random_state)
    counts = [draw_counts(len(y), groups, rng) for _ in range(settings.n_bootstraps)]
    every = np.arange(len(y))
    draws = [every, *(np.repeat(every, count.astype(int)) for count in counts)]
    models = {AS_THEY_ARE: Answers(fold.model, part), NOTHING: shares}
    scored = {
        (name, metric): _score(model, metric, draws, y, weight)
        for name, model in models.items()
        for metric in dict.fromkeys([*settings.scoring, "neg_log_loss"])
    }
    level = settings.confidence_level
    scores = [
        {
            "pattern": name,
            "n_missing": 0 if name == AS_THEY_ARE else len(rows.names),
            "metric": metric,
            "n_rows": len(y),
            **_summarise(scored[name, metric], level),
        }
        for metric in settings.scoring
        for name in models
    ]
    hidden = modality_importance(
        fold.model, part, y,
        method="leave_one_out",
        scoring=settings.scoring[0],
        n_bootstraps=settings.n_bootstraps,
        confidence_level=level,
        groups=groups,
        sample_weight=weight,
        modalities=modalities,
        random_state=settings.random_state,
    )  # fmt: skip
    columns = ["metric", "value", "std_error", "low", "high"]
    losses = hidden[columns].assign(
        compared_with=hidden["modality"], score=hidden.attrs["score"]
    )
    mine, theirs = (scored[name, "neg_log_loss"] for name in models)
    against = {
        "compared_with": CLASS_SHARES, "metric": "neg_log_loss", "score": mine[0],
        **_summarise(mine - theirs, level),
    }  # fmt: skip
    losses = pd.concat([pd.DataFrame(losses), pd.DataFrame([against])])
    losses = losses.assign(n_rows=len(y), other=losses["score"] - losses["value"])
    return pd.DataFrame(scores), losses


def _score(model, metric: str, draws, y: np.ndarray, weight) -> np.ndarray:
    """Score of all rows, then of each resample; NaN where it is not defined."""
    scorer, out = get_scorer(metric), np.full(len(draws), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyRowWarning)
        for i, index in enumerate(draws):
            options: dict[str, Any] = {}
            if weight is not None:
                options = {"sample_weight": weight[index]}
            # A resample may have one class only.
            with contextlib.suppress(ValueError):
                out[i] = scorer(model, index, y[index], **options)
    return out


def _summarise(scores: np.ndarray, level: float) -> dict[str, float]:
    """Value, error and interval of a score and its resamples."""
    value, drawn = float(scores[0]), scores[1:][~np.isnan(scores[1:])]
    error = low = high = np.nan
    if len(drawn) > 1:
        error = float(drawn.std(ddof=1))
        low, high = map(float, percentile_interval(value, drawn, level))
    return {"value": value, "std_error": error, "low": low, "high": high}
