"""Resamples, and the table that they end in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs

from ..._estimation._resampling import effective_sample_size
from .._propensity_model import FrozenPropensity
from .._sensitivity import tipping_odds_ratio
from ._fold_covariance import widening
from ._terms import Line, resample


def bootstrap(
    lines: list[Line],
    missingness: dict[frozenset[str], FrozenPropensity],
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
    missingness: dict[frozenset[str], FrozenPropensity],
    weight: np.ndarray,
    point: np.ndarray,
    drawn: np.ndarray,
    level: float,
    n_folds: int,
    correct_evaluation: bool,
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
                wider = widening(sample, drop, n_folds, line.decides)
                record[f"{prefix}std_error"] = wider * sample.std(ddof=1)
                ends = np.quantile(sample, [tail, 1 - tail])
                stretched = point[i, j] + wider * (ends - point[i, j])
                # No further than the metric goes, unless they were there already.
                low, high = line.limits
                ends = np.clip(stretched, min(low, ends[0]), max(high, ends[1]))
            record[f"{prefix}low"], record[f"{prefix}high"] = ends
        record["n_observed"] = 0 if m is None else len(m.rows)
        record["effective_sample_size"] = 0.0
        record["tipping_odds_ratio"] = np.nan
        if m is not None:
            used = weight[m.rows]
            if correct_evaluation:
                used = m.weights(weight, refit=False)
            record["effective_sample_size"] = effective_sample_size(used)
        weighted = m is not None and correct_evaluation
        if m is not None and weighted and line.baseline and line.values is not None:
            record["tipping_odds_ratio"] = tipping_odds_ratio(
                line.values[m.rows],
                m.propensity[m.rows],
                sample_weight=weight[m.rows],
            )
        records.append(record)
    return pd.DataFrame.from_records(records)
