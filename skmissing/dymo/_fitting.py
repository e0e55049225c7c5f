"""What a selector learns beside its net: statistics, and how to calibrate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._target import TrainingRows
from ..modalities._multimodal_data import MultimodalData
from ..nn._training import split_validation, stops_early
from ._fusers import Encoded
from ._scores import log_softmax
from ._statistics import Rows

# Copies of each row held out that calibration is chosen on: with up to as many
# modalities, one for each number of them that may be left.
MAX_COPIES = 6
# From the safest on: "ratio" lowers the confidence most, None never does. What makes
# selection safe is given up only where rows held out say so clearly.
CALIBRATIONS = ("ratio", "log", None)

# Rows held out for each class, on average, from which on they decide what is typical.
# Spreads of ten rows are off by a fifth, and let swapped and random blocks pass.
HELD_OUT_PER_CLASS = 50


class EncodedFeatures:
    """Features of rows for any set of modalities.

    Parameters
    ----------
    encoded : Encoded
        The rows.
    present : ndarray of bool of shape (n, M)
        What they have.
    """

    def __init__(self, encoded: Encoded, present: np.ndarray) -> None:
        self.encoded = encoded
        self.present = present

    def __call__(self, subset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = np.flatnonzero(self.present[:, subset].all(axis=1))
        masks = np.broadcast_to(subset, (len(index), len(subset)))
        if not len(index):
            # The width of features is known from any row.
            any_row = self.encoded.fuse(np.zeros(1, dtype=int), self.present[:1])
            return any_row[1][:0], index
        return self.encoded.fuse(index, np.ascontiguousarray(masks))[1], index


def feature_rows(
    fuser: Any, data: MultimodalData, y: np.ndarray, weight: np.ndarray
) -> Rows:
    """Rows that statistics are taken from.

    Parameters
    ----------
    fuser : Fuser
        The model.
    data : MultimodalData of n rows
        Of its modalities.
    y, weight : ndarray of shape (n,)
        Class indices and sample weights.

    Returns
    -------
    Rows
    """
    present = data.present.copy()
    return Rows(EncodedFeatures(fuser.encode(data), present), y, weight, present)


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


def hold_out(
    params: dict[str, Any], rows: TrainingRows, wanted: bool, rng: np.random.RandomState
) -> np.ndarray:
    """Rows that neither net nor recovery is trained on.

    Parameters
    ----------
    params : dict
        The common training parameters.
    rows : TrainingRows of n rows
        All rows.
    wanted : bool
        Also without early stopping.
    rng : RandomState
        Source of the draw.

    Returns
    -------
    ndarray of bool of shape (n,)
        None of the rows without any modality.
    """
    out = np.zeros(len(rows.y), dtype=bool)
    something = np.flatnonzero(rows.data.present.any(axis=1))
    if len(something) and (wanted or stops_early(params, len(something))):
        groups = None if rows.groups is None else rows.groups[something]
        _, valid = split_validation(
            rows.y[something], groups, params["validation_fraction"], rng
        )
        out[something[valid]] = True
    return out


def enough_held_out(statistics: str, n_held_out: int, n_classes: int) -> bool:
    """Whether rows held out, and not training rows, say what is typical."""
    if statistics == "auto":
        return n_held_out >= HELD_OUT_PER_CLASS * n_classes
    return statistics == "held_out" and n_held_out > 0


def choose_calibration(
    predict: Callable[[MultimodalData], list[np.ndarray]],
    data: MultimodalData,
    y: np.ndarray,
    weight: np.ndarray,
    rng: np.random.RandomState,
) -> tuple[str | None, dict[str | None, float]]:
    """The calibration that rows held out ask for.

    The first of :data:`CALIBRATIONS`, unless a later one has a log-loss that is lower
    by more than one standard error of the difference. Copies of a row are not
    independent: the error is that of a mean over rows.

    Parameters
    ----------
    predict : callable
        Takes rows; returns their class scores with each of :data:`CALIBRATIONS`.
    data : MultimodalData of n rows
        Rows that the net has not seen; may be none.
    y, weight : ndarray of shape (n,)
        Class indices and sample weights.
    rng : RandomState
        Draws what is hidden.

    Returns
    -------
    calibration : {"log", "ratio", None}
        "ratio" if there are no rows to choose on.
    scores : dict
        Log-loss of each.
    """
    hidden, rows = hide_some(data, rng)
    if not len(hidden):
        return CALIBRATIONS[0], {}
    kept, place = np.unique(rows, return_inverse=True)
    copies = np.bincount(place)
    losses = {
        c: np.bincount(place, log_losses(logits, y[rows])) / copies
        for c, logits in zip(CALIBRATIONS, predict(hidden))
    }
    weight = weight[kept]
    chosen: str | None = CALIBRATIONS[0]
    for other in CALIBRATIONS[1:]:
        gain, error = mean_and_error(losses[chosen] - losses[other], weight)
        if gain > error:
            chosen = other
    return chosen, {c: mean_and_error(v, weight)[0] for c, v in losses.items()}


def mean_and_error(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Weighted mean over rows, and its standard error; infinite for a single row."""
    share = weight / weight.sum()
    mean = float(share @ values)
    # With equal weights, the variance divided by n - 1.
    free = 1.0 - float(share @ share)
    if free <= 0:
        return mean, np.inf
    return mean, float(np.sqrt(np.square(share * (values - mean)).sum() / free))


def log_losses(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Negative log-probability of the true class of each row."""
    return -log_softmax(logits)[np.arange(len(y)), y]
