"""Answers of a fitted inner classifier, for rows with any pattern."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._estimation._classifier_mixin import MultimodalClassifierMixin
from .._estimation._inner_estimators import FlatTable
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal


def _inner_has(name: str) -> Any:
    def check(self: Any) -> bool:
        inner = getattr(self, "estimator_", self.estimator)
        return inner is None or hasattr(inner, name)

    return check


def _only_decides(self: Any) -> bool:
    inner = getattr(self, "estimator_", self.estimator)
    return hasattr(inner, "decision_function") and not hasattr(inner, "predict_proba")


class InnerAnswersMixin(MultimodalClassifierMixin):
    """Prediction by ``estimator_``, a classifier on blocks or on a table."""

    # Set by the class that inherits.
    estimator: Any
    estimator_: Any
    use: Any
    use_: list[str]
    _flat: FlatTable | None
    _labels: Any

    def _inputs(self, data: MultimodalData) -> Any:
        """Rows as the inner estimator takes them."""
        if self._flat is None:
            return data.select(self.use_)
        table = self._flat.transform(data)
        return (
            table if self._labels is None else pd.DataFrame(table, columns=self._labels)
        )

    def _check_rows(self, X: Any) -> MultimodalData:
        # Blocks that only the propensity sees may hold text.
        numeric = self.use is None
        return check_multimodal(self, X, self.modalities, reset=False, numeric=numeric)

    def _answerable(self, data: MultimodalData) -> np.ndarray:
        part = data.select(self.use_)
        if self._flat is not None:
            return np.asarray(part.present.all(axis=1))
        if isinstance(self.estimator_, MultimodalClassifierMixin):
            return self.estimator_._answerable(part)
        return np.asarray(part.present.any(axis=1))

    def _lacking(self) -> str:
        if self._flat is None:
            return "a usable modality"
        return f"all of the modalities {self.use_}"

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        rows = self._inputs(data)
        with np.errstate(divide="ignore"):
            if hasattr(self.estimator_, "predict_log_proba"):
                inner = self.estimator_.predict_log_proba(rows)
            else:
                inner = np.log(self.estimator_.predict_proba(rows))
        # A class may show in rows that are not observed alone.
        out = np.full((len(data), len(self.classes_)), -np.inf)
        out[:, np.searchsorted(self.classes_, self.estimator_.classes_)] = inner
        return out

    @available_if(_inner_has("predict_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Log-probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return super().predict_log_proba(X)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Rows sum to 1; columns in the order of ``classes_``.
        """
        return super().predict_proba(X)

    @available_if(_only_decides)
    def decision_function(self, X: Any) -> np.ndarray:
        """Scores of an estimator that has no probabilities.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Rows that have all used modalities: there is no prior on this scale.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        check_is_fitted(self)
        data = self._check_rows(X)
        some = self._answerable(data)
        if not some.all():
            raise ValueError(
                f"Got {int((~some).sum())} rows without {self._lacking()}, expected "
                "rows that have them."
            )
        return self.estimator_.decision_function(self._inputs(data))

    def predict(self, X: Any) -> np.ndarray:
        """Class of each row, as ``estimator`` decides.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels as given in ``fit``.
        """
        check_is_fitted(self)
        data = self._check_rows(X)
        some = self._answerable(data)
        self._warn_unanswerable(some)
        out = np.empty(len(data), dtype=self.classes_.dtype)
        out[:] = self.classes_[np.argmax(self.class_prior_)]
        if some.any():
            rows = self._inputs(data if some.all() else data[some])
            out[some] = self.estimator_.predict(rows)
        return out
