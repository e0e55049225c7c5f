"""Sources of any type as tables of numbers, without a look at the labels."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.kernel_approximation import Nystroem
from sklearn.preprocessing import SplineTransformer

from .._utils._warn import warn_user
from ..exceptions import SparseStatesWarning
from ..modalities._instants import days_of
from ..modalities._multimodal_data import MultimodalData
from ..modalities._normal_scores import NormalScores
from ..modalities._validation import flatten_blocks
from ._sources import Source

# Rows that a level of text needs for a column of its own, and the most such columns.
# The other levels share one.
ROWS_PER_LEVEL = 10
MAX_LEVELS = 100
# Share of rows with a level of their own from which text names rows.
OWN_LEVEL = 0.5
# Up to so many different values a column is taken as it is.
FEW_VALUES = 4
# Where cubic pieces of normal scores meet; beyond the last ones they go on straight.
KNOTS = np.linspace(-2.1, 2.1, 7)
N_LANDMARKS = 100
# The smallest deviation that a column of a kernel is divided by: rare levels would
# otherwise be further away than anything else.
LEAST_DEVIATION = 0.3


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


class SourceTable:
    """Blocks of a source side by side, NaN where a feature is missing.

    Numbers stay as they are, instants and durations count days, text and categories
    become indicators.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    def fit(self, data: MultimodalData) -> SourceTable:
        """Learn the levels of text."""
        self._levels: dict[tuple[str, int], Levels] = {}
        for name in self.source:
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
        parts = [self._columns(data, name) for name in self.source]
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


class View:
    """What a learner sees of a table, here the table as it is.

    It is made from features and weights only, so that all folds share one.
    """

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        self.shape = table.shape[1], weight.sum()

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return table


class Filled(View):
    """Missing features get the mean of the known ones."""

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(table, weight)
        seen = ~np.isnan(table)
        mass = weight @ seen
        total = weight @ np.where(seen, table, 0.0)
        # A feature never seen gets 0: it is constant, so any value would do.
        self.fill = np.divide(total, mass, out=np.zeros_like(total), where=mass > 0)

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(table), self.fill, table)


class Flagged(Filled):
    """Filled, with an indicator of each feature that is missing in some rows."""

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(table, weight)
        self.gaps = np.isnan(table).any(axis=0)

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [super().__call__(table), np.isnan(table[:, self.gaps])], axis=1
        )


class Splines(Flagged):
    """Cubic splines of the normal scores of each feature."""

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(table, weight)
        self.scores: dict[int, NormalScores] = {}
        for j, column in enumerate(table.T):
            known = ~np.isnan(column)
            if len(np.unique(column[known])) > FEW_VALUES:
                self.scores[j] = NormalScores.fit(column[known], weight[known])
        self.bent = np.array([*self.scores], dtype=np.intp)
        if len(self.bent):
            knots = np.repeat(KNOTS[:, None], len(self.bent), axis=1)
            self.basis = SplineTransformer(
                knots=knots, include_bias=False, extrapolation="linear"
            ).fit(knots)

    def scored(self, table: np.ndarray) -> np.ndarray:
        """Normal scores in place of the features that have them, gaps filled."""
        out = super().__call__(table)
        for j, scores in self.scores.items():
            out[:, j] = np.nan_to_num(scores(table[:, j]))
        return out

    def __call__(self, table: np.ndarray) -> np.ndarray:
        out = self.scored(table)
        if not len(self.bent):
            return out
        straight = np.delete(out, self.bent, axis=1)
        return np.concatenate([self.basis.transform(out[:, self.bent]), straight], 1)


class Kernel(Splines):
    """Similarity of the row with a hundred others, by all features together."""

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(table, weight)
        out = self.scored(table)
        self.mean = np.average(out, axis=0, weights=weight)
        deviation = np.sqrt(np.average((out - self.mean) ** 2, axis=0, weights=weight))
        self.scale = np.maximum(deviation, LEAST_DEVIATION)
        self.map = Nystroem(
            gamma=1.0 / out.shape[1],
            n_components=min(N_LANDMARKS, len(out)),
            random_state=0,
        ).fit((out - self.mean) / self.scale)

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return self.map.transform((self.scored(table) - self.mean) / self.scale)
