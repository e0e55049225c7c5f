"""Standard deviations of columns in any unit."""

from __future__ import annotations

import numpy as np


def root_mean_square(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted, over rows, without squares that overflow or vanish.

    A power of 2 is taken out of each column, which changes no other digit: a column
    times 1e-200 or 1e160 is the same column.
    """
    largest = np.maximum(
        values.max(axis=0, initial=0.0), -values.min(axis=0, initial=0.0)
    )
    exponent = np.frexp(largest)[1]
    if np.abs(exponent).max(initial=0) < 1000:
        # The same numbers as those of ldexp, which takes several times as long.
        scaled = values * np.ldexp(1.0, -exponent)
    else:
        scaled = np.ldexp(values, -exponent)
    mean = np.average(scaled * scaled, axis=0, weights=weight)
    return np.ldexp(np.sqrt(mean), exponent)
