"""Ranks as normal scores, for features whose tails are heavy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ._row_view import iter_chunks

# Standard deviations from the mean that no value of a light tail reaches: of a million
# normal numbers the largest is at 5.
FAR = 6.0
# Knots of a feature, and rows that its ranks are taken from.
N_KNOTS = 256
MAX_ROWS = 100_000


@dataclass(frozen=True)
class NormalScores:
    """Values of a feature, ascending, and the normal scores of their ranks."""

    values: np.ndarray
    scores: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray, weight: np.ndarray) -> NormalScores:
        """Of weighted values; a weight of 2 is the same as two equal values."""
        values, place = np.unique(x, return_inverse=True)
        mass = np.bincount(place, weight)
        # Ties are in the middle of their ranks.
        rank = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
        if len(values) > N_KNOTS:
            levels = np.linspace(rank[0], rank[-1], N_KNOTS)
            kept = np.unique(np.searchsorted(rank, levels).clip(max=len(rank) - 1))
            values, rank = values[kept], rank[kept]
        return cls(values, ndtri(rank))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Scores of values, linear between knots; NaN stays."""
        return np.interp(x, self.values, self.scores)


def find_heavy_tails(
    block, rows: np.ndarray, weight: np.ndarray, mean: np.ndarray, deviation: np.ndarray
) -> list[tuple[tuple[int, ...], NormalScores]]:
    """Places and scores of the features with values far from their mean.

    ``mean`` and ``deviation`` have length 1 along axes that share their statistics.
    """
    far = np.zeros(mean.shape, dtype=bool)
    for part, values in iter_chunks(block):
        chosen = values[rows[part]]
        if not len(chosen):
            continue
        gap = np.abs(chosen.astype(np.float64) - mean)
        with np.errstate(invalid="ignore"):
            beyond = (gap > FAR * deviation) & (deviation > 0)
        shared = tuple(
            a + 1 for a, size in enumerate(mean.shape) if size != block.shape[a + 1]
        )
        far |= beyond.any(axis=(0, *shared)).reshape(mean.shape)
    # No dict: keys that are tuples cannot be written to every kind of file.
    out = []
    for place in map(tuple, np.argwhere(far).tolist()):
        x, w = _column(block, rows, weight, _index(place, mean.shape, block.shape[1:]))
        # Two values are as far apart as they are, whatever their scores.
        if len(np.unique(x[:MAX_ROWS])) > 2:
            out.append((place, NormalScores.fit(x, w)))
    return out


def apply_scores(
    scores: list[tuple[tuple[int, ...], NormalScores]],
    values: np.ndarray,
    out: np.ndarray,
    kept: tuple[int, ...],
) -> None:
    """Put the scores of some features of rows into ``out``."""
    for place, function in scores:
        index = (slice(None), *_index(place, kept, values.shape[1:]))
        out[index] = function(values[index].astype(np.float64))


def _index(
    place: tuple[int, ...], kept: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[int | slice, ...]:
    """The part of a row that a feature takes, all of it along shared axes."""
    return tuple(slice(None) if k != s else i for i, k, s in zip(place, kept, shape))


def _column(
    block, rows: np.ndarray, weight: np.ndarray, index: tuple
) -> tuple[np.ndarray, np.ndarray]:
    """Known values of one feature, and the weight of each."""
    step = -(-int(rows.sum()) // MAX_ROWS)
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[np.flatnonzero(rows)[::step]] = True
    found, mass = [], []
    for part, values in iter_chunks(block):
        x = values[chosen[part]][(slice(None), *index)].astype(np.float64)
        w = weight[part][chosen[part]].reshape(-1, *[1] * (x.ndim - 1))
        known = ~np.isnan(x)
        found.append(x[known])
        mass.append(np.broadcast_to(w, x.shape)[known])
    return np.concatenate(found), np.concatenate(mass)
