"""Values of sets of modalities, and what each modality contributes to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import comb
from typing import NamedTuple

import numpy as np

# Up to so many modalities every set is looked at.
MOST_EXACT = 6

# Value of a set of modalities, bool of shape (n_modalities,), as an array of any shape.
Value = Callable[[np.ndarray], np.ndarray]


class Contributions(NamedTuple):
    """Shapley values, shape (n_modalities, ...), and what sampling adds to their error.

    ``sampling_error`` is None where every set was looked at.
    """

    values: np.ndarray
    sampling_error: np.ndarray | None


def shapley_values(
    value: Value, n: int, n_repeats: int, rng: np.random.RandomState
) -> Contributions:
    """Mean gain of each modality over the orders in which they come."""
    if n <= MOST_EXACT:
        return Contributions(_exact(value, n), None)
    pairs = []
    for order in _orders(n, n_repeats, rng):
        # An order and its reverse: their errors are of opposite sign.
        pairs.append((_gains(value, order) + _gains(value, order[::-1])) / 2)
    found = np.array(pairs)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    return Contributions(found.mean(axis=0), error)


def _exact(value: Value, n: int) -> np.ndarray:
    sets = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    values = np.array([value(kept) for kept in sets])
    out = []
    for m in range(n):
        without = np.flatnonzero(~sets[:, m])
        share = [1.0 / (n * comb(n - 1, int(sets[s].sum()))) for s in without]
        gains = values[without + 2**m] - values[without]
        out.append(np.tensordot(share, gains, axes=1))
    return np.array(out)


def _orders(n: int, n_repeats: int, rng: np.random.RandomState) -> Iterator[np.ndarray]:
    for _ in range(n_repeats):
        yield rng.permutation(n)


def _gains(value: Value, order: np.ndarray) -> np.ndarray:
    kept = np.zeros(len(order), dtype=bool)
    values = [value(kept)]
    for m in order:
        kept = kept.copy()
        kept[m] = True
        values.append(value(kept))
    out = np.empty((len(order), *values[0].shape))
    out[order] = np.diff(values, axis=0)
    return out
