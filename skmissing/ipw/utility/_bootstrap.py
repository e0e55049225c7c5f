"""Terms of the utility table, evaluated under the weights of many resamples."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs

from ..._estimation._resampling import (
    draw_counts,
    effective_sample_size,
    percentile_interval,
)
from ..._utils._progress import Progress
from ..._utils._tables import ResultTable
from .._propensity_model import FrozenPropensity
from .._sensitivity import tipping_odds_ratio
from ._doubly_robust import aipw_mean
from ._fold_covariance import variance_inflation

Evaluate = Callable[[np.ndarray], float]
Propensities = dict[frozenset[str], FrozenPropensity]


class Variant(NamedTuple):
    """The metric of a term, by models trained without and with weights."""

    plain: Evaluate
    corrected: Evaluate


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

    def row_values(self, rows: np.ndarray) -> np.ndarray | None:
        """Contribution of each of some rows to the metric; None if it is no mean."""
        if self.values is not None:
            return self.values[rows]
        if self.variant is None:
            return None
        evaluate, one = self.variant.corrected, np.zeros(len(rows))
        values, trial = np.empty(len(rows)), np.arange(1.0, len(rows) + 1)
        try:
            with warnings.catch_warnings():
                # Metrics may warn that a single row has a single class.
                warnings.simplefilter("ignore")
                for i in range(len(rows)):
                    one[i] = 1.0
                    values[i] = evaluate(one)
                    one[i] = 0.0
                whole = evaluate(trial)
        except ValueError:
            return None
        same = np.isclose(trial @ values / trial.sum(), whole, rtol=1e-6, atol=1e-9)
        return values if same else None


class TermValues(NamedTuple):
    """Estimates of every term, each of shape (..., n_terms).

    The drops are what the first two lose with models without two folds.
    """

    biased: np.ndarray
    corrected: np.ndarray
    doubly_robust: np.ndarray
    biased_drop: np.ndarray
    corrected_drop: np.ndarray


class Estimate(NamedTuple):
    """Fields of TermValues, and how the columns of the table begin."""

    field: str
    drop: str
    prefix: str


ESTIMATES = (
    Estimate("biased", "biased_drop", "biased_"),
    Estimate("corrected", "corrected_drop", ""),
    Estimate("doubly_robust", "corrected_drop", "doubly_robust_"),
)


@dataclass(frozen=True, eq=False)
class UtilityTerms:
    """All terms, the propensities that they share, and weights and groups of rows.

    The rows are not here: copies of this travel to other processes.
    """

    terms: list[UtilityTerm]
    propensities: Propensities
    weight: np.ndarray
    groups: np.ndarray | None
    correct_evaluation: bool

    def evaluate(self, base: np.ndarray, refit: bool) -> TermValues:
        """All terms under one set of sample weights; ``refit`` for resampled ones."""
        out = TermValues(*np.full((len(TermValues._fields), len(self.terms)), np.nan))
        weights: dict[bytes, np.ndarray] = {}
        for i, term in enumerate(self.terms):
            frozen, variant = self.propensities.get(term.union), term.variant
            if frozen is None or variant is None or not base[frozen.rows].sum() > 0:
                continue
            plain = base[frozen.rows]
            # Sets that the same rows have share their propensities.
            key = frozen.observed.tobytes()
            if key not in weights:
                weights[key] = frozen.weights(base, refit)
            ipw = weights[key]
            used = ipw if self.correct_evaluation else plain
            out.biased[i] = variant.plain(plain)
            out.corrected[i] = variant.corrected(used)
            if term.without_two is not None and refit:
                less = term.without_two
                out.biased_drop[i] = out.biased[i] - less.plain(plain)
                out.corrected_drop[i] = out.corrected[i] - less.corrected(used)
            if term.outcome is not None and term.values is not None:
                full = np.zeros(len(base))
                full[frozen.rows] = ipw
                tested = np.where(frozen.tested, base, 0.0)
                robust = aipw_mean(term.values, full, tested, term.outcome)
                out.doubly_robust[i] = np.clip(robust, *term.limits)
        return out

    def resample(self, seeds: np.ndarray) -> TermValues:
        """Bootstrap of the evaluation rows; the models stay as they are."""
        n, drawn = len(self.weight), []
        for seed in seeds:
            counts = draw_counts(n, self.groups, np.random.RandomState(seed))
            drawn.append(self.evaluate(self.weight * counts, refit=True))
        return TermValues(*(np.array(values) for values in zip(*drawn)))

    def bootstrap(
        self, seeds: np.ndarray, n_jobs: int | None, progress: Progress
    ) -> TermValues:
        """Estimates of every resample, each of shape (n_resamples, n_terms)."""
        if not len(seeds):
            return TermValues(*np.empty((len(TermValues._fields), 0, len(self.terms))))
        # A few resamples at a time: the arguments travel to other processes.
        n_parts = min(len(seeds), max(10, 4 * effective_n_jobs(n_jobs)))
        results = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(self.resample)(part) for part in np.array_split(seeds, n_parts)
        )
        drawn = progress.over("resamples")(results, n_parts)
        return TermValues(*(np.concatenate(values) for values in zip(*drawn)))

    def tabulate(
        self, drawn: TermValues, n_folds: int, confidence_level: float
    ) -> pd.DataFrame:
        """One row per term; ``drawn`` are the estimates of resamples."""
        point = self.evaluate(self.weight, refit=False)
        records = []
        for i, term in enumerate(self.terms):
            record: dict[str, Any] = {
                "quantity": "gain" if term.baseline else "value",
                "subset": "+".join(term.subset),
                "baseline": "+".join(term.baseline),
                "metric": term.metric,
            }
            for name, drop, prefix in ESTIMATES:
                value, sample = getattr(point, name)[i], getattr(drawn, name)[:, i]
                less = getattr(drawn, drop)[:, i]
                error = _interval(value, sample, less, term, n_folds, confidence_level)
                columns = ["value", "std_error", "low", "high"]
                record |= {f"{prefix}{c}": v for c, v in zip(columns, (value, *error))}
            records.append(record | self._support(term))
        return ResultTable(records)

    def _support(self, term: UtilityTerm) -> dict[str, float]:
        """The rows behind a term, and the sensitivity of a corrected gain."""
        tipping, used = np.nan, np.empty(0)
        frozen = self.propensities.get(term.union)
        if frozen is not None:
            used = self.weight[frozen.rows]
            if self.correct_evaluation and term.baseline and term.values is not None:
                tipping = tipping_odds_ratio(
                    term.values[frozen.rows],
                    frozen.propensity[frozen.rows],
                    sample_weight=used,
                )
            if self.correct_evaluation:
                used = frozen.weights(self.weight, refit=False)
        return {
            "n_observed": len(used),
            "effective_sample_size": effective_sample_size(used),
            "tipping_odds_ratio": tipping,
        }


def _interval(
    value: float,
    sample: np.ndarray,
    drop: np.ndarray,
    term: UtilityTerm,
    n_folds: int,
    level: float,
) -> tuple[float, float, float]:
    """Standard error and interval of one estimate, NaN without resamples."""
    # Resamples in which an AUC is undefined hold no information.
    sample = sample[~np.isnan(sample)]
    if len(sample) < 2:
        return np.nan, np.nan, np.nan
    inflation = variance_inflation(sample, drop, n_folds, term.decides)
    ends = percentile_interval(value, sample, level)
    inflated = value + inflation * (ends - value)
    # No further than the metric goes, unless they were there already.
    low, high = term.limits
    low, high = np.clip(inflated, min(low, ends[0]), max(high, ends[1]))
    return inflation * sample.std(ddof=1), low, high
