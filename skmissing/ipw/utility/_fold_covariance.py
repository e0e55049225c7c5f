"""Covariance of the errors of folds, where each row is tested and trains others."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ._reweighted_metrics import Predictions


class LeftOut(NamedTuple):
    """Folds that a model is not fitted on, and those of them that it predicts."""

    folds: tuple[int, ...]
    tested: tuple[int, ...]


def pairs_of_folds(fold: np.ndarray) -> list[LeftOut]:
    """Pairs of folds to leave out together, so that each fold is tested once.

    Folds of a pair have about the same size; the largest of an odd number is paired
    with the next.
    """
    numbers, counts = np.unique(fold[fold >= 0], return_counts=True)
    order = [int(k) for k in numbers[np.argsort(counts, kind="stable")]]
    plan = [LeftOut(pair, pair) for pair in zip(order[::2], order[1::2], strict=False)]
    if len(order) % 2:
        plan.append(LeftOut((order[-1], order[-2]), (order[-1],)))
    return plan


def are_decisions(predictions: Predictions) -> bool:
    """Whether a model only ever predicts 0 or 1, so that its probabilities jump."""
    if predictions.proba is None:
        return True
    proba = predictions.proba[predictions.predicted >= 0]
    return bool(((proba == 0) | (proba == 1)).all())


def variance_inflation(
    sample: np.ndarray, drop: np.ndarray, n_folds: int, decides: bool
) -> float:
    """Factor by which errors are too small that take folds for independent.

    ``drop`` is what the resampled value loses if each fold is predicted by a model that
    is trained on one fold less, NaN without such models. The factor is at least 1 and
    at most the square root of 2, but for decisions in more than five folds.

    Write the error of fold k as a sum over its rows i, and expand it in the rows j that
    its model is trained on. Terms of i alone are independent between folds. A term of
    the pair (i, j) comes back as (j, i) in the error of the fold of j, whose model is
    trained on i. If both are equal, as where a model averages noisy labels of
    neighbours, the variance of the pairs is twice that which a bootstrap of rows sees:
    the variance of the pairs has to be added once more, and if they are not it is an
    upper bound (Cauchy and Schwarz). A model without a fold is an average over fewer
    neighbours: in K folds of equal size the variance of the difference is 1 / (K - 2)
    of that of the pairs. What a bootstrap sees of pairs cannot be more than all that it
    sees.

    A decision jumps where the average behind it only moves, and terms of more than two
    rows count. Let the average be normal, S - S_k with the sum S_k of fold k left out.
    The decisions about rows of two folds have the covariance of the signs of S - S_k
    and S - S_l through the rows themselves, ``(2 / pi) / sqrt(2 K - 3)`` of the
    variance for each of K - 1 folds; and a decision flips without another fold with the
    probability ``angle / pi``, where ``cos(angle)**2 = (K - 2) / (K - 1)``, so that the
    variance of the difference is ``4 angle / pi``. If the mean is not zero both are
    smaller by the same factor.
    """
    drop = drop[~np.isnan(drop)]
    seen = sample.var(ddof=1)
    if len(drop) < 2 or not seen > 0:
        return 1.0
    share, most = float(n_folds - 2), 1.0
    if decides:
        together = (n_folds - 1) * (2.0 / math.pi) / math.sqrt(2 * n_folds - 3)
        angle = math.acos(math.sqrt((n_folds - 2) / (n_folds - 1)))
        share, most = together / (4.0 * angle / math.pi), max(1.0, together)
    return math.sqrt(1.0 + min(share * drop.var(ddof=1) / seen, most))
