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
# "ratio" first: of confidence in what is hardly typical it leaves the least. None never
# lowers it. What makes selection safe is given up only where rows held out say so.
CALIBRATIONS = ("ratio", "log", None)
# From that of the paper on, up to fusing nothing at all.
MIN_REWARDS = (0.0, 0.1, 0.3, np.inf)
# Fewer rows held out are no basis for a choice, and training rows are none at all: a
# net answers too well for what is left of rows that it knows, so that any recovery
# seems worse than none. Of many rows held out, so many are enough.
LEAST_HELD_OUT, MOST_HELD_OUT = 30, 1000


class MaskedRows:
    """Copies of rows that lack some of what they have, to compare policies on.

    Parameters
    ----------
    data : MultimodalData of n rows
        The rows; may be none.
    y, weight : ndarray of shape (n,)
        Class indices and sample weights.
    groups : ndarray of shape (n,) or None
        Rows of a group are not independent.
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
        groups: np.ndarray | None,
        rng: np.random.RandomState,
    ) -> None:
        self.data, rows = hide_some(data, rng)
        self._y = y[rows]
        # Each row counts once, however many copies there are of it.
        self._share = weight[rows] / np.bincount(rows, minlength=len(data))[rows]
        unit = rows if groups is None else groups[rows]
        self._unit = np.unique(unit, return_inverse=True)[1]

    def choose(
        self, options: Sequence[Any], logits: Sequence[np.ndarray]
    ) -> tuple[Any, dict[Any, float]]:
        """The option with the best answers.

        The first one, unless a later one has a Brier score that is lower by more than
        the standard error of the difference. The copies of a row, or of the rows of a
        group, are not independent: the error is that of a mean over rows or groups. The
        Brier score, because the log-loss is decided by the few rows that a wrong
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
            Brier score of each, from 0 to 2.
        """
        weight = np.bincount(self._unit, self._share)
        losses = {
            option: np.bincount(
                self._unit, self._share * brier_losses(part, self._y)
            ) / weight
            for option, part in zip(options, logits)
        }  # fmt: skip
        chosen = options[0]
        for other in options[1:]:
            gain, error = mean_and_error(losses[chosen] - losses[other], weight)
            # A difference of a single row is as large as its error: no matter of
            # rounding.
            if gain > error * (1.0 + 1e-9):
                chosen = other
        return chosen, {o: mean_and_error(v, weight)[0] for o, v in losses.items()}


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
