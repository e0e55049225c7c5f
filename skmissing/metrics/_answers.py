"""Predictions that are made once, for scores of many resamples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if


def _has(method: str) -> Callable[[Any], bool]:
    return lambda self: hasattr(self.estimator, method)


class Answers(ClassifierMixin, BaseEstimator):
    """Predictions of a fitted classifier for rows whose numbers stand in X.

    The classifier is asked once for each kind of answer, so that scorers can be run on
    many resamples.
    """

    def __init__(self, estimator, rows) -> None:
        self.estimator = estimator
        self.rows = rows
        self.classes_ = estimator.classes_
        self._known: dict[str, np.ndarray] = {}

    def _answer(self, method: str, index: np.ndarray) -> np.ndarray:
        if method not in self._known:
            self._known[method] = np.asarray(getattr(self.estimator, method)(self.rows))
        return self._known[method][index]

    def predict(self, index: np.ndarray) -> np.ndarray:
        """Labels."""
        return self._answer("predict", index)

    @available_if(_has("predict_proba"))
    def predict_proba(self, index: np.ndarray) -> np.ndarray:
        """Probabilities."""
        return self._answer("predict_proba", index)

    @available_if(_has("decision_function"))
    def decision_function(self, index: np.ndarray) -> np.ndarray:
        """Decision values."""
        return self._answer("decision_function", index)
