"""Mean and standard deviation of a block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ._row_view import iter_chunks


def block_moments(
    block,
    rows: np.ndarray,
    weight: np.ndarray,
    axes: tuple[int, ...],
    second: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of what is observed of a block."""
    reduce = (0, *(a + 1 for a in axes))
    kept = kept_shape(block.shape[1:], axes)
    total, first, squares, top = np.zeros((4, *kept))
    # Two passes: the one-pass formula loses all digits where mean >> deviation.
    for v, w in _weighted_chunks(block, rows, weight):
        seen = ~np.isnan(v)
        v[~seen] = 0.0
        total += np.sum(w * seen, axis=reduce).reshape(kept)
        first += np.sum(w * v, axis=reduce).reshape(kept)
        top = np.maximum(top, np.abs(v).max(axis=reduce, initial=0.0).reshape(kept))
    known = total > 0
    safe = np.where(known, total, 1.0)
    mean = np.where(known, first / safe, 0.0)
    if not second:
        return known, mean, squares
    # Squares of very large or small values would overflow or vanish. A power of 2 is
    # taken out, so that no other digit changes: the unit of a feature is free.
    exponent = np.clip(np.frexp(top)[1], -1000, 1000)
    factor = np.ldexp(1.0, -exponent)
    for v, w in _weighted_chunks(block, rows, weight):
        v -= mean
        v *= factor
        v[np.isnan(v)] = 0.0
        squares += np.sum(w * v * v, axis=reduce).reshape(kept)
    deviation = np.ldexp(np.sqrt(squares / safe), exponent)
    # A constant feature carries nothing; its rounding errors must not be blown up.
    tiny = 10 * np.finfo(np.float64).eps * np.abs(mean)
    return known, mean, np.where(deviation <= tiny, 0.0, deviation)


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of one row with the axes that share their statistics reduced to 1."""
    return tuple(1 if i in axes else s for i, s in enumerate(shape))


def _weighted_chunks(
    block, rows: np.ndarray, weight: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The chosen rows, chunk by chunk, as new float64 arrays with their weights."""
    for part, values in iter_chunks(block):
        here = rows[part]
        if here.any():
            chosen = values[here].astype(np.float64)
            yield chosen, weight[part][here].reshape(-1, *[1] * (chosen.ndim - 1))
