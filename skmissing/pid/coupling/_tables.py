"""Decomposition through couplings that nets parametrise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._estimation._inner_estimators import FlatTable
from ..._estimation._rows import LabelledRows
from .._broja import table_information
from .._decomposition import Decomposition, Evaluation, Terms, decompose_single
from .._posterior import calibrated_posterior
from .._sources import Pair, Source, union
from ._sinkhorn import enclose, sinkhorn
from ._support import Marginal, Points, make_problems, merge_rows

# Violation up to which a coupling is scaled before its marginals are made exact.
TOLERANCE, MAX_ROUNDS = 1e-10, 1000


class CouplingTables:
    """Calibrates held-out posteriors and couples the sources they belong to.

    The nets of each pair are trained on all rows, and kept for other evaluations.
    """

    def __init__(
        self,
        log_ratio: dict[Source, np.ndarray],
        folds: np.ndarray,
        pairs: list[Pair],
        rows: LabelledRows,
        seed: int,
    ) -> None:
        # Torch takes a second to import, and only couplings need it.
        from ._net import train_coupling

        self.log_ratio, self.folds, self.pairs = log_ratio, folds, pairs
        self.seed = seed
        self.n_classes = len(rows.classes)
        # In the order of names, so that a swap of the sources changes no draw.
        self._coupled: dict[Pair, Pair] = {
            (a, b): (b, a) if b < a else (a, b) for a, b in pairs if b
        }
        features = dict.fromkeys(s for pair in self._coupled for s in pair)
        self._features = {s: standardise(rows, s) for s in features}
        posteriors = self._calibrate(rows.y, rows.weight)
        self._nets: dict[Pair, Any] = {
            pair: train_coupling(self._problems(ordered, posteriors), seed)
            for pair, ordered in self._coupled.items()
        }

    def evaluate(
        self, codes: np.ndarray, weight: np.ndarray, *, certify: bool = False
    ) -> Evaluation:
        """Decompose every pair; the gap is NaN unless ``certify``, which takes long."""
        posteriors = self._calibrate(codes, weight)
        out = []
        for pair in self.pairs:
            joint = posteriors.held_out[union(pair)]
            if pair in self._coupled:
                found = self._couple(pair, posteriors, certify)
                out.append(_decompose(found, joint))
            else:
                out.append(decompose_single(joint))
        n_states = {s: len(points.mass) for s, points in posteriors.points.items()}
        return Evaluation(out, posteriors.held_out, n_states, {})

    def _calibrate(self, codes: np.ndarray, weight: np.ndarray) -> _Posteriors:
        weight = weight / weight.sum()
        total = np.bincount(codes, weight, minlength=self.n_classes)
        # Classes that are missing from a resample have no coupling.
        live = np.flatnonzero(total > 0)
        held_out, points = {}, {}
        for source, ratio in self.log_ratio.items():
            found = calibrated_posterior(ratio, self.folds, codes, weight, total)
            held_out[source] = found.bits
            if source in self._features:
                points[source] = merge_rows(
                    self._features[source], found.log_posterior, weight, live
                )
        return _Posteriors(held_out, points, total[live], live)

    def _problems(
        self, ordered: Pair, posteriors: _Posteriors
    ) -> list[tuple[Marginal, Marginal]]:
        first, second = (posteriors.points[source] for source in ordered)
        rng = np.random.RandomState(self.seed)
        return make_problems(first, second, posteriors.total, rng)

    def _couple(self, pair: Pair, posteriors: _Posteriors, certify: bool) -> _Coupled:
        """Means over all problems, which have equal mass, and the worst violation."""
        from ._net import kernel_of

        total = posteriors.total
        entropy = -float(total @ np.log(total))
        found = []
        for problem in self._problems(self._coupled[pair], posteriors):
            a, b = (side.table for side in problem)
            kernel = kernel_of(self._nets[pair], problem)[posteriors.live]
            scaled = sinkhorn(kernel, a, b, tol=TOLERANCE, max_rounds=MAX_ROUNDS)
            least = enclose(a, b, scaled.coupling, bound=certify)
            one, two = table_information(a), table_information(b)
            if self._coupled[pair] != pair:
                one, two = two, one
            union = (least.upper + entropy) / np.log(2.0)
            gap = (least.upper - least.lower) / np.log(2.0)
            found.append(_Coupled(one, two, union, gap, least.violation))
        mean = _Coupled(*np.mean(found, axis=0))
        return mean._replace(violation=max(c.violation for c in found))


class _Posteriors(NamedTuple):
    """Calibrated posteriors as points, class shares, and the classes with weight."""

    held_out: dict[Source, float]
    points: dict[Source, Points]
    total: np.ndarray
    live: np.ndarray


class _Coupled(NamedTuple):
    """Informations of both sources, union information and gap, bits; violation."""

    first: float
    second: float
    union: float
    gap: float
    violation: float


def _decompose(found: _Coupled, joint: float) -> Decomposition:
    one, two = found.first, found.second
    # The coupling is feasible but not optimal, so redundancy may come out negative.
    union = max(min(found.union, one + two), one, two)
    value = Terms.split(one, two, union, max(joint, union))
    return Decomposition(
        raw=Terms.split(one, two, found.union, joint),
        value=value,
        duality_gap=float(found.gap),
        marginal_violation=float(found.violation),
    )


def standardise(rows: LabelledRows, source: Source) -> np.ndarray:
    """Features of a source with mean 0 and variance 1, without constant ones."""
    weight = rows.weight
    flat = FlatTable(list(source), keep_nan=False).fit(rows.data, weight)
    table = flat.transform(rows.data)
    mean = np.average(table, axis=0, weights=weight)
    std = np.sqrt(np.average((table - mean) ** 2, axis=0, weights=weight))
    noise = np.finfo(np.float64).eps * len(table) * np.abs(mean)
    vary = std > noise
    return (table[:, vary] - mean[vary]) / std[vary]
