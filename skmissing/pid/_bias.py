"""Bias of the smallest joint information of a sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._decomposition import Parts
from ._sources import UsedRows

# Times that the rows are halved. The noise that this adds to a correction is a fraction
# of the correction's own.
N_HALVINGS = 4


def plug_in_bias(tables: Any, used: UsedRows, parts: list[Parts]) -> np.ndarray:
    """Bias of what the parts of every pair are made of.

    Parameters
    ----------
    tables : object with ``bias`` and ``least``
        Evaluated with all rows.
    used : UsedRows
        Labels, weights and groups.
    parts : list of Parts
        Of all rows, one per pair.

    Returns
    -------
    ndarray of shape (n_pairs, 4)
        Of the information of the first source, of the second, of both, and of the
        smallest one that both allow; bits.
    """
    first_order = tables.bias(used.codes, used.weight, used.effective_sample_size)
    single = np.array([not second for _, second in tables.pairs])
    # All figures of a single source are its information.
    least = first_order[:, 2]
    if not single.all():
        # What is unique to the first source, and what the second one says.
        whole = np.array([p.raw[0] + p.raw[5] for p in parts])
        least = half_sample_growth(tables, used, whole)
    return np.column_stack([first_order, least])


def half_sample_growth(tables: Any, used: UsedRows, whole: np.ndarray) -> np.ndarray:
    """How much larger the least joint information is in half of the rows.

    Parameters
    ----------
    tables : object with ``least``
        Evaluated with all rows.
    used : UsedRows
        Labels, weights and groups; rows of a group stay together.
    whole : ndarray of shape (n_pairs,)
        The least joint information in all rows, bits.

    Returns
    -------
    ndarray of shape (n_pairs,)
        Bits; an estimate of the bias with all rows, to be subtracted. NaN for fewer
        than two rows or groups.

    Notes
    -----
    A bias that falls as 1 / n is twice as large in half of the rows as in all of them,
    so that the difference is what remains with all. Where both unique parts are near 0
    the least information is about the larger one of two nearly equal informations,
    whose bias falls as the root of n only: then this finds two fifths of it.
    Bootstrap resamples would serve as well for small tables, but tell less of tables
    with empty cells, which they cannot fill.
    """
    units = np.arange(len(used.codes))
    if used.groups is not None:
        units = np.unique(used.groups[used.rows], return_inverse=True)[1]
    n_units = int(units.max()) + 1
    if n_units < 2:
        return np.full(len(tables.pairs), np.nan)
    halves = []
    # Always the same halves: a correction should not add chance of its own to a method
    # that has none.
    rng = np.random.RandomState(0)
    for _ in range(N_HALVINGS):
        inside = rng.permutation(n_units)[units] < n_units // 2
        for half in (inside, ~inside):
            halves.append(tables.least(used.codes, used.weight * half))
    return np.mean(halves, axis=0) - whole
