"""How a selector chooses between policies: on rows of which parts are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..modalities._multimodal_data import MultimodalData
from ._scores import log_softmax

# Copies of each row that policies are compared on: with up to as many modalities, one
# for each number of them that may be left.
MAX_COPIES = 6
# From the safest on: "ratio" lowers the confidence most, None never does. What makes
# selection safe is given up only where rows held out say so clearly.
CALIBRATIONS = ("ratio", "log", None)
# From that of the paper on, up to fusing nothing at all.
MIN_REWARDS = (0.0, 0.1, 0.3, np.inf)
# Without rows held out the reward is chosen on so many training rows at most.
TRAINING_ROWS = 300
# By how many standard errors a later choice has to be better. A net answers too well
# for what is left of training rows, so that they ask for too little fusing; a recovery
# that is only noise is found out by many more errors than these.
ERRORS_HELD_OUT, ERRORS_TRAINING = 1.0, 2.0


class MaskedRows:
    """Copies of rows that lack some of what they have, to compare policies on.

    Parameters
    ----------
    data : MultimodalData of n rows
        The rows; may be none.
    y, weight : ndarray of shape (n,)
        Class indices and sample weights.
    n_errors : float
        By how many standard errors a later option has to be better.
    rng : RandomState
        Draws what is hidden.

    Attributes
    ----------
    data : MultimodalData
        The copies; none of complete rows with a single modality.
    """

    def __init__(
        self,
        data: MultimodalData,
        y: np.ndarray,
        weight: np.ndarray,
        n_errors: float,
        rng: np.random.RandomState,
    ) -> None:
        self.data, rows = hide_some(data, rng)
        kept, self._place = np.unique(rows, return_inverse=True)
        self._y = y[rows]
        self._weight = weight[kept]
        self._n_errors = n_errors

    def choose(
        self, options: Sequence[Any], logits: Sequence[np.ndarray]
    ) -> tuple[Any, dict[Any, float]]:
        """The option with the best answers.

        The first one, unless a later one has a Brier score that is clearly lower.
        Copies of a row are not independent: the error is that of a mean over rows.
        The Brier score, because the log-loss is decided by the few rows that a wrong
        recovery made certain of a wrong class, whatever it did for the others.

        Parameters
        ----------
        options : sequence
            From the one to prefer on.
        logits : sequence of ndarray of shape (n_copies, K)
            Class scores of the copies with each of them.

        Returns
        -------
        chosen : object
            One of the options.
        scores : dict
            Brier score of each.
        """
        copies = np.bincount(self._place)
        losses = {
            option: np.bincount(self._place, brier_losses(part, self._y)) / copies
            for option, part in zip(options, logits)
        }
        chosen = options[0]
        for other in options[1:]:
            gain, error = mean_and_error(losses[chosen] - losses[other], self._weight)
            if gain > self._n_errors * error:
                chosen = other
        means = {o: mean_and_error(v, self._weight)[0] for o, v in losses.items()}
        return chosen, means


def hide_some(
    data: MultimodalData, rng: np.random.RandomState
) -> tuple[MultimodalData, np.ndarray]:
    """Copies of rows that lack some of what they have.

    How much rows to predict will lack is not known, so each row comes once with every
    number of modalities that it may be left with. Numbers drawn at random would leave
    it to chance how many of the copies lack much, and those alone tell policies apart.

    Parameters
    ----------
    data : MultimodalData
        The rows. Complete ones with a single modality are left out.
    rng : RandomState
        Draws which modalities are left.

    Returns
    -------
    hidden : MultimodalData
        From one modality to all that a row has, to all but one of a complete row: of
        that nothing would be recovered. If these are more than :data:`MAX_COPIES`
        numbers, so many at equal distances.
    rows : ndarray of int
        Row numbers in ``data``.
    """
    count = data.present.sum(axis=1)
    most = np.where(data.present.all(axis=1), count - 1, count)
    numbers = {
        m: np.unique(np.linspace(1, m, min(m, MAX_COPIES)).round().astype(int))
        for m in np.unique(most)
    }
    left = [numbers[m] for m in most]
    rows = np.repeat(np.arange(len(data)), [len(part) for part in left])
    n_left = np.concatenate([*left, np.empty(0, dtype=int)])
    present = data.present[rows]
    chance = np.where(present, rng.uniform(size=present.shape), 2.0)
    rank = chance.argsort(axis=1).argsort(axis=1)
    return data[rows].hide(present & (rank >= n_left[:, None])), rows


def mean_and_error(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Weighted mean over rows, and its standard error; infinite for a single row."""
    share = weight / weight.sum()
    mean = float(share @ values)
    # With equal weights, the variance divided by n - 1.
    free = 1.0 - float(share @ share)
    if free <= 0:
        return mean, np.inf
    return mean, float(np.sqrt(np.square(share * (values - mean)).sum() / free))


def brier_losses(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distance of the probabilities from the true class of each row."""
    gap = np.exp(log_softmax(logits))
    gap[np.arange(len(y)), y] -= 1.0
    return np.square(gap).sum(axis=1)
