"""Decomposition through couplings that nets parametrise."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import Any, NamedTuple

import numpy as np

from ..._estimation._inner_estimators import FlatTable
from ..._estimation._rows import LabelledRows
from .._broja import table_information
from .._decomposition import Decomposition, Draw, Evaluation, Terms, decompose_single
from .._posterior import HeldOutTables
from .._sources import Pair, Source, union
from ._sinkhorn import enclose, sinkhorn
from ._support import Marginal, Points, make_problems, merge_rows

# Violation up to which a coupling is scaled before its marginals are made exact.
TOLERANCE, MAX_ROUNDS = 1e-10, 1000


@dataclass(eq=False, repr=False)
class CouplingTables(HeldOutTables):
    """Calibrates held-out posteriors and couples the sources they belong to.

    The nets of each pair are trained on all rows, and kept for other evaluations.
    """

    rows: InitVar[LabelledRows]
    seed: int

    def __post_init__(self, rows: LabelledRows) -> None:
        # Torch takes a second to import, and only couplings need it.
        from ._net import train_coupling

        # In the order of names, so that a swap of the sources changes no draw.
        self._coupled: dict[Pair, Pair] = {
            (a, b): (b, a) if b < a else (a, b) for a, b in self.pairs if b
        }
        features = dict.fromkeys(s for pair in self._coupled for s in pair)
        self._features = {s: standardise(rows, s) for s in features}
        sides = self._merge(rows.y, rows.weight)
        self._nets: dict[Pair, Any] = {
            pair: train_coupling(self._problems(pair, sides), self.seed)
            for pair in self._coupled
        }

    def evaluate(
        self, codes: np.ndarray, weight: np.ndarray, *, certify: bool = False
    ) -> Evaluation:
        """Decompose every pair; the gap is NaN unless ``certify``, which takes long."""
        sides = self._merge(codes, weight)
        out = []
        for pair in self.pairs:
            joint = sides.held_out[union(pair)]
            if pair in self._coupled:
                out.append(self._couple(pair, sides, joint, certify))
            else:
                out.append(decompose_single(joint))
        n_states = {s: len(points.mass) for s, points in sides.points.items()}
        return Evaluation(out, sides.held_out, n_states, {}, sides.joint_error)

    def plain_terms(self, draws: list[Draw]) -> np.ndarray:
        """Plain terms of all pairs for several labels and weights."""
        return np.array([self.evaluate(*draw).plain for draw in draws])

    def _merge(self, codes: np.ndarray, weight: np.ndarray) -> _Sides:
        found = self.calibrate(codes, weight)
        # Classes that are missing from a resample have no coupling.
        live = np.flatnonzero(found.prior > 0)
        posterior = found.log_posterior
        points = {
            source: merge_rows(features, posterior[source], found.weight, live)
            for source, features in self._features.items()
        }
        error = found.errors[union(self.pairs[0])] / np.log(2.0)
        return _Sides(found.bits, points, found.prior[live], live, error)

    def _problems(self, pair: Pair, sides: _Sides) -> list[tuple[Marginal, Marginal]]:
        first, second = (sides.points[source] for source in self._coupled[pair])
        rng = np.random.RandomState(self.seed)
        return make_problems(first, second, sides.total, rng)

    def _couple(
        self, pair: Pair, sides: _Sides, joint: float, certify: bool
    ) -> Decomposition:
        """Means over all problems, which have equal mass, and the worst violation."""
        from ._net import kernel_of

        entropy = -float(sides.total @ np.log(sides.total))
        found, violation = [], 0.0
        for problem in self._problems(pair, sides):
            a, b = (side.table for side in problem)
            kernel = kernel_of(self._nets[pair], problem)[sides.live]
            scaled = sinkhorn(kernel, a, b, tol=TOLERANCE, max_rounds=MAX_ROUNDS)
            least = enclose(a, b, scaled.coupling, bound=certify)
            violation = max(violation, least.violation)
            one, two = table_information(a), table_information(b)
            if self._coupled[pair] != pair:
                one, two = two, one
            joined = (least.upper + entropy) / np.log(2.0)
            gap = (least.upper - least.lower) / np.log(2.0)
            found.append((one, two, joined, gap))
        one, two, joined, gap = np.mean(found, axis=0)
        # The coupling is feasible but not optimal, so redundancy may come out negative.
        plain = Terms.split(one, two, joined, joint)
        return Decomposition(plain, float(gap), violation)


class _Sides(NamedTuple):
    """Points of sources, shares and numbers of classes, error of the joint one."""

    held_out: dict[Source, float]
    points: dict[Source, Points]
    total: np.ndarray
    live: np.ndarray
    joint_error: float


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
