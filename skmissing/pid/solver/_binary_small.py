"""Two classes and a few cells: the closed form without arrays.

A call of numpy takes as long as the arithmetic of a dozen cells, and many times that if
it is the first one for a while.
"""

from __future__ import annotations

import math

import numpy as np

from ._binary import Edge, solve
from ._certificate import LAST_PLACES, NEGLIGIBLE

# Cells up to which lists are faster than arrays.
FEW = 64


def tiny_minimum(
    A: np.ndarray, B: np.ndarray
) -> tuple[float, float, float, np.ndarray, float] | None:
    """Bounds of the minimum, as :func:`~._certificate.certify` defines them.

    Parameters
    ----------
    A : ndarray of shape (2, n1)
        ``P(y, x1)``, all positive.
    B : ndarray of shape (2, n2)
        ``P(y, x2)``, likewise.

    Returns
    -------
    lower, upper, size : float
        As in :class:`~._certificate.Bounds`.
    coupling : ndarray of shape (2, n1, n2)
        ``Q(y, x1, x2)``.
    violation : float
        Largest absolute difference of a marginal.

    None where states have to be merged, or potentials are infinite.
    """
    first: list[Edge] = A.T.tolist()
    plain: list[Edge] = B.T.tolist()
    f0 = sum(a0 for a0, _ in first) / sum(b0 for b0, _ in plain)
    f1 = sum(a1 for _, a1 in first) / sum(b1 for _, b1 in plain)
    second = [(f0 * b0, f1 * b1) for b0, b1 in plain]
    (one, two), edges = solve(first, second)
    n1, n2 = len(first), len(second)
    if len(one.atoms) < n1 or len(two.atoms) < n2:
        return None
    served: list[list[tuple[int, float]]] = [[] for _ in edges]
    for z, atom, share in two.parts:
        served[z].append((two.order[atom], share))
    Q0, Q1 = ([[0.0] * n2 for _ in first] for _ in range(2))
    for z, atom, share in one.parts:
        i = one.order[atom]
        c0, c1 = share * edges[z][0], share * edges[z][1]
        for j, part in served[z]:
            Q0[i][j] += c0 * part
            Q1[i][j] += c1 * part

    violation = 0.0
    for Q, y in ((Q0, 0), (Q1, 1)):
        rows, columns = [a[y] for a in first], [b[y] for b in second]
        if _off(Q, rows, columns):
            _repair(Q, rows, columns)
        exact = zip([sum(q) for q in zip(*Q, strict=True)], plain, strict=True)
        violation = max(
            violation,
            max(abs(sum(q) - a) for q, a in zip(Q, rows, strict=True)),
            max(abs(s - b[y]) for s, b in exact),
        )

    L, M = [(0.0, 0.0)] * n1, [(0.0, 0.0)] * n2
    terms = []
    for source, table, potential in ((one, first, L), (two, second, M)):
        for i, (l0, l1) in zip(source.order, source.values, strict=True):
            potential[i] = (l0, l1)
            terms += [table[i][0] * l0, table[i][1] * l1]
    cost, entropies = 0.0, []
    for (l0, l1), (a0, a1), q0, q1 in zip(L, first, Q0, Q1, strict=True):
        worst = -math.inf
        for (m0, m1), p0, p1 in zip(M, q0, q1, strict=True):
            u, v = l0 + m0, l1 + m1
            worst = max(worst, max(u, v) + math.log1p(math.exp(-abs(u - v))))
            if p0 > 0 and p1 > 0:
                entropies += [
                    p0 * math.log(p0 / (p0 + p1)),
                    p1 * math.log(p1 / (p0 + p1)),
                ]
        cost += worst * (a0 + a1)
    if cost > NEGLIGIBLE or not math.isfinite(cost):
        return None
    lower = math.fsum(terms) - cost
    size = math.fsum(map(abs, terms))
    return lower, math.fsum(entropies), size, np.array([Q0, Q1]), violation


def _off(Q: list[list[float]], rows: list[float], columns: list[float]) -> bool:
    """Whether a marginal is further away than in its last places."""
    sides = ((Q, rows), (zip(*Q, strict=True), columns))
    return any(
        abs(sum(part) - mass) > LAST_PLACES * mass
        for parts, masses in sides
        for part, mass in zip(parts, masses, strict=True)
    )


def _repair(Q: list[list[float]], rows: list[float], columns: list[float]) -> None:
    """Scale down what is too much and spread what is short, in place."""
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
