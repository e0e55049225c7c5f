"""What a correction is worth if missingness is not quite at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .._estimation._resampling import draw_counts, percentile_interval
from .._estimation._rows import check_groups, check_weights
from .._estimation._vectors import read_vector
from .._utils._checks import is_count
from .._utils._random import local_random_state


def sensitivity_bounds(
    values,
    propensity,
    *,
    odds_ratios: Sequence[float] = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0),
    sample_weight=None,
    groups=None,
    n_bootstraps: int = 0,
    confidence_level: float = 0.9,
    random_state=None,
) -> pd.DataFrame:
    """Bound a weighted mean when the propensities may be wrong.

    The weights are valid only if, given the covariates, missingness does not depend on
    what is missing. Here the odds of being observed may differ from the modelled ones
    by any factor between 1/L and L, in any row, in the worst possible way.

    Parameters
    ----------
    values : array of shape (n_observed,)
        Contribution of each observed row to the mean: 1 where a prediction is right, a
        log-likelihood, or the difference of two models in these, see
        ``return_scores`` of :func:`~skmissing.ipw.modality_utility`.
    propensity : array of shape (n_observed,)
        Modelled probability of these rows to be observed, in (0, 1].
    odds_ratios : sequence of float, default=(1, 1.25, 1.5, 2, 3, 5)
        Values of L, at least 1. At 1 both bounds are the weighted mean itself.
    sample_weight : array of shape (n_observed,), default=None
        Multiplies the weights.
    groups : array of shape (n_observed,), default=None
        Ids; rows of one group are drawn together in the bootstrap.
    n_bootstraps : int, default=0
        Resamples of the rows for an interval around the bounds, 0 for none. The
        propensities are kept as given, which makes it a little too wide as a rule; that
        cross-fitted folds train each other is not counted, which makes it too narrow
        for models that remember rows.
    confidence_level : float, default=0.9
        Of that interval.
    random_state : int, RandomState instance or None, default=None
        Draws the resamples.

    Returns
    -------
    DataFrame
        One row per odds ratio (the index), with the columns ``lower_bound`` and
        ``upper_bound``; with ``n_bootstraps`` also ``low`` and ``high``, the lower end
        of the interval of the lower bound and the upper end of that of the upper one.

    Raises
    ------
    ValueError
        For values that are not finite, propensities outside (0, 1], odds ratios below
        1, arrays of different length, or rows without a group.

    See Also
    --------
    tipping_odds_ratio : The odds ratio at which a conclusion falls.

    Notes
    -----
    This is the marginal sensitivity model :cite:p:`zhao2019sensitivity`. With fitted
    propensity :math:`\\pi_i`, the true inverse propensity lies between
    :math:`1 + (1/\\pi_i - 1) / L` and :math:`1 + (1/\\pi_i - 1) L`. The largest
    self-normalised mean :math:`\\sum_i z_i v_i / \\sum_i z_i` over all such weights
    gives the upper end to the rows with the largest values and the lower end to all
    others (their Proposition 2); so one sort and one scan over the number of such
    rows finds it exactly. The interval is a percentile bootstrap as theirs (Section
    4), but of given propensities.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing.ipw import sensitivity_bounds
    >>> right = np.array([1, 1, 0, 1, 1, 0, 1, 1])
    >>> propensity = np.array([0.8, 0.8, 0.8, 0.8, 0.5, 0.5, 0.5, 0.5])
    >>> sensitivity_bounds(right, propensity, odds_ratios=[1, 2]).round(3)
                lower_bound  upper_bound
    odds_ratio
    1.0               0.750        0.750
    2.0               0.636        0.837
    """
    v, p, s = _check(values, propensity, sample_weight)
    groups = check_groups(groups, len(v))
    if not is_count(n_bootstraps, 0):
        raise ValueError(
            f"Got n_bootstraps={n_bootstraps!r}, expected an integer of at least 0."
        )
    grid = np.asarray(odds_ratios, dtype=np.float64).reshape(-1)
    if not len(grid) or not (np.isfinite(grid) & (grid >= 1)).all():
        raise ValueError(
            f"Got odds_ratios={odds_ratios!r}, expected finite numbers of at least 1."
        )
    order = np.argsort(-v, kind="stable")
    v, p = v[order], p[order]
    both = np.array([_extremes(v, p, s[order], L) for L in grid])
    table = pd.DataFrame(both, columns=["lower_bound", "upper_bound"])
    if n_bootstraps:
        if not 0 < confidence_level < 1:
            raise ValueError(
                f"Got confidence_level={confidence_level!r}, expected a number between "
                "0 and 1."
            )
        rng = local_random_state(random_state)
        drawn = np.empty((int(n_bootstraps), len(grid), 2))
        for b in range(len(drawn)):
            w = (s * draw_counts(len(v), groups, rng))[order]
            drawn[b] = [_extremes(v, p, w, L) for L in grid]
        ends = (
            percentile_interval(both[:, k], drawn[..., k], confidence_level)
            for k in range(2)
        )
        (table["low"], _), (_, table["high"]) = ends
    table.index = pd.Index(grid, name="odds_ratio")
    return table


def tipping_odds_ratio(
    values, propensity, *, threshold: float = 0.0, sample_weight=None
) -> float:
    """How wrong the propensities must be for a weighted mean to fall to a threshold.

    Parameters
    ----------
    values : array of shape (n_observed,)
        As in :func:`sensitivity_bounds`; for a gain, the difference of two models.
    propensity : array of shape (n_observed,)
        Modelled probability of these rows to be observed, in (0, 1].
    threshold : float, default=0.0
        What the mean is compared with.
    sample_weight : array of shape (n_observed,), default=None
        Multiplies the weights.

    Returns
    -------
    float
        The smallest odds ratio L at which the lower bound is not above the threshold:
        1 if the mean itself is not above it, infinity if no L suffices.

    See Also
    --------
    sensitivity_bounds : The bounds themselves.

    Notes
    -----
    The lower bound is at most t where :math:`\\min_z \\sum_i z_i (v_i - t) \\le 0`.
    That minimum separates over rows and is :math:`a + b / L + c L` with a sum :math:`a`
    over all rows, :math:`b` over those above t and :math:`c` over those below, so that
    L is the root of a quadratic.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing.ipw import tipping_odds_ratio
    >>> gain = np.array([1, 1, 0, -1, 1, 0, 0, 1])
    >>> propensity = np.full(8, 0.5)
    >>> round(tipping_odds_ratio(gain, propensity), 6)
    4.0
    """
    v, p, s = _check(values, propensity, sample_weight)
    d, odds = s * (v - threshold), 1.0 / p - 1.0
    up, down = d > 0, d < 0
    a, b, c = d.sum(), d[up] @ odds[up], d[down] @ odds[down]
    if a + b + c <= 0:
        return 1.0
    if c == 0:
        return np.inf
    # c < 0 <= b, so that the roots have different signs; this is the positive one.
    return float((a + np.sqrt(a * a - 4.0 * b * c)) / (-2.0 * c))


def _check(values, propensity, sample_weight) -> tuple[np.ndarray, ...]:
    v, p = _numbers("values", values), _numbers("propensity", propensity)
    if v.shape != p.shape or not len(v):
        raise ValueError(
            f"Got values of shape {v.shape} and propensity of shape {p.shape}, "
            "expected two vectors of the same length."
        )
    if not np.isfinite(v).all():
        raise ValueError(
            f"Got {int((~np.isfinite(v)).sum())} values that are not finite, expected "
            "the observed rows alone."
        )
    if not ((p > 0) & (p <= 1)).all():
        raise ValueError(
            f"Got a propensity of {p[~((p > 0) & (p <= 1))][0]}, expected numbers "
            "above 0 and up to 1."
        )
    s = check_weights(sample_weight, len(v))
    return v, p, s


def _numbers(name: str, values) -> np.ndarray:
    """A vector of numbers, NaN where one is missing."""
    vector = read_vector(name, values)
    try:
        return pd.Series(vector).to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Got {name} of type {vector.dtype}, expected a number for each row."
        ) from error


def _extremes(
    v: np.ndarray, p: np.ndarray, s: np.ndarray, ratio: float
) -> tuple[float, float]:
    """Smallest and largest weighted mean; ``v`` in descending order."""
    odds = 1.0 / p - 1.0
    low, high = s * (1.0 + odds / ratio), s * (1.0 + odds * ratio)

    def scan(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Means with weights ``first`` on the first k rows, for every k."""
        top, top_mass = np.cumsum(first * v), np.cumsum(first)
        rest, rest_mass = np.cumsum(second * v), np.cumsum(second)
        total = np.r_[0.0, top] + rest[-1] - np.r_[0.0, rest]
        return total / (np.r_[0.0, top_mass] + rest_mass[-1] - np.r_[0.0, rest_mass])

    return float(scan(low, high).min()), float(scan(high, low).max())
