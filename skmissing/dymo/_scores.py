"""Confidence, plausibility and reward of fused modalities, in log space and float64.

The symbols are those of the Notes of :class:`~skmissing.dymo.DyMoSelector`.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr


def similarities(z: np.ndarray, prototypes: np.ndarray, distance: str) -> np.ndarray:
    """Similarity s_k of features to class prototypes; -inf for one without."""
    known = ~np.isnan(prototypes).any(axis=1)
    centers = np.where(known[:, None], prototypes, 0.0)
    if distance == "cosine":
        # Prototypes are means of unit vectors and shorter than 1, on purpose: a class
        # that is spread wide is less similar to all features.
        out = z @ centers.T
    else:
        out = -np.square(z[:, None, :] - centers[None]).sum(axis=2)
    return np.where(known, out, -np.inf)


def confidence_loss(scores: np.ndarray) -> np.ndarray:
    """Negative log of the largest softmax probability q, exact also where it is near 0.

    It is the log of 1 plus the other terms: q itself is rounded to 1 long before this
    is rounded to 0.
    """
    best = scores.argmax(axis=1)[:, None]
    gaps = scores - np.take_along_axis(scores, best, axis=1)
    others = np.exp(gaps)
    np.put_along_axis(others, best, 0.0, axis=1)
    return np.log1p(others.sum(axis=1))


def distances(z: np.ndarray, centers: np.ndarray, distance: str) -> np.ndarray:
    """Distance d of features to one prototype each; cosine: 1 minus the product."""
    if distance == "cosine":
        return 1.0 - (z * centers).sum(axis=1)
    return np.sqrt(np.square(z - centers).sum(axis=1))


def log_halfnormal(ratio: np.ndarray) -> np.ndarray:
    """Log of the chance ``2 (1 - Phi(r))`` of a half-normal number above r.

    The chance itself is 0 in float32 from r = 5.5 on, where all recoveries would look
    equally plausible.
    """
    return np.log(2.0) + log_ndtr(-ratio)


def alphas(
    log_p_before: np.ndarray, log_p_after: np.ndarray, calibration: str | None
) -> np.ndarray:
    """Factor on the confidence after a modality is added, from 0 to 1; NaN stays.

    It is 1 where plausibility did not fall.
    """
    if calibration is None:
        return np.ones(np.shape(log_p_after))
    with np.errstate(divide="ignore", invalid="ignore"):
        if calibration == "log":
            out = log_p_before / log_p_after
        else:
            out = np.exp(np.minimum(log_p_after - log_p_before, 0.0))
    out = np.where(log_p_after >= log_p_before, 1.0, out)
    return np.where(np.isnan(log_p_before + log_p_after), np.nan, out)


def rewards(
    loss_before: np.ndarray, loss_after: np.ndarray, alpha: np.ndarray, kind: str
) -> np.ndarray:
    """Reward R for adding a modality: ``alpha q_after - q_before``, or of the logs."""
    if kind == "logprob":
        with np.errstate(divide="ignore"):
            return loss_before - loss_after + np.log(alpha)
    # Differences of 1 - q, not of q: both may be 1 to the last bit.
    doubt_before, doubt_after = -np.expm1(-loss_before), -np.expm1(-loss_after)
    return doubt_before - doubt_after - (1.0 - alpha) * np.exp(-loss_after)


def unit_length(z: np.ndarray) -> np.ndarray:
    """Rows divided by their length; a row of zeros stays."""
    length = np.sqrt(np.square(z).sum(axis=1, keepdims=True))
    return z / np.where(length > 0, length, 1.0)


def log_softmax(logits: np.ndarray):
    """Log-probabilities of the rows of class scores."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
