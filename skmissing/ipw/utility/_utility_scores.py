"""What each row contributes to a utility."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._terms import Propensities, UtilityTerm


class UtilityScores:
    """What each row contributes to :func:`~skmissing.ipw.modality_utility`.

    Made by that function, not by users.

    Attributes
    ----------
    models : dict of (tuple of str, str) to list of IPWMultimodalClassifier
        The fitted models by set of modalities and weighting, one per fold.
    folds : ndarray of int of shape (n_samples,)
        Fold in which each row was held out.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmissing.datasets import make_bitwise
    >>> from skmissing.ipw import modality_utility, sensitivity_bounds
    >>> X, y = make_bitwise(2000, mechanism="mar", return_X_y=True, random_state=0)
    >>> table, scores = modality_utility(
    ...     LogisticRegression(), X, y, scoring="accuracy", n_bootstraps=0,
    ...     return_scores=True, random_state=0,
    ... )
    >>> rows = scores.rows("accuracy", "x1+x2", baseline="x1")
    >>> sensitivity_bounds(rows.score, rows.propensity, odds_ratios=[1, 2]).shape
    (2, 2)
    """

    def __init__(
        self,
        terms: list[UtilityTerm],
        propensities: Propensities,
        weight: np.ndarray,
        folds: np.ndarray,
        models: dict[Any, list],
    ) -> None:
        self._terms = terms
        self._propensities = propensities
        self._weight = weight
        self.folds = folds
        self.models = models

    def rows(self, metric: str, subset, baseline=()) -> pd.DataFrame:
        """Scores of observed rows, for :func:`~skmissing.ipw.sensitivity_bounds`.

        Parameters
        ----------
        metric : str
            Name of a mean-type metric in the table.
        subset : str or list of str
            Set of modalities.
        baseline : str or list of str, default=()
            Set that it is compared with; empty for the plain value.

        Returns
        -------
        DataFrame
            Index ``row``; columns ``score`` (a difference if there is a baseline),
            ``propensity`` and ``sample_weight``.
        """
        wanted = (_as_set(subset), _as_set(baseline), metric)
        for term in self._terms:
            if (set(term.subset), set(term.baseline), term.metric) == wanted:
                break
        else:
            raise ValueError(
                f"Got subset={subset!r}, baseline={baseline!r}, metric={metric!r}, "
                "expected a row of the table."
            )
        if term.union not in self._propensities:
            raise ValueError(
                f"Got subset={subset!r} and baseline={baseline!r}, expected sets that "
                "some row has together."
            )
        if term.values is None:
            raise ValueError(
                f"Got metric={metric!r}, expected a mean over rows such as 'accuracy'."
            )
        m = self._propensities[term.union]
        return pd.DataFrame(
            {
                "score": term.values[m.rows],
                "propensity": m.propensity[m.rows],
                "sample_weight": self._weight[m.rows],
            },
            index=pd.Index(m.rows, name="row"),
        )


def _as_set(names) -> set[str]:
    return set(names.split("+")) if isinstance(names, str) and names else set(names)
