"""Blocks made missing in data of any form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..modalities import MultimodalData
from ..modalities._frames import is_other_frame, like_frame, to_pandas
from ..modalities._layout import resolve_layout


def hide_blocks(X, mask: np.ndarray, names: Sequence[str], modalities):
    """Make blocks missing, in a copy."""
    if isinstance(X, MultimodalData):
        return X.hide({name: mask[:, m] for m, name in enumerate(names)})
    if is_other_frame(X):
        return like_frame(hide_blocks(to_pandas(X), mask, names, modalities), X)
    if isinstance(X, pd.DataFrame):
        return _hide_in_frame(X, mask, names, modalities)
    array = np.asarray(X)
    layout = resolve_layout(array, modalities)
    array = array.copy() if array.dtype.kind in "fO" else array.astype(np.float64)
    for m, name in enumerate(names):
        array[np.ix_(mask[:, m], layout.indices[name])] = np.nan
    return array


def _hide_in_frame(
    X: pd.DataFrame, mask: np.ndarray, names: Sequence[str], modalities
) -> pd.DataFrame:
    """A copy of a frame with hidden blocks; other columns keep their type."""
    layout = resolve_layout(X, modalities)
    out = X.copy()
    for m, name in enumerate(names):
        for i in layout.indices[name] if mask[:, m].any() else ():
            column = X.iloc[:, i]
            if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub":
                column = column.astype(np.float64)
            out.isetitem(i, column.mask(mask[:, m]))
    return out


def permute_block(X, name: str, rows: np.ndarray, by: np.ndarray, modalities):
    """Give the block of rows ``by`` to ``rows``, in a copy."""
    if isinstance(X, MultimodalData):
        block = np.array(X[name])
        block[rows] = X[name][by]
        return MultimodalData.unchecked(
            {**X.blocks, name: block}, X.present.copy(), X.feature_names
        )
    if isinstance(X, pd.DataFrame):
        taken = np.arange(len(X))
        taken[rows] = by
        frame = X.copy()
        for i in resolve_layout(X, modalities).indices[name]:
            frame.isetitem(i, X.iloc[taken, i].set_axis(X.index))
        return frame
    array = np.array(X)
    columns = resolve_layout(array, modalities).indices[name]
    array[np.ix_(rows, columns)] = array[np.ix_(by, columns)]
    return array


def spare_one_block(
    hidden: np.ndarray, present: np.ndarray, chance: np.ndarray
) -> np.ndarray:
    """A mask of hidden blocks that leaves every row the block of the largest chance.

    Only rows that would lose all they have are changed.
    """
    lost = ~(present & ~hidden).any(axis=1)
    last = np.where(present, chance, -1.0).argmax(axis=1)
    out = hidden.copy()
    out[lost, last[lost]] = False
    return out
