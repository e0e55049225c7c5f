"""Blocks of any type as numbers, without a look at the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from .._utils._warn import warn_user
from ..exceptions import SparseStatesWarning
from ..modalities._instants import days_of
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import flatten_blocks

# Rows that a level of text needs for a column of its own, and the most such columns.
# The other levels share one.
ROWS_PER_LEVEL = 10
MAX_LEVELS = 100
# Share of rows with a level of their own from which text names rows, or is free.
OWN_LEVEL = 0.5
# Columns for the words of a text; with more words, for their leading components.
N_TOPICS = 50


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


class Words:
    """Columns for the words of a text, or for what words of texts have in common."""

    @classmethod
    def fit(cls, values: np.ndarray) -> Words | None:
        """None for what is no text of several words that other rows have, too."""
        known = [str(v) for v in values[pd.notna(values)]]
        counts = pd.Series(known).value_counts()
        alone = int((counts == 1).sum()) > OWN_LEVEL * len(known)
        several = [" " in text.strip() for text in known]
        if not alone or sum(several) < OWN_LEVEL * len(known):
            return None
        # Words of nearly all rows say nothing.
        tfidf = TfidfVectorizer(min_df=ROWS_PER_LEVEL, max_df=0.95, max_features=5000)
        try:
            seen = tfidf.fit_transform(known)
        except ValueError:
            # No word is left.
            return None
        new = cls()
        new.tfidf, new.svd = tfidf, None
        if seen.shape[1] > N_TOPICS:
            new.svd = TruncatedSVD(N_TOPICS, random_state=0).fit(seen)
        return new

    tfidf: TfidfVectorizer
    svd: TruncatedSVD | None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Weights of words or topics, 0 where there is no text."""
        texts = np.where(pd.notna(values), values, "").astype(str)
        found = self.tfidf.transform(texts)
        return found.toarray() if self.svd is None else self.svd.transform(found)


class NumberTable:
    """Some blocks side by side, NaN where a feature is missing.

    Numbers stay as they are, instants and durations count days, text and categories
    become indicators of levels, and text of several words weights of words.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def fit(self, data: MultimodalData) -> NumberTable:
        """Learn the levels of text."""
        self._levels: dict[tuple[str, int], Levels | Words] = {}
        for name in self.names:
            if data[name].dtype.kind in "fiub":
                continue
            block = _flat_objects(data, name)
            labels = data.feature_names.get(name)
            for j in range(block.shape[1]):
                if to_numbers(block[:, j]) is None:
                    label = name if labels is None else labels[j]
                    words = Words.fit(block[:, j])
                    self._levels[name, j] = words or Levels.fit(block[:, j], label)
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
