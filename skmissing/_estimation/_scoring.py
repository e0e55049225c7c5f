"""Whether a metric can work, before any model is fitted."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class _Guess(ClassifierMixin, BaseEstimator):
    """Predicts the class whose number stands in X, not quite for sure."""

    def __init__(self, classes: np.ndarray) -> None:
        self.classes_ = classes

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        k = len(self.classes_)
        return (np.eye(k)[X[:, 0]] + 1.0 / k) / 2.0

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        proba = self.predict_proba(X)
        return proba[:, 1] - 0.5 if len(self.classes_) == 2 else proba

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[X[:, 0]]


def try_scorer(metric, scorer, classes: np.ndarray, parameter: str = "scoring") -> None:
    """Refuse a metric, given by name, that does not take labels of these classes.

    Some want numbers, some two classes.
    """
    if not isinstance(metric, str):
        return
    codes = np.repeat(np.arange(len(classes)), 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scorer(_Guess(classes), codes[:, None], classes[codes])
    except Exception as error:
        shown = classes[:5].tolist()
        more = "" if len(classes) <= 5 else f" and {len(classes) - 5} more"
        reason = str(error).rstrip(".")
        raise ValueError(
            f"Got {parameter}={metric!r} with the labels {shown}{more}, expected a "
            f"metric that takes them, such as 'accuracy' or 'neg_log_loss': {reason}."
        ) from error
