"""Bounds on propensities."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_clip(clip: Any) -> None:
    """Refuse what is neither None, a pair of probabilities, nor a quantile.

    Parameters
    ----------
    clip : object
        The parameter.
    """
    if clip is None:
        return
    wanted = "None, a pair 0 <= low < high <= 1, or a quantile between 0.5 and 1"
    if isinstance(clip, tuple | list):
        if len(clip) == 2 and all(
            isinstance(c, int | float | np.number) and 0 <= c <= 1 for c in clip
        ):
            low, high = clip
            if low < high:
                return
    elif 0.5 <= clip < 1:
        return
    raise ValueError(f"Got clip={clip!r}, expected {wanted}.")


def propensity_bounds(
    clip: Any, propensity: np.ndarray, observed: np.ndarray, weight: np.ndarray
) -> tuple[float, float]:
    """The interval that propensities are clipped to.

    Parameters
    ----------
    clip : None, pair or float
        The parameter. A quantile of the weights is one of the inverse propensities,
        whether stabilised or not.
    propensity : ndarray of shape (n,)
        Propensities of the rows of fit.
    observed : ndarray of bool of shape (n,)
        Rows whose weights are not 0.
    weight : ndarray of shape (n,)
        Sample weights.

    Returns
    -------
    low, high : float
    """
    if clip is None:
        return 0.0, 1.0
    if isinstance(clip, tuple | list):
        return float(clip[0]), float(clip[1])
    # The smallest propensity that leaves at most a share 1 - q of the rows below.
    order = np.argsort(propensity[observed], kind="stable")
    below = np.cumsum(weight[observed][order])
    at = int(np.searchsorted(below, (1.0 - clip) * below[-1], side="right"))
    return float(propensity[observed][order][min(at, len(order) - 1)]), 1.0
