"""One term of the utility table: a metric of one subset, or of one minus another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..._estimation._resampling import draw_counts
from .._propensity_model import FrozenPropensity
from ._doubly_robust import aipw_mean

Evaluate = Callable[[np.ndarray], float]
Propensities = dict[frozenset[str], FrozenPropensity]


class Signed(NamedTuple):
    """A metric as a function of weights, and whether it is added or subtracted."""

    sign: int
    evaluate: Evaluate


class Variant(NamedTuple):
    """The metrics of a term, by models trained without and with weights."""

    plain: list[Signed]
    corrected: list[Signed]


@dataclass(frozen=True)
class UtilityTerm:
    """A value of ``subset``, or its gain over ``baseline``, in one metric."""

    subset: tuple[str, ...]
    baseline: tuple[str, ...]
    metric: str
    # By the models without one fold, and by those without two, where there are any.
    variant: Variant | None = None
    without_two: Variant | None = None
    # Contribution of each row to a mean-type metric, and its mean by other models.
    values: np.ndarray | None = None
    outcome: np.ndarray | None = None
    # Whether models decide, so that their predictions jump.
    decides: bool = False
    limits: tuple[float, float] = (-np.inf, np.inf)

    @property
    def union(self) -> frozenset[str]:
        """Modalities that a row needs."""
        return frozenset(self.subset + self.baseline)


class TermValues(NamedTuple):
    """Estimates of every term, each of shape (..., n_terms).

    The drops are what the first two lose with models without two folds.
    """

    biased: np.ndarray
    corrected: np.ndarray
    doubly_robust: np.ndarray
    biased_drop: np.ndarray
    corrected_drop: np.ndarray


def evaluate_terms(
    terms: list[UtilityTerm],
    propensities: Propensities,
    base: np.ndarray,
    correct_evaluation: bool,
    refit: bool,
) -> TermValues:
    """All terms under one set of sample weights; ``refit`` for resampled ones."""
    out = TermValues(*np.full((5, len(terms)), np.nan))
    weights: dict[bytes, np.ndarray] = {}
    for i, term in enumerate(terms):
        frozen = propensities.get(term.union)
        variant = term.variant
        if frozen is None or variant is None or not base[frozen.rows].sum() > 0:
            continue
        plain = base[frozen.rows]
        # Sets that the same rows have share their propensities.
        key = frozen.observed.tobytes()
        if key not in weights:
            weights[key] = frozen.weights(base, refit)
        ipw = weights[key]
        used = ipw if correct_evaluation else plain
        out.biased[i] = _total(variant.plain, plain)
        out.corrected[i] = _total(variant.corrected, used)
        if term.without_two is not None and refit:
            less = _total(term.without_two.plain, plain)
            out.biased_drop[i] = out.biased[i] - less
            less = _total(term.without_two.corrected, used)
            out.corrected_drop[i] = out.corrected[i] - less
        if term.values is not None and term.outcome is not None and correct_evaluation:
            full = np.zeros(len(base))
            full[frozen.rows] = ipw
            tested = np.where(frozen.tested, base, 0.0)
            robust = aipw_mean(term.values, full, tested, term.outcome)
            out.doubly_robust[i] = np.clip(robust, *term.limits)
    return out


def _total(parts: list[Signed], weight: np.ndarray) -> float:
    return sum(part.sign * part.evaluate(weight) for part in parts)


def resample(
    terms: list[UtilityTerm],
    propensities: Propensities,
    weight: np.ndarray,
    groups: np.ndarray | None,
    correct_evaluation: bool,
    seeds: np.ndarray,
) -> TermValues:
    """Bootstrap of the evaluation rows; the models stay as they are."""
    drawn = []
    for seed in seeds:
        rng = np.random.RandomState(seed)
        base = weight * draw_counts(len(weight), groups, rng)
        drawn.append(
            evaluate_terms(terms, propensities, base, correct_evaluation, True)
        )
    return TermValues(*(np.array(values) for values in zip(*drawn)))
