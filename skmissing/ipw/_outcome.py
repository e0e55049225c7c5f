"""The doubly robust mean: propensities and a model of the loss, either may be wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor

from .._inner import takes_sample_weight

# Averages over leaves of at least this many rows are smooth enough to be a mean.
LEAF_ROWS = 10
N_TREES = 100


def augmented_mean(
    values: np.ndarray, weight: np.ndarray, base: np.ndarray, outcome: np.ndarray
) -> float:
    """Mean over all rows, from values known in the observed ones.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Known where ``weight`` is positive, ignored elsewhere.
    weight : ndarray of shape (n,)
        Sample weight times inverse propensity, 0 where not observed.
    base : ndarray of shape (n,)
        Sample weights of all rows.
    outcome : ndarray of shape (n,)
        Modelled mean of the values of all rows, from rows other than these.

    Returns
    -------
    float
        The mean of the model, plus the weighted mean of what it misses. If the model
        is right the second term vanishes whatever the weights; if the propensities are
        right it repairs whatever the model is.
    """
    seen = weight > 0
    miss = weight[seen] @ (values[seen] - outcome[seen]) / weight[seen].sum()
    return float(base @ outcome / base.sum() + miss)


def cross_fit_outcomes(
    model: Any,
    features: np.ndarray,
    values: np.ndarray,
    weight: np.ndarray,
    folds: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Modelled mean of some values in every row, by models of other folds.

    Parameters
    ----------
    model : regressor or None
        Template. None: extremely randomised trees.
    features : ndarray of shape (n, n_features)
        What is known of every row.
    values : ndarray of shape (n, n_values)
        NaN in rows where they are not observed.
    weight : ndarray of shape (n,)
        Sample weights.
    folds : ndarray of int of shape (n,)
        Fold of each row.
    seed : int
        Seed of the trees.

    Returns
    -------
    ndarray of shape (n, n_values)
    """
    seen = ~np.isnan(values).any(axis=1) & (weight > 0)
    out = np.empty(values.shape)
    mean = weight[seen] @ values[seen] / weight[seen].sum()
    if features.shape[1] == 0:
        out[:] = mean
        return out
    for k in np.unique(folds):
        train, test = seen & (folds != k), folds == k
        if not train.any():
            out[test] = mean
            continue
        if model is None:
            # One forest for all values: they share what tells easy rows from hard.
            forest = ExtraTreesRegressor(
                N_TREES, min_samples_leaf=LEAF_ROWS, random_state=seed
            )
            target = values[train, 0] if len(mean) == 1 else values[train]
            forest.fit(features[train], target, sample_weight=weight[train])
            guess = forest.predict(features[test])
            out[test] = guess.reshape(-1, len(mean))
            continue
        for j in range(len(mean)):
            one = clone(model)
            if "random_state" in one.get_params() and one.random_state is None:
                one.set_params(random_state=seed)
            extra = {"sample_weight": weight[train]} if takes_sample_weight(one) else {}
            one.fit(features[train], values[train, j], **extra)
            out[test, j] = one.predict(features[test])
    return out
