"""Resamples of a study, and the table that they end in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs

from ..._estimation._resampling import effective_sample_size
from ..._estimation._rows import LabelledRows
from .._sensitivity import tipping_odds_ratio
from ._fold_covariance import variance_inflation
from ._terms import Propensities, TermValues, UtilityTerm, resample


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


class Progress:
    """Bars that only show if asked for."""

    def __init__(self, verbose: int) -> None:
        self.hidden = not verbose

    def over(self, what: str):
        """A wrapper of an iteration, given its items and their number."""
        from tqdm.auto import tqdm

        return lambda items, total: tqdm(
            items, total=total, desc=what, disable=self.hidden, leave=False
        )


def bootstrap(
    terms: list[UtilityTerm],
    propensities: Propensities,
    rows: LabelledRows,
    seeds: np.ndarray,
    *,
    correct_evaluation: bool,
    n_jobs: int | None,
    progress: Progress,
) -> TermValues:
    """Estimates of every resample, each of shape (n_resamples, n_terms)."""
    if not len(seeds):
        return TermValues(*np.empty((5, 0, len(terms))))
    # A few resamples at a time: the arguments travel to other processes.
    n_parts = min(len(seeds), max(10, 4 * effective_n_jobs(n_jobs)))
    parts = np.array_split(seeds, n_parts)
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(resample)(
            terms, propensities, rows.weight, rows.groups, correct_evaluation, part
        )
        for part in parts
    )
    drawn = progress.over("resamples")(results, len(parts))
    return TermValues(*(np.concatenate(values) for values in zip(*drawn)))


def tabulate(
    terms: list[UtilityTerm],
    propensities: Propensities,
    weight: np.ndarray,
    point: TermValues,
    drawn: TermValues,
    *,
    confidence_level: float,
    n_folds: int,
    correct_evaluation: bool,
) -> pd.DataFrame:
    """One row per term."""
    records = []
    for i, term in enumerate(terms):
        record: dict[str, Any] = {
            "quantity": "gain" if term.baseline else "value",
            "subset": "+".join(term.subset),
            "baseline": "+".join(term.baseline),
            "metric": term.metric,
        }
        for name, drop, prefix in ESTIMATES:
            value = getattr(point, name)[i]
            sample, less = getattr(drawn, name)[:, i], getattr(drawn, drop)[:, i]
            record[f"{prefix}value"] = value
            error, low, high = _interval(
                value, sample, less, term, n_folds, confidence_level
            )
            record[f"{prefix}std_error"] = error
            record[f"{prefix}low"], record[f"{prefix}high"] = low, high
        frozen = propensities.get(term.union)
        record.update(
            n_observed=0, effective_sample_size=0.0, tipping_odds_ratio=np.nan
        )
        if frozen is not None:
            used = weight[frozen.rows]
            record["n_observed"] = len(used)
            if correct_evaluation and term.baseline and term.values is not None:
                record["tipping_odds_ratio"] = tipping_odds_ratio(
                    term.values[frozen.rows],
                    frozen.propensity[frozen.rows],
                    sample_weight=used,
                )
            if correct_evaluation:
                used = frozen.weights(weight, refit=False)
            record["effective_sample_size"] = effective_sample_size(used)
        records.append(record)
    return pd.DataFrame.from_records(records)


def _interval(
    value: float,
    sample: np.ndarray,
    drop: np.ndarray,
    term: UtilityTerm,
    n_folds: int,
    confidence_level: float,
) -> tuple[float, float, float]:
    """Standard error and interval of one estimate, NaN without resamples."""
    # Resamples in which an AUC is undefined hold no information.
    sample = sample[~np.isnan(sample)]
    if len(sample) < 2:
        return np.nan, np.nan, np.nan
    inflation = variance_inflation(sample, drop, n_folds, term.decides)
    tail = (1.0 - confidence_level) / 2.0
    ends = np.quantile(sample, [tail, 1 - tail])
    inflated = value + inflation * (ends - value)
    # No further than the metric goes, unless they were there already.
    low, high = term.limits
    low, high = np.clip(inflated, min(low, ends[0]), max(high, ends[1]))
    return inflation * sample.std(ddof=1), low, high
