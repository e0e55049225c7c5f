"""One line of the utility table: a metric of one subset, or of one minus another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..._estimation._resampling import draw_counts
from .._propensity_model import FrozenPropensity
from ._doubly_robust import augmented_mean

Evaluate = Callable[[np.ndarray], float]


@dataclass
class Line:
    """A value of ``subset``, or its gain over ``baseline``, in one metric.

    Attributes
    ----------
    subset, baseline : tuple of str
        The baseline is empty for a plain value.
    metric : str
        Its name.
    union : frozenset of str
        Modalities that the rows must have.
    plain, corrected : list of (sign, callable)
        Metric from the weights of the rows, of models without and with correction.
    values : ndarray of shape (n,) or None
        Row by row, for a mean-type metric: what counts.
    outcome : ndarray of shape (n, n_models) or None
        Modelled means of it, or of parts of it.
    decides : bool
        Whether the metric counts decisions.
    limits : (float, float)
        Least and largest value.
    plain_less, corrected_less : list of (sign, callable)
        Likewise of models that were taught a fold less; empty where there are none.
    """

    subset: tuple[str, ...]
    baseline: tuple[str, ...]
    metric: str
    union: frozenset[str]
    plain: list[tuple[int, Evaluate]]
    corrected: list[tuple[int, Evaluate]]
    values: np.ndarray | None = None
    outcome: np.ndarray | None = None
    decides: bool = False
    limits: tuple[float, float] = (-np.inf, np.inf)
    plain_less: list[tuple[int, Evaluate]] = field(default_factory=list)
    corrected_less: list[tuple[int, Evaluate]] = field(default_factory=list)


def evaluate_lines(
    lines: list[Line],
    missingness: dict[frozenset[str], FrozenPropensity],
    base: np.ndarray,
    correct_evaluation: bool,
    refit: bool,
) -> np.ndarray:
    """All lines under one set of sample weights.

    Parameters
    ----------
    lines : list of Line
        What to evaluate.
    missingness : dict of frozenset to FrozenPropensity
        By required modalities.
    base : ndarray of shape (n,)
        Sample weights, times the number of times that each row was drawn.
    correct_evaluation : bool
        Whether ``corrected`` uses inverse-probability weights.
    refit : bool
        Whether to fit the propensities to these weights.

    Returns
    -------
    ndarray of shape (n_lines, 5)
        Biased, corrected and doubly robust; then what the biased and the corrected
        one lose if the models are taught a fold less. NaN where there is none.
    """
    out = np.full((len(lines), 5), np.nan)
    # Sets with the same observed rows have the same propensities.
    weights: dict[bytes, np.ndarray] = {}
    for i, line in enumerate(lines):
        if line.union not in missingness:
            continue
        m = missingness[line.union]
        plain = base[m.rows]
        if not plain.sum() > 0:
            continue
        key = m.observed.tobytes()
        if key not in weights:
            weights[key] = m.weights(base, refit)
        ipw = weights[key]
        used = ipw if correct_evaluation else plain
        out[i, 0] = sum(sign * metric(plain) for sign, metric in line.plain)
        out[i, 1] = sum(sign * metric(used) for sign, metric in line.corrected)
        if line.plain_less and refit:
            less = sum(sign * metric(plain) for sign, metric in line.plain_less)
            out[i, 3] = out[i, 0] - less
            less = sum(sign * metric(used) for sign, metric in line.corrected_less)
            out[i, 4] = out[i, 1] - less
        if line.values is not None and line.outcome is not None and correct_evaluation:
            full = np.zeros(len(base))
            full[m.rows] = ipw
            robust = augmented_mean(
                line.values, full, np.where(m.tested, base, 0.0), line.outcome
            )
            out[i, 2] = np.clip(robust, *line.limits)
    return out


def resample(
    lines: list[Line],
    missingness: dict[frozenset[str], FrozenPropensity],
    weight: np.ndarray,
    groups: np.ndarray | None,
    correct_evaluation: bool,
    seeds: np.ndarray,
) -> np.ndarray:
    """Bootstrap of the evaluation rows; the models stay as they are.

    Parameters
    ----------
    lines, missingness : object
        As in :func:`evaluate_lines`.
    weight : ndarray of shape (n,)
        Sample weights.
    groups : ndarray of shape (n,) or None
        Groups are drawn whole.
    correct_evaluation : bool
        As in :func:`evaluate_lines`.
    seeds : ndarray of int of shape (n_resamples,)
        One for each.

    Returns
    -------
    ndarray of shape (n_resamples, n_lines, 5)
    """
    out = np.empty((len(seeds), len(lines), 5))
    for b, seed in enumerate(seeds):
        rng = np.random.RandomState(seed)
        base = weight * draw_counts(len(weight), groups, rng)
        out[b] = evaluate_lines(lines, missingness, base, correct_evaluation, True)
    return out
