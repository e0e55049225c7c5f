"""Clusters of possible predictions."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture

# Below this share a component of the mixture is one that the fit has emptied.
SMALLEST = 0.02


def label_weights(log_proba: np.ndarray, method: str, seed: int) -> np.ndarray:
    """Share of the draws that predict each label."""
    n_draws, n_classes = log_proba.shape
    predicted = log_proba.argmax(axis=1)
    if method == "argmax" or n_draws < 20:
        return np.bincount(predicted, minlength=n_classes) / n_draws
    # Logits are defined up to a shift.
    logits = log_proba - log_proba.mean(axis=1, keepdims=True)
    if np.ptp(logits, axis=0).max() < 1e-9:
        return np.bincount(predicted, minlength=n_classes) / n_draws
    # Centred logits lie in a plane, so that full covariances are singular.
    mixture = BayesianGaussianMixture(
        n_components=min(10, n_draws // 10),
        covariance_type="diag",
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=1e-2,
        reg_covar=1e-2,
        max_iter=200,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # What matters is which draws are together, not the last digits of the fit.
        warnings.simplefilter("ignore", ConvergenceWarning)
        cluster = mixture.fit_predict(logits)
    weight = np.zeros(n_classes)
    proba = np.exp(log_proba)
    for k, share in enumerate(mixture.weights_):
        members = cluster == k
        if share < SMALLEST or not members.any():
            continue
        weight[proba[members].mean(axis=0).argmax()] += share
    return weight / weight.sum()
