"""What a selector learns beside its net: which rows its statistics come from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._estimation._folds import split_validation
from .._estimation._rows import LabelledRows
from ..modalities._multimodal_data import MultimodalData
from ..nn._training import AUTO_STOPPING_ROWS, stops_early
from ._statistics import Rows
from ._subset_model import Encoded

# Rows held out for each class, on average, from which on they decide what is typical.
# Spreads of ten rows are off by a fifth, and let swapped and random blocks pass.
HELD_OUT_PER_CLASS = 50
# Fewer are not split without being asked to.
LEAST_GROUPS = 10


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


def hold_out(
    params: dict[str, Any],
    rows: LabelledRows,
    statistics: str,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Rows that neither net nor recovery is trained on.

    Parameters
    ----------
    params : dict
        The common training parameters.
    rows : LabelledRows of n rows
        All rows.
    statistics : {"auto", "held_out", "training"}
        Without early stopping, "held_out" holds some out, "auto" if there are many.
    rng : RandomState
        Source of the draw.

    Returns
    -------
    ndarray of bool of shape (n,)
        None of the rows without any modality.
    """
    out = np.zeros(len(rows.y), dtype=bool)
    something = np.flatnonzero(rows.data.present.any(axis=1))
    groups = None if rows.groups is None else rows.groups[something]
    # Of a few groups, one is too much to lose where nobody asked for it.
    many = len(something) >= AUTO_STOPPING_ROWS and (
        groups is None or len(pd.unique(groups)) >= LEAST_GROUPS
    )
    wanted = statistics == "held_out" or (statistics == "auto" and many)
    if len(something) and (wanted or stops_early(params, len(something))):
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
