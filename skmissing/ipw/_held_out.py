"""Out-of-fold propensities, found again when rows of fit come back."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._propensity_model import PropensityModel


class HeldOut:
    """Propensities of the rows of fit by models that have not seen them.

    A scorer or a diagnostic gets some of the rows that a weighter was fitted on. The
    model of all rows has seen them, and a flexible one has learnt them by heart. Rows
    are known again by their covariates and by whether they are observed; those that
    agree in both share the mean of their propensities.

    Parameters
    ----------
    design : ndarray of shape (n, n_columns)
        Standardised covariates of the rows of fit.
    model : PropensityModel
        Fitted; without folds there is nothing to remember.
    observed : ndarray of bool of shape (n,)
        Whether they are observed.
    kept : ndarray of bool of shape (n,)
        Rows of positive weight.
    """

    def __init__(
        self,
        design: np.ndarray,
        model: PropensityModel,
        observed: np.ndarray,
        kept: np.ndarray,
    ) -> None:
        self.keys: np.ndarray | None = None
        if model.folds_ is not None:
            keys = _row_keys(design[kept], observed[kept])
            known = pd.Series(model.propensity_[kept]).groupby(keys).mean()
            self.keys, self.values = known.index.to_numpy(), known.to_numpy()

    def replace(
        self, propensity: np.ndarray, design: np.ndarray, observed: np.ndarray
    ) -> None:
        """Put the propensities of known rows in their places.

        Parameters
        ----------
        propensity : ndarray of shape (n,)
            Changed in place.
        design : ndarray of shape (n, n_columns)
            Standardised covariates of any rows.
        observed : ndarray of bool of shape (n,)
            Whether they are observed.
        """
        if self.keys is None:
            return
        keys = _row_keys(design, observed)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        same = self.keys[at] == keys
        propensity[same] = self.values[at[same]]


def _row_keys(design: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """64 bits for each row; equal for equal rows."""
    keys = observed.astype(np.uint64)
    with np.errstate(over="ignore"):
        for column in design.T:
            # Adding 0 makes one number of 0 and -0.
            part = pd.util.hash_array(np.ascontiguousarray(column) + 0.0)
            keys = keys * np.uint64(1_000_003) + part
    return keys
