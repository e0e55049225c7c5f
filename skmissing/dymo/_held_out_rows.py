"""Which rows neither net nor recovery is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._estimation._folds import hold_out
from .._estimation._rows import LabelledRows
from ..nn._training import stops_early

# Held-out rows for each class, on average, from which on they decide what is typical.
# Standard deviations of ten rows are off by a fifth, and let swapped and random blocks
# pass.
HELD_OUT_PER_CLASS = 50
# Fewer rows, or groups, are not split for statistics without being asked to.
MIN_ROWS, MIN_GROUPS = 1000, 10


def held_out_rows(
    params: dict[str, Any],
    rows: LabelledRows,
    statistics: str,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Held-out rows for early stopping or for statistics, bool of shape (n,)."""
    some = np.asarray(rows.data.present.any(axis=1))
    n = int(some.sum())
    # Of a few groups, one is too much to lose where nobody asked for it.
    many = n >= MIN_ROWS and (
        rows.groups is None or len(pd.unique(rows.groups[some])) >= MIN_GROUPS
    )
    wanted = statistics == "held_out" or (statistics == "auto" and many)
    if n and (wanted or stops_early(params, n)):
        return hold_out(rows, params["validation_fraction"], rng)
    return np.zeros(len(rows), dtype=bool)


def enough_held_out(statistics: str, n_held_out: int, n_classes: int) -> bool:
    """Whether held-out rows, and not training rows, decide what is typical."""
    if statistics == "auto":
        return n_held_out >= HELD_OUT_PER_CLASS * n_classes
    return statistics == "held_out" and n_held_out > 0


def return_new_classes(rows: LabelledRows, held_out: np.ndarray) -> np.ndarray:
    """Held-out rows without those, and their groups, of classes held out as a whole.

    The net of a selector has all classes in any case, another classifier only those
    that it is fitted on.
    """
    back = held_out & ~np.isin(rows.y, rows.y[~held_out])
    if rows.groups is not None:
        back = held_out & np.isin(rows.groups, rows.groups[back])
    return held_out & ~back
