"""Two classes and a few cells: the closed form without arrays.

A call of numpy takes as long as the arithmetic of a dozen cells, and many times that if
it is the first one for a while.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ._binary import Assignment, Edge, blackwell_join
from ._certificate import LAST_PLACES, NEGLIGIBLE, Bounds

# The coupling of one class, by rows.
Matrix = list[list[float]]

# Cells up to which lists are faster than arrays.
FEW_CELLS = 64


class SmallSolution(NamedTuple):
    """Bounds with the classes of the coupling in front; error of the worst marginal."""

    bounds: Bounds
    violation: float


def solve_binary_small(A: np.ndarray, B: np.ndarray) -> SmallSolution | None:
    """Closed form for positive ``P(y, x1)`` (2, n1) and ``P(y, x2)`` (2, n2).

    None where states have to be merged, or potentials are infinite.
    """
    first: list[Edge] = A.T.tolist()
    plain: list[Edge] = B.T.tolist()
    f0 = sum(a0 for a0, _ in first) / sum(b0 for b0, _ in plain)
    f1 = sum(a1 for _, a1 in first) / sum(b1 for _, b1 in plain)
    second = [(f0 * b0, f1 * b1) for b0, b1 in plain]
    (one, two), edges = blackwell_join(first, second)
    if len(one.curve.atoms) < len(first) or len(two.curve.atoms) < len(second):
        return None
    couplings = _couple(one, two, edges)
    violation = 0.0
    for y, Q in enumerate(couplings):
        rows, columns = [a[y] for a in first], [b[y] for b in second]
        if _off(Q, rows, columns):
            _repair(Q, rows, columns)
        wanted = rows + [b[y] for b in plain]
        errors = [abs(s - mass) for s, mass in zip(_margins(Q), wanted)]
        violation = max(violation, *errors)

    L, M = [(0.0, 0.0)] * len(first), [(0.0, 0.0)] * len(second)
    terms = []
    for source, table, potential in ((one, first, L), (two, second, M)):
        for i, (l0, l1) in zip(source.curve.order, source.values, strict=True):
            potential[i] = (l0, l1)
            terms += [table[i][0] * l0, table[i][1] * l1]
    cost, entropies = _sum_cells(L, M, first, couplings)
    if cost > NEGLIGIBLE or not math.isfinite(cost):
        return None
    lower, size = math.fsum(terms) - cost, math.fsum(map(abs, terms))
    bounds = Bounds(lower, math.fsum(entropies), np.array(couplings), size)
    return SmallSolution(bounds, violation)


def _couple(one: Assignment, two: Assignment, edges: list[Edge]) -> list[Matrix]:
    """Coupling of each class whose sources are independent given the edge."""
    n1, n2 = len(one.curve.order), len(two.curve.order)
    assigned: list[list[tuple[int, float]]] = [[] for _ in edges]
    for z, atom, share in two.kernel:
        assigned[z].append((two.curve.order[atom], share))
    Q0, Q1 = ([[0.0] * n2 for _ in range(n1)] for _ in range(2))
    for z, atom, share in one.kernel:
        i = one.curve.order[atom]
        c0, c1 = share * edges[z][0], share * edges[z][1]
        for j, part in assigned[z]:
            Q0[i][j] += c0 * part
            Q1[i][j] += c1 * part
    return [Q0, Q1]


def _sum_cells(
    L: list[Edge], M: list[Edge], masses: list[Edge], couplings: list[Matrix]
) -> tuple[float, list[float]]:
    """Cost of potentials that are not feasible, and terms of the negative entropy."""
    cost, entropies = 0.0, []
    for (l0, l1), (a0, a1), q0, q1 in zip(L, masses, *couplings, strict=True):
        worst = -math.inf
        for (m0, m1), p0, p1 in zip(M, q0, q1, strict=True):
            u, v = l0 + m0, l1 + m1
            worst = max(worst, max(u, v) + math.log1p(math.exp(-abs(u - v))))
            if p0 > 0 and p1 > 0:
                entropies.append(p0 * math.log(p0 / (p0 + p1)))
                entropies.append(p1 * math.log(p1 / (p0 + p1)))
        cost += worst * (a0 + a1)
    return cost, entropies


def _margins(Q: Matrix) -> list[float]:
    """Sums of all rows, then of all columns."""
    return [sum(part) for part in (*Q, *zip(*Q, strict=True))]


def _off(Q: Matrix, rows: list[float], columns: list[float]) -> bool:
    """Whether a marginal is further away than in its last places."""
    pairs = zip(_margins(Q), rows + columns)
    return any(abs(s - mass) > LAST_PLACES * mass for s, mass in pairs)


def _repair(Q: Matrix, rows: list[float], columns: list[float]) -> None:
    """Scale down what is too much and distribute what is short, in place."""
    for i, a in enumerate(rows):
        factor = min(1.0, a / (sum(Q[i]) or 1.0))
        Q[i] = [factor * q for q in Q[i]]
    sums = [sum(q) for q in zip(*Q, strict=True)]
    factors = [min(1.0, b / (s or 1.0)) for b, s in zip(columns, sums, strict=True)]
    for i, q in enumerate(Q):
        Q[i] = [f * x for f, x in zip(factors, q, strict=True)]
    sums = [sum(q) for q in zip(*Q, strict=True)]
    short = [max(b - s, 0.0) for b, s in zip(columns, sums, strict=True)]
    total = sum(short) or 1.0
    for i, a in enumerate(rows):
        share = max(a - sum(Q[i]), 0.0) / total
        Q[i] = [q + share * s for q, s in zip(Q[i], short, strict=True)]
