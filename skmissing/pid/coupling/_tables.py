"""Decomposition through couplings that nets parametrise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._estimation._inner_estimators import FlatTable
from ...modalities._multimodal_data import MultimodalData
from .._broja import table_information
from .._decomposition import Parts, single
from .._posterior import posterior_of
from .._sources import Pair, Source, union
from ._sinkhorn import enclose, sinkhorn
from ._support import Points, make_problems, merge_rows

# Violation up to which a coupling is scaled before its marginals are made exact.
TOLERANCE, MAX_ROUNDS = 1e-10, 1000


class CouplingTables:
    """Calibrates held-out posteriors and couples the sources they belong to."""

    def __init__(
        self,
        log_ratio: dict[Source, np.ndarray],
        folds: np.ndarray,
        pairs: list[Pair],
        data: MultimodalData,
        weight: np.ndarray,
        seed: int,
    ) -> None:
        self.log_ratio, self.folds, self.pairs = log_ratio, folds, pairs
        self.seed = seed
        self.n_classes = next(iter(log_ratio.values())).shape[1]
        self._coupled = list(dict.fromkeys(s for p in pairs if p[1] for s in p))
        self._features = {s: standardise(data, s, weight) for s in self._coupled}
        # Of each pair; learned at the first evaluation, and used for the others too.
        self._nets: dict[Pair, Any] = {}

    def evaluate(self, codes: np.ndarray, weight: np.ndarray) -> list[Parts]:
        """Decompose every pair."""
        weight = weight / weight.sum()
        total = np.bincount(codes, weight, minlength=self.n_classes)
        # Classes that a resample lacks have no coupling.
        live = np.flatnonzero(total > 0)
        self.held_out_: dict[Source, float] = {}
        self.n_bins_: dict[Source, int] = {}
        points = {}
        for source, ratio in self.log_ratio.items():
            posterior, nats = posterior_of(ratio, self.folds, codes, weight, total)
            self.held_out_[source] = float(nats / np.log(2.0))
            if source in self._coupled:
                points[source] = merge_rows(
                    self._features[source], posterior, weight, live
                )
                self.n_bins_[source] = len(points[source].mass)
        out = []
        for first, second in self.pairs:
            joint = self.held_out_[union((first, second))]
            if not second:
                out.append(single(joint))
                continue
            # In the order of names, so that a swap of the sources changes no draw.
            swap = second < first
            pair = (second, first) if swap else (first, second)
            figures = self._couple(
                pair, points[pair[0]], points[pair[1]], total[live], live
            )
            out.append(_assemble(figures, joint, swap))
        return out

    def bias(self, codes: np.ndarray, weight: np.ndarray, n: float) -> np.ndarray:
        """No correction: informations of posteriors are no plug-in figures of a table."""
        return np.zeros((len(self.pairs), 3))

    def least(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Nothing to extrapolate from, as nets would have to learn from every half."""
        return np.full(len(self.pairs), np.nan)

    def _couple(
        self,
        pair: Pair,
        first: Points,
        second: Points,
        total: np.ndarray,
        live: np.ndarray,
    ) -> np.ndarray:
        """Informations of both, least one, gap (bits) and violation, shape (5,)."""
        # Torch takes a second to import, and only couplings need it.
        from ._net import kernel_of, learn_coupling

        problems = make_problems(first, second, total, np.random.RandomState(self.seed))
        known = pair in self._nets
        if not known:
            self._nets[pair], _ = learn_coupling(problems, self.seed)
        entropy = -float(total @ np.log(total))
        rows = []
        for problem in problems:
            a, b = (side.table for side in problem)
            kernel = kernel_of(self._nets[pair], problem)[live]
            scaled = sinkhorn(kernel, a, b, tol=TOLERANCE, max_rounds=MAX_ROUNDS)
            least = enclose(a, b, scaled.coupling, bound=not known)
            rows.append(
                [
                    table_information(a),
                    table_information(b),
                    (least.upper + entropy) / np.log(2.0),
                    (least.upper - least.lower) / np.log(2.0),
                    least.violation,
                ]
            )
        # Problems have equal mass.
        mean = np.mean(rows, axis=0)
        mean[4] = np.max(rows, axis=0)[4]
        return mean


def _assemble(figures: np.ndarray, joint: float, swap: bool) -> Parts:
    """Parts from the informations of two sources and the least joint one."""
    one, two, least, gap, violation = figures
    if swap:
        one, two = two, one
    raised = max(joint, max(min(least, one + two), one, two))
    # The coupling is feasible but not optimal, so redundancy may come out negative.
    value = max(min(least, one + two), one, two)
    return Parts(
        raw=np.array(
            [
                least - two,
                least - one,
                one + two - least,
                joint - least,
                one,
                two,
                joint,
            ]
        ),
        value=np.array(
            [
                value - two,
                value - one,
                one + two - value,
                raised - value,
                one,
                two,
                raised,
            ]
        ),
        duality_gap=float(gap),
        marginal_violation=float(violation),
    )


def standardise(data: MultimodalData, source: Source, weight: np.ndarray) -> np.ndarray:
    """Features of a source with mean 0 and variance 1."""
    table = FlatTable(list(source), keep_nan=False).fit(data, weight).transform(data)
    mean = np.average(table, axis=0, weights=weight)
    spread = np.sqrt(np.average((table - mean) ** 2, axis=0, weights=weight))
    noise = np.finfo(np.float64).eps * len(table) * np.abs(mean)
    vary = spread > noise
    return (table[:, vary] - mean[vary]) / spread[vary]
