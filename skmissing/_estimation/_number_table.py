"""Blocks of any type as numbers, without a look at the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from .._utils._warn import warn_user
from ..exceptions import SparseStatesWarning
from ..modalities._instants import days_of
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import flatten_blocks

# Rows that a level of text needs for a column of its own, and the most such columns.
# The other levels share one.
ROWS_PER_LEVEL = 10
MAX_LEVELS = 100
# Share of rows with a level of their own from which text names rows.
OWN_LEVEL = 0.5


@dataclass(frozen=True)
class Levels:
    """Columns for the common levels of a feature, and one for all others."""

    levels: list[Any]
    others: bool

    @classmethod
    def fit(cls, values: np.ndarray, label: str) -> Levels:
        """Count the levels; a missing value is one of them."""
        counts = pd.Series(values).value_counts(dropna=False)
        n_known = int(pd.notna(values).sum())
        n_alone = int((counts[counts.index.notna()] == 1).sum())
        if n_known >= ROWS_PER_LEVEL and n_alone > OWN_LEVEL * n_known:
            warn_user(
                f"Got {len(counts)} levels in {len(values)} rows of {label!r}, "
                "expected levels that repeat: it names rows, and its rare levels "
                "count as one.",
                SparseStatesWarning,
            )
        # By text where counts are equal, so that the order of rows does not matter.
        common = sorted(
            counts[counts >= ROWS_PER_LEVEL].items(),
            key=lambda item: (-item[1], str(item[0]), str(type(item[0]))),
        )
        kept = [level for level, _ in common[:MAX_LEVELS]]
        others = len(kept) < len(counts)
        # The last of all columns is what the others leave.
        return cls(kept if others else kept[:-1], others)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Indicators of the levels, shape (n, n_levels)."""
        codes = pd.Index(self.levels, dtype=object).get_indexer(
            pd.Index(values, dtype=object)
        )
        return (codes[:, None] == np.arange(len(self.levels))).astype(np.float64)


class NumberTable:
    """Some blocks side by side, NaN where a feature is missing.

    Numbers stay as they are, instants and durations count days, text and categories
    become indicators.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def fit(self, data: MultimodalData) -> NumberTable:
        """Learn the levels of text."""
        self._levels: dict[tuple[str, int], Levels] = {}
        for name in self.names:
            if data[name].dtype.kind in "fiub":
                continue
            block = _flat_objects(data, name)
            labels = data.feature_names.get(name)
            for j in range(block.shape[1]):
                if to_numbers(block[:, j]) is None:
                    label = name if labels is None else labels[j]
                    self._levels[name, j] = Levels.fit(block[:, j], label)
        return self

    def transform(self, data: MultimodalData) -> np.ndarray:
        """The table, float64 of shape (n, n_columns)."""
        parts = [self._columns(data, name) for name in self.names]
        table = np.concatenate(parts, axis=1)
        # Of a constant nothing is left, and learners want a column.
        return table if table.shape[1] else np.zeros((len(data), 1))

    def _columns(self, data: MultimodalData, name: str) -> np.ndarray:
        coded = any(known == name for known, _ in self._levels)
        if data[name].dtype.kind in "fiub" and not coded:
            return flatten_blocks(data, [name])
        block, parts = _flat_objects(data, name), []
        for j in range(block.shape[1]):
            levels = self._levels.get((name, j))
            if levels is not None:
                parts.append(levels(block[:, j]))
                continue
            numbers = to_numbers(block[:, j])
            if numbers is None:
                raise ValueError(
                    f"Got text in the modality {name!r}, expected numbers or dates as "
                    "in fit."
                )
            parts.append(numbers[:, None])
        return np.concatenate(parts, axis=1)


def _flat_objects(data: MultimodalData, name: str) -> np.ndarray:
    block = np.asarray(data[name])
    return block.reshape(len(block), -1)


def to_numbers(values: np.ndarray) -> np.ndarray | None:
    """Numbers, and days of instants (in UTC) and durations; None for text."""
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    series = pd.Series(values, dtype=None if values.dtype.kind in "mM" else object)
    known = series[series.notna()]
    days = days_of(series)
    if days is not None:
        return days
    if not all(isinstance(v, Real | np.bool_ | Decimal) for v in known):
        return None
    out = np.full(len(series), np.nan)
    out[series.notna().to_numpy()] = [float(v) for v in known]
    return out
