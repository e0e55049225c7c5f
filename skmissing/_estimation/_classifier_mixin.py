"""Prediction that every classifier of the package shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from .._utils._warn import warn_user
from ..exceptions import EmptyRowWarning
from ..modalities._multimodal_data import MultimodalData
from ..modalities._tags import tag_multimodal
from ..modalities._validation import check_multimodal


class MultimodalClassifierMixin(ClassifierMixin):
    """Probabilities and labels for rows with any pattern of missing modalities.

    A class defines :meth:`_log_proba` and :meth:`_answerable`, and sets ``classes_``
    and ``class_prior_`` in ``fit``.
    """

    modalities: Any
    classes_: np.ndarray
    class_prior_: np.ndarray

    @abstractmethod
    def _answerable(self, data: MultimodalData) -> np.ndarray:
        """Rows that have a modality which the model uses, shape (n,)."""

    @abstractmethod
    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        """Log-probabilities of answerable rows, float64 of shape (n, n_classes)."""

    def _while_predicting(self) -> AbstractContextManager:
        """What holds during :meth:`_log_proba`."""
        return nullcontext()

    def _check_rows(self, X) -> MultimodalData:
        """X in any of its forms, as in fit."""
        return check_multimodal(self, X, self.modalities, reset=False)

    def _lacking(self) -> str:
        """What is missing in a row that gets the prior, for the warning."""
        return "a usable modality"

    def _predictor(self) -> str:
        """What predicts, for messages."""
        return type(self).__name__

    def _warn_unanswerable(self, some: np.ndarray) -> None:
        """One warning per call, with the count."""
        if not some.all():
            warn_user(
                f"Got {int((~some).sum())} of {len(some)} rows without "
                f"{self._lacking()}; they are predicted with the class prior.",
                EmptyRowWarning,
            )

    def can_predict(self, X) -> np.ndarray:
        """Which rows have a modality that the model uses.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Rows with any pattern of missing modalities.

        Returns
        -------
        ndarray of bool of shape (n_samples,)
            The others are predicted with the class prior.
        """
        check_is_fitted(self)
        return self._answerable(self._check_rows(X))

    def predict_log_proba(self, X) -> np.ndarray:
        """Log-probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities. Rows without a usable modality get the
            class prior, with one warning.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._answer(X, self._log_proba)

    def _answer(
        self, X, log_proba: Callable[[MultimodalData], np.ndarray]
    ) -> np.ndarray:
        """Log-probabilities by a function of the answerable rows, else the prior."""
        check_is_fitted(self)
        data = self._check_rows(X)
        some = self._answerable(data)
        with np.errstate(divide="ignore"):
            out = np.tile(np.log(self.class_prior_), (len(data), 1))
        self._warn_unanswerable(some)
        if some.any():
            with self._while_predicting():
                out[some] = log_proba(data if some.all() else data[some])
        undefined = np.isnan(out).any(axis=1)
        if undefined.any():
            raise ValueError(
                f"Got NaN as the prediction for {int(undefined.sum())} of {len(out)} "
                f"rows from {self._predictor()}, expected probabilities: its model "
                "cannot cope with values of these rows, or of its training rows."
            )
        return out

    def predict_proba(self, X) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities. Rows without a usable modality get the
            class prior, with one warning.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Rows sum to 1; columns in the order of ``classes_``.
        """
        proba = np.exp(self.predict_log_proba(X))
        return proba / proba.sum(axis=1, keepdims=True)

    def predict(self, X) -> np.ndarray:
        """Most probable class.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels as given in ``fit``.
        """
        scores = self.predict_log_proba(X)
        return self.classes_[np.argmax(scores, axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tag_multimodal(tags)
