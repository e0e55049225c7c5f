"""Resamples of rows, and how many rows a weighting is worth."""

from __future__ import annotations

import numpy as np


def draw_counts(n: int, groups, rng: np.random.RandomState) -> np.ndarray:
    """How often each row is drawn in one resample; groups are drawn whole."""
    if groups is None:
        return np.bincount(rng.randint(n, size=n), minlength=n).astype(np.float64)
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    k = len(names)
    return np.bincount(rng.randint(k, size=k), minlength=k).astype(np.float64)[code]


def percentile_interval(value, drawn: np.ndarray, level: float) -> np.ndarray:
    """Quantiles of resamples along the first axis, no further in than the value.

    Few resamples, or biased ones, may all lie on one side of it. NaN are left out.
    """
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(drawn, [tail, 1.0 - tail], axis=0)
    return np.array([np.fmin(low, value), np.fmax(high, value)])


def effective_sample_size(weight: np.ndarray) -> float:
    """Kish's effective number of rows; 0 without any positive weight."""
    top = weight.max(initial=0.0)
    if top == 0:
        return 0.0
    scaled = weight / top
    return float(scaled.sum() ** 2 / (scaled @ scaled))
