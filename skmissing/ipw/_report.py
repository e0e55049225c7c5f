"""Resamples, and the table that they end in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs

from ._comparison import Line, Missingness, resample
from ._diagnostics import effective_sample_size
from ._sensitivity import tipping_odds_ratio


def bootstrap(
    lines: list[Line],
    missingness: dict[frozenset[str], Missingness],
    weight: np.ndarray,
    groups: np.ndarray | None,
    correct_evaluation: bool,
    seeds: np.ndarray,
    n_jobs: int | None,
    progress: Any,
) -> np.ndarray:
    if not len(seeds):
        return np.empty((0, len(lines), 5))
    # A few resamples at a time: the arguments travel to other processes.
    n_parts = min(len(seeds), max(10, 4 * effective_n_jobs(n_jobs)))
    parts = np.array_split(seeds, n_parts)
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(resample)(lines, missingness, weight, groups, correct_evaluation, part)
        for part in parts
    )
    return np.concatenate(list(progress.over("resamples")(results, len(parts))))


class Progress:
    """Bars that only show if asked for."""

    def __init__(self, verbose: int) -> None:
        self.hidden = not verbose

    def over(self, what: str) -> Any:
        from tqdm.auto import tqdm

        return lambda items, total: tqdm(
            items, total=total, desc=what, disable=self.hidden, leave=False
        )


def tabulate(
    lines: list[Line],
    missingness: dict[frozenset[str], Missingness],
    weight: np.ndarray,
    point: np.ndarray,
    drawn: np.ndarray,
    level: float,
    n_folds: int,
) -> pd.DataFrame:
    tail = (1.0 - level) / 2.0
    prefixes = [("biased", "biased_"), ("corrected", ""), ("doubly_robust", "dr_")]
    records = []
    for i, line in enumerate(lines):
        m = missingness.get(line.union)
        record: dict[str, Any] = {
            "quantity": "gain" if line.baseline else "value",
            "subset": "+".join(line.subset),
            "baseline": "+".join(line.baseline),
            "metric": line.metric,
        }
        for j, (name, prefix) in enumerate(prefixes):
            record[name] = point[i, j]
            # Resamples in which an area is undefined say nothing.
            sample = drawn[:, i, j][~np.isnan(drawn[:, i, j])]
            ends = np.full(2, np.nan)
            record[f"{prefix}std_error"] = np.nan
            if len(sample) > 1:
                drop = drawn[:, i, 3 if j == 0 else 4]
                wider = _widening(sample, drop, n_folds, line.decides)
                record[f"{prefix}std_error"] = wider * sample.std(ddof=1)
                ends = np.quantile(sample, [tail, 1 - tail])
                ends = point[i, j] + wider * (ends - point[i, j])
            record[f"{prefix}low"], record[f"{prefix}high"] = ends
        record["n_observed"] = 0 if m is None else len(m.rows)
        record["effective_sample_size"] = 0.0
        record["tipping_odds_ratio"] = np.nan
        if m is not None:
            ipw = m.weights(weight, refit=False)
            record["effective_sample_size"] = effective_sample_size(ipw)
        if m is not None and line.baseline and line.values is not None:
            record["tipping_odds_ratio"] = tipping_odds_ratio(
                line.values[m.rows],
                m.propensity[m.rows],
                sample_weight=weight[m.rows],
            )
        records.append(record)
    return pd.DataFrame.from_records(records)


def _widening(
    sample: np.ndarray, drop: np.ndarray, n_folds: int, decides: bool
) -> float:
    """How many times too small errors are that take folds for independent.

    Parameters
    ----------
    sample : ndarray of shape (n_resamples,)
        Resampled value.
    drop : ndarray of shape (n_resamples,)
        What it loses if each fold is answered by a model that was taught one fold
        less. NaN where there are no such models.
    n_folds : int
        Number of folds.
    decides : bool
        Whether the value is a mean of scores of decisions, right or wrong.

    Returns
    -------
    float
        Between 1 and the square root of 2.

    Notes
    -----
    Write the error of fold k as a sum over its rows i, and expand it in the rows j that
    taught its model. Terms of i alone are independent between folds. A term of the pair
    (i, j) comes back as (j, i) in the error of the fold of j, whose model i taught. If
    both are equal, as where a model averages noisy labels of neighbours, the variance
    of the pairs is twice that which a bootstrap of rows sees: the variance of the pairs
    has to be added once more, and if they are not it is an upper bound (Cauchy and
    Schwarz). A model without a fold is an average over fewer neighbours: the variance
    of the difference is 1 / (K - 2) of that of the pairs. What a bootstrap sees of
    pairs cannot be more than all that it sees.

    A decision jumps where the average behind it only moves, and then most of the
    variance of the difference is no sum over pairs. If that average is normal with mean
    zero, the sign of it and that without a fold differ with the probability
    ``angle / pi``, where ``cos(angle) ** 2 = (K - 2) / (K - 1)``, which makes a
    variance of ``4 angle / pi``, and the linear part of a sign has the variance 2 / pi.
    With another mean the linear part is a smaller share still.
    """
    drop = drop[~np.isnan(drop)]
    seen = sample.var(ddof=1)
    if len(drop) < 2 or not seen > 0:
        return 1.0
    share = float(n_folds - 2)
    if decides:
        share = 0.5 / math.acos(math.sqrt(share / (share + 1.0)))
    hidden = min(share * drop.var(ddof=1), seen)
    return float(np.sqrt(1.0 + hidden / seen))
