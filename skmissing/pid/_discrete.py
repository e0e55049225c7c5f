"""Tables of blocks whose distinct rows are the states of a source."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..modalities._multimodal_data import MultimodalData
from ._broja import table_information
from ._decomposition import (
    Parts,
    count_table,
    decompose,
    first_order_bias,
    least_information,
    single,
)
from ._sources import Pair, Source, UsedRows, union

# Effective rows per degree of freedom of the joint table above which "auto" counts
# states: the joint information is then biased by 1 / (20 ln 2) = 0.07 bit at most.
ROWS_PER_CELL = 10.0


def state_codes(blocks: list[np.ndarray]) -> np.ndarray:
    """Number the distinct rows of some blocks."""
    n = len(blocks[0])
    codes, size = np.zeros(n, dtype=np.int64), min(n, 1)
    for block in blocks:
        flat = block.reshape(n, -1)
        for j in range(flat.shape[1]):
            if size == n:
                # All rows differ already; images and series end here soon.
                return codes
            # Unlike numpy.unique along an axis this takes objects and equates NaNs.
            level, levels = pd.factorize(flat[:, j], use_na_sentinel=False)
            codes, seen = pd.factorize(codes * len(levels) + level)
            size = len(seen)
    return codes


def source_states(data: MultimodalData, source: Source) -> np.ndarray:
    """States of a source that may consist of several modalities."""
    blocks = data.blocks
    return state_codes([np.asarray(blocks[name]) for name in source])


def choose_method(method: str, used: UsedRows, joint: Source) -> str:
    """Settle what "auto" stands for."""
    kinds = {name: used.data[name].dtype.kind for name in joint}
    words = [name for name, kind in kinds.items() if kind not in "fiub"]
    if method in ("posterior", "coupling") and words:
        raise ValueError(
            f"Got values of dtype {used.data[words[0]].dtype} in the modality "
            f"{words[0]!r}, expected numbers for method={method!r}; encode it with a "
            "ModalityTransformer first, or take method='exact'."
        )
    if method != "auto":
        return method
    if words:
        return "exact"
    n_states = int(source_states(used.data, joint).max()) + 1
    cells = n_states * (len(used.classes) - 1)
    few = cells * ROWS_PER_CELL <= used.effective_sample_size
    return "exact" if few else "posterior"


class DiscreteTables:
    """Plug-in decomposition of discrete sources."""

    def __init__(self, data: MultimodalData, pairs: list[Pair], n_classes: int) -> None:
        self.pairs = pairs
        self.n_classes = n_classes
        self.states_: dict[Source, np.ndarray] = {}
        for pair in pairs:
            for source in (*pair, union(pair)):
                if source and source not in self.states_:
                    self.states_[source] = source_states(data, source)

    def evaluate(self, codes: np.ndarray, weight: np.ndarray) -> list[Parts]:
        """Decompose every pair."""
        out = []
        for first, second in self.pairs:
            joint = table_information(
                self._table(union((first, second)), codes, weight)
            )
            if not second:
                out.append(single(joint))
                continue
            one = self._table(first, codes, weight)
            out.append(decompose(one, self._table(second, codes, weight), joint))
        return out

    def bias(self, codes: np.ndarray, weight: np.ndarray, n: float) -> np.ndarray:
        """First-order bias of the three informations of every pair."""
        return np.array(
            [
                [
                    first_order_bias(self._table(s, codes, weight), n) if s else 0.0
                    for s in (first, second, union((first, second)))
                ]
                for first, second in self.pairs
            ]
        )

    def least(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Smallest joint information of every pair of two sources."""
        return np.array(
            [
                least_information(*(self._table(s, codes, weight) for s in pair))
                for pair in self.pairs
            ]
        )

    def _table(
        self, source: Source, codes: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        return count_table(codes, self.states_[source], weight, self.n_classes)


class StatePosterior:
    """Class shares of every joint state, to score other rows with."""

    def __init__(
        self,
        data: MultimodalData,
        source: Source,
        codes: np.ndarray,
        weight: np.ndarray,
        prior: np.ndarray,
    ) -> None:
        self.source = source
        states = source_states(data, source)
        _, first = np.unique(states, return_index=True)
        self._examples = [np.asarray(data.blocks[name])[first] for name in source]
        table = count_table(codes, states, weight, len(prior)).T
        # Counts in effective rows. Each state starts from the prior, which counts as
        # one row: otherwise a class that a state has not shown would be impossible.
        counts = table * (weight.sum() ** 2 / (weight @ weight))
        self._log_ratio = np.log(
            (counts + prior) / ((counts.sum(axis=1) + 1.0)[:, None] * prior)
        )

    def log_ratio(self, data: MultimodalData) -> np.ndarray:
        """Logarithm of posterior over prior, 0 for states never seen."""
        known = len(self._log_ratio)
        blocks = data.blocks
        joined = state_codes(
            [
                _stack(example, np.asarray(blocks[name]))
                for example, name in zip(self._examples, self.source)
            ]
        )
        # The examples come first, and they all differ, so they are numbered 0, 1, ...
        out = np.zeros((len(data), self._log_ratio.shape[1]))
        seen = joined[known:] < known
        out[seen] = self._log_ratio[joined[known:][seen]]
        return out


def _stack(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    if first.dtype.kind != second.dtype.kind and "O" in first.dtype.kind + (
        second.dtype.kind
    ):
        first, second = first.astype(object), second.astype(object)
    return np.concatenate([first, second.reshape(len(second), *first.shape[1:])])
