"""A table as input of a linear model, as encoders scale vectors."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from ..modalities._scaling import fit_scaler

# Share of NaN from which on a feature gets an indicator.
MIN_GAPS = 0.05


class TableScaler(TransformerMixin, BaseEstimator):
    """Standardised features, ranks of heavy tails as normal scores, gaps as 0.

    Features with enough NaN get another column that says where.
    """

    def fit(self, X, y=None, sample_weight=None):  # noqa: ARG002
        """Take the statistics of the columns of an array."""
        X = np.asarray(X, dtype=np.float64)
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        rows = np.asarray(weight) > 0
        self.scaler_ = fit_scaler(X, rows, weight, (), "auto", indicate=MIN_GAPS)
        return self

    def transform(self, X) -> np.ndarray:
        """The table without NaN, float64."""
        values = np.asarray(X, dtype=np.float64)
        return self.scaler_.transform("X", values, np.dtype(np.float64))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
