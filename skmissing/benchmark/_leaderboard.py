"""Compare the rows of the benchmark over data sets."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import chi2, rankdata, studentized_range

from .._utils._tables import ResultTable
from ._scores import METRICS

CELL = ["dataset", "mechanism", "seed", "condition"]


def leaderboard(
    scores: pd.DataFrame,
    *,
    metric: str = "accuracy",
    conditions: str | Iterable[str] | None = None,
    reference: str | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Rank estimators over data sets.

    Parameters
    ----------
    scores : DataFrame
        Of :func:`run` or :func:`load_scores`, or several concatenated. Compared is what
        all estimators have been run on.
    metric : {"accuracy", "log_loss", "auc", "brier"}, default="accuracy"
        What decides.
    conditions : str or list of str, default=None
        Test conditions: "as trained", "complete", "one left", "unseen pattern". None:
        all.
    reference : str, default=None
        Row that the others are compared with. None: the one with the best mean rank.
    alpha : float, default=0.05
        Level of the critical difference.

    Returns
    -------
    pandas.DataFrame
        A row for each estimator, best first, with ``estimator``; ``mean_rank`` over the
        data sets, 1 for the best, by the mean over mechanisms, seeds and conditions;
        ``value``, the mean of the metric; ``difference`` to the reference with its
        paired ``std_error``, positive where the estimator is better; ``wins``, ``ties``
        and ``losses``, the data sets on which it is better or worse than the reference
        by more than one paired standard error; ``worst_pattern``, the mean accuracy on
        the pattern with the least; and the median ``seconds`` of a cell. ``attrs``
        holds ``critical_difference``, ``n_datasets``, ``friedman_p`` (its p-value, NaN
        for fewer than two data sets), ``metric``, ``reference`` and ``alpha``.

    Raises
    ------
    ValueError
        For an unknown metric, condition or reference, fewer than two estimators, or
        estimators that share no cell.

    See Also
    --------
    CriticalDifferenceDisplay : Draws the ranks.

    Notes
    -----
    Two estimators differ at level alpha if their mean ranks over N data sets do by
    :math:`q_\\alpha \\sqrt{k (k + 1) / 6 N}`, k the number of estimators (Nemenyi's
    test, :cite:t:`demsar2006`). Standard errors of a data set are those of paired
    differences over its mechanisms and seeds; those of the mean difference are over
    data sets. With a single mechanism and seed there is none, and the data set is a
    tie. A failure ranks last on its data set, and counts as a loss.

    Examples
    --------
    >>> from skmissing.benchmark import leaderboard, load_scores
    >>> table = leaderboard(load_scores())
    >>> table.attrs["reference"] == table["estimator"].iloc[0]
    True
    """
    if metric not in METRICS:
        raise ValueError(f"Got metric={metric!r}, expected one of {list(METRICS)}.")
    shared = _shared_cells(_choose_conditions(scores, conditions))
    wide = shared.pivot(index=CELL, columns="estimator", values=metric)
    # Higher is better from here on.
    wide = wide if METRICS[metric] else -wide
    by_cell = wide.groupby(level=CELL[:3]).agg(_mean)
    by_data = by_cell.groupby(level="dataset").agg(_mean)
    filled = by_data.fillna(-np.inf)
    ranks = pd.DataFrame(
        rankdata(-filled.to_numpy(), axis=1), by_data.index, by_data.columns
    )
    mean_rank = ranks.mean().sort_values(kind="stable")
    reference = mean_rank.index[0] if reference is None else reference
    if reference not in mean_rank:
        raise ValueError(
            f"Got reference={reference!r}, expected one of {mean_rank.index.tolist()}."
        )
    records = []
    for label in mean_rank.index:
        rows = shared[shared["estimator"] == label]
        pair = paired_differences(by_cell[label], by_cell[reference])
        wins = int((pair["difference"] > pair["std_error"]).sum())
        worse = pair["difference"] < -pair["std_error"]
        losses = int((worse | by_data[label].isna()).sum())
        records.append(
            {
                "estimator": label,
                "mean_rank": float(mean_rank[label]),
                "value": float(by_data[label].mean()) * (1 if METRICS[metric] else -1),
                "difference": float(pair["difference"].mean()),
                "std_error": standard_error(pair["difference"]),
                "wins": wins,
                "ties": len(by_data) - wins - losses,
                "losses": losses,
                "worst_pattern": float(rows["worst_accuracy"].mean()),
                "seconds": float(rows["seconds"].median()),
            }
        )
    table = ResultTable(records)
    n, k = ranks.shape
    table.attrs = {
        "critical_difference": critical_difference(k, n, alpha),
        "n_datasets": n,
        "friedman_p": _friedman(ranks),
        "metric": metric,
        "reference": reference,
        "alpha": alpha,
    }
    return table


def critical_difference(n_estimators: int, n_datasets: int, alpha: float) -> float:
    """Least difference of mean ranks that is significant by Nemenyi's test."""
    q = studentized_range.ppf(1 - alpha, n_estimators, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_estimators * (n_estimators + 1) / (6 * n_datasets)))


def paired_differences(ours: pd.Series, reference: pd.Series) -> pd.DataFrame:
    """Mean difference by data set, and its standard error over mechanisms and seeds."""
    by_data = (ours - reference).groupby(level="dataset")
    return pd.DataFrame(
        {"difference": by_data.mean(), "std_error": by_data.agg(standard_error)}
    )


def standard_error(values: pd.Series) -> float:
    """Of a mean; NaN for a single value."""
    known = values.dropna()
    return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else np.nan


def _mean(values: pd.Series) -> float:
    """Mean that does not skip failures."""
    return float(values.mean(skipna=False))


def _choose_conditions(scores: pd.DataFrame, conditions) -> pd.DataFrame:
    """Rows of some test conditions."""
    if conditions is None:
        return scores
    known = scores["condition"].unique().tolist()
    chosen = [conditions] if isinstance(conditions, str) else list(conditions)
    if not chosen or not set(chosen) <= set(known):
        raise ValueError(f"Got conditions={conditions!r}, expected some of {known}.")
    return scores[scores["condition"].isin(chosen)]


def _shared_cells(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of the cells and conditions that all estimators have been run on."""
    once = scores.drop_duplicates([*CELL, "estimator"], keep="last")
    n = once["estimator"].nunique()
    if n < 2:
        raise ValueError(f"Got {n} estimators in scores, expected at least two.")
    shared = once[once.groupby(CELL)["estimator"].transform("size") == n]
    if not len(shared):
        raise ValueError(
            "Got scores without a cell that all estimators share, expected some."
        )
    return shared


def _friedman(ranks: pd.DataFrame) -> float:
    """P-value of the hypothesis that all estimators are alike (chi-square)."""
    n, k = ranks.shape
    if n < 2:
        return float("nan")
    spread = ((ranks.mean() - (k + 1) / 2) ** 2).sum()
    return float(chi2.sf(12 * n / (k * (k + 1)) * spread, k - 1))
