"""Tables of blocks whose distinct rows are the states of a source."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .._estimation._rows import LabelledRows
from .._utils._warn import warn_user
from ..exceptions import SparseStatesWarning
from ..modalities._multimodal_data import MultimodalData
from ._broja import table_information
from ._decomposition import (
    Draw,
    Evaluation,
    count_table,
    decompose,
    make_job,
    plain_terms,
)
from ._sources import Pair, Source, source_name, union

# Effective rows per degree of freedom of the joint table above which "auto" counts
# states: the joint information is then biased by 1 / (20 ln 2) = 0.07 bit at most.
ROWS_PER_CELL = 10.0
# Share of rows that are alone in their state from which a source names rows.
OWN_STATE = 0.8


def state_codes(blocks: list[np.ndarray]) -> np.ndarray:
    """Number the distinct rows of some blocks; missing features are a level."""
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


def source_blocks(data: MultimodalData, source: Source) -> list[np.ndarray]:
    """Blocks of a source that may consist of several modalities."""
    return [np.asarray(data.blocks[name]) for name in source]


def source_states(data: MultimodalData, source: Source) -> np.ndarray:
    """State of each row of a source."""
    return state_codes(source_blocks(data, source))


def choose_method(method: str, rows: LabelledRows, joint: Source) -> str:
    """Resolve "auto", and check that the modalities suit the method."""
    words = [name for name in joint if rows.data[name].dtype.kind not in "fiub"]
    if method == "coupling" and words:
        raise ValueError(
            f"Got values of dtype {rows.data[words[0]].dtype} in the modality "
            f"{words[0]!r}, expected numbers for method={method!r}; encode it with a "
            "ModalityTransformer first, or take method='posterior'."
        )
    if method != "auto":
        return method
    n_states = int(source_states(rows.data, joint).max()) + 1
    cells = n_states * (len(rows.classes) - 1)
    return "exact" if cells * ROWS_PER_CELL <= rows.ess else "posterior"


def check_states(rows: LabelledRows, sources: list[Source]) -> None:
    """Refuse sources that name rows, and warn of states with few rows."""
    joint = tuple(name for source in sources for name in source)
    for source in sources:
        size = np.bincount(source_states(rows.data, source))
        if len(rows) >= ROWS_PER_CELL and (size == 1).sum() > OWN_STATE * len(rows):
            raise ValueError(
                f"Got {len(size)} states of the source {source_name(source)!r} in "
                f"{len(rows)} rows, expected states that several rows share for "
                "method='exact': counts of single rows are no information; take "
                "method='posterior'."
            )
    n_states = int(source_states(rows.data, joint).max()) + 1
    cells = n_states * (len(rows.classes) - 1)
    if cells * ROWS_PER_CELL > rows.ess:
        warn_user(
            f"Got {n_states} joint states of the sources and {len(rows.classes)} "
            f"classes in {len(rows)} rows (effectively {rows.ess:.0f}), expected at "
            f"least {ROWS_PER_CELL * cells:.0f} rows for method='exact': informations "
            "of so few rows are too large, and the correction of their bias is rough.",
            SparseStatesWarning,
        )


class DiscreteTables:
    """Plug-in decomposition of discrete sources."""

    def __init__(self, data: MultimodalData, pairs: list[Pair], n_classes: int) -> None:
        self.pairs, self.n_classes = pairs, n_classes
        wanted = [s for pair in pairs for s in (*pair, union(pair)) if s]
        self.states = {s: source_states(data, s) for s in dict.fromkeys(wanted)}
        self.n_states = {s: int(v.max()) + 1 for s, v in self.states.items()}

    def evaluate(self, codes: np.ndarray, weight: np.ndarray) -> Evaluation:
        """Decompose every pair; rows that are not drawn have weight 0."""
        tables, joint = self._count(codes, weight)
        found = [decompose(pair, tables, joint[union(pair)]) for pair in self.pairs]
        return Evaluation(found, {}, self.n_states, self.states)

    def plain_terms(self, draws: list[Draw]) -> np.ndarray:
        """Plain terms of all pairs for several labels and weights."""
        jobs = []
        for codes, weight in draws:
            tables, joint = self._count(codes, weight)
            jobs.append(
                [make_job(pair, tables, joint[union(pair)]) for pair in self.pairs]
            )
        return plain_terms(jobs)

    def _count(self, codes: np.ndarray, weight: np.ndarray):
        """Tables of all sources, and the joint information of each pair."""
        tables = {
            source: count_table(codes, states, weight, self.n_classes)
            for source, states in self.states.items()
        }
        wholes = [union(pair) for pair in self.pairs]
        joint = {source: table_information(tables[source]) for source in wholes}
        return tables, joint


class StatePosterior:
    """Class shares of every joint state, to score other rows with."""

    def __init__(self, rows: LabelledRows, source: Source) -> None:
        self.source = source
        weight, prior = rows.weight, rows.prior
        states = source_states(rows.data, source)
        _, first = np.unique(states, return_index=True)
        self._examples = [block[first] for block in source_blocks(rows.data, source)]
        table = count_table(rows.y, states, weight, len(prior)).T
        # Counts in effective rows. Each state starts from the prior, which counts as
        # one row: otherwise a class that a state has not shown would be impossible.
        counts = table * (weight.sum() ** 2 / (weight @ weight))
        self._log_ratio = np.log(
            (counts + prior) / ((counts.sum(axis=1) + 1.0)[:, None] * prior)
        )

    def __call__(self, data: MultimodalData) -> np.ndarray:
        """Logarithm of posterior over prior, 0 for states never seen."""
        known = len(self._log_ratio)
        both = zip(self._examples, source_blocks(data, self.source))
        joined = state_codes(
            [np.concatenate([a, b.reshape(len(b), *a.shape[1:])]) for a, b in both]
        )[known:]
        # The examples come first, and they all differ, so they are numbered 0, 1, ...
        seen = joined < known
        out = np.zeros((len(data), self._log_ratio.shape[1]))
        out[seen] = self._log_ratio[joined[seen]]
        return out
