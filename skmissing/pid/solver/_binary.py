"""Two classes: the minimum information in closed form, by the Blackwell join."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..._utils._threads import single_thread
from ._certificate import Bounds, certify, fill_potentials

# A vertex of the hull of both curves: coordinates, and its number on the first and on
# the second curve, -1 where it is not on it.
Vertex = tuple[float, float, int, int]
Edge = tuple[float, float]
# Multiplications that take as long without BLAS as to make it use one thread.
LARGE = 100_000
# Of sums of a few masses, relative.
ROUNDING = 4e-16
# Difference of logarithms of likelihood ratios that is none: to merge states whose
# logarithms differ by d changes informations by their mass times d^2 at most.
EQUAL = 1e-10


def binary_minimum(
    first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Bounds]:
    """Optimal potentials and coupling of two sources of a binary target.

    Parameters
    ----------
    first : ndarray of shape (n1, 2)
        ``P(x1, y)``, no all-zero row or column.
    second : ndarray of shape (n2, 2)
        ``P(x2, y)``, with the class totals of ``first``.

    Returns
    -------
    L : ndarray of shape (n1, 2)
        Potentials of the first source, ``-inf`` only where ``first`` is zero.
    M : ndarray of shape (n2, 2)
        Likewise of the second source.
    bounds : Bounds
        Of the minimum, and the coupling; exact but for rounding.

    Notes
    -----
    Sorted by the likelihood ratio and summed up, the columns ``P(., x1)`` draw a
    concave curve from (0, 0) to the class totals, and a source tells at least as much
    as another in the sense of Blackwell if its curve is nowhere below. For two classes
    this order is a lattice: the concave hull of two curves is the curve of the least
    informative variable Z above both. Every coupling of the sources is above both,
    hence above Z, and has at least its information. And there are kernels that make
    either source from Z; drawn independently given Z, they are a coupling that tells no
    more than Z. So the minimum is ``I(Y; Z)``.

    The states of Z are the edges c of the hull. With ``l = log(c / sum(c))`` of each
    edge as a sum of two step functions, one that changes only at vertices of the first
    curve and one that changes only at those of the second, their values are potentials
    with ``sum A L + sum B M = sum c l = -H(Y | Z)``. They are feasible: the points l
    lie on the curve ``exp(l0) + exp(l1) = 1``, which is concave, and to leave out some
    of the steps on the way along it leads below it.

    The kernel of a source is found state by state, the steepest first: a state takes
    the part of what is left of Z, an interval in the order of the edges, that has its
    two masses. That is the left-curtain coupling of the two distributions of
    posteriors, one of which is a mean-preserving spread of the other. The mean of it
    and of the one that begins at the other end does not depend on the order of the
    classes, unless rounding decides which of several points on a line are vertices.
    """
    sources, edges = solve(first.tolist(), second.tolist())
    (kernel1, L), (kernel2, M) = (source.arrays(len(edges)) for source in sources)
    if not math.isfinite(L.sum() + M.sum()):
        # A mass that vanishes in the sum of others.
        L, M = fill_potentials(L, M, first), fill_potentials(M, L, second)
    joint = np.array(edges)[:, :, None] * kernel2[:, None, :]
    if kernel1.size * kernel2.shape[1] < LARGE:
        # Faster than to set the number of threads, on which BLAS must not depend.
        Q = (kernel1[:, :, None, None] * joint[:, None]).sum(axis=0)
    else:
        with single_thread():
            Q = np.tensordot(kernel1, joint, axes=(0, 0))
    return L, M, certify(first, second.T, L, M.T, Q, rounds=0)


class Source:
    """States of a source in the order of likelihood ratios, equal ones as one.

    Lists, not arrays: for a few states they are faster, and never slow.

    Parameters
    ----------
    masses : list of (float, float)
        Joint probabilities of each state.

    Attributes
    ----------
    order : list of int
        The states by likelihood ratio.
    group : list of int
        Number of the merged state of each, in that order.
    atoms : list of (float, float)
        Joint probabilities of the merged states.
    points : list of (float, float)
        Their sums.
    parts : list of (int, int, float)
        Edge, merged state, and the share of the edge that it gets; several for a pair
        add up.
    values : list of (float, float)
        Potentials of the merged states.
    """

    def __init__(self, masses: list[Edge]) -> None:
        ratio = [_log_ratio(a0, a1) for a0, a1 in masses]
        self.order = sorted(range(len(ratio)), key=ratio.__getitem__)
        self.group: list[int] = []
        self.atoms: list[Edge] = []
        self.mass: list[float] = []
        last = math.nan
        for i in self.order:
            r, (a0, a1) = ratio[i], masses[i]
            if r == last or abs(r - last) < EQUAL:
                b0, b1 = self.atoms[-1]
                self.atoms[-1] = (b0 + a0, b1 + a1)
            else:
                self.atoms.append((a0, a1))
                last = r
            self.group.append(len(self.atoms) - 1)
            self.mass.append(a0 + a1)
        x = y = 0.0
        self.points = [(x, y)]
        for a0, a1 in self.atoms:
            x, y = x + a0, y + a1
            self.points.append((x, y))

    def serve(
        self, own: list[int], edges: list[Edge], steps: list[tuple[float, float]]
    ) -> None:
        """Potentials, and the kernel that makes the states from the edges.

        Parameters
        ----------
        own : list of int
            Number of each vertex of the hull on the curve of this source, or -1.
        edges : list of (float, float)
            Of the hull.
        steps : list of (float, float)
            Value of the step function on each edge.
        """
        self.values: list[tuple[float, float]] = []
        self.parts: list[tuple[int, int, float]] = []
        start = 0
        for stop in range(1, len(own)):
            if own[stop] < 0:
                continue
            states = range(own[start], own[stop])
            self.values += [steps[start]] * len(states)
            self.parts += _split(edges, range(start, stop), self.atoms, states)
            start = stop

    def arrays(self, n_edges: int) -> tuple[np.ndarray, np.ndarray]:
        """The kernel and the potentials of all states, in the order of the table.

        Parameters
        ----------
        n_edges : int
            Number of edges of the hull.

        Returns
        -------
        kernel : ndarray of shape (n_edges, n)
        potential : ndarray of shape (n, 2)
        """
        n = len(self.order)
        # Column of each state in the order of the table; of merged states, the first.
        column = [0] * len(self.atoms)
        for i, atom in zip(reversed(self.order), reversed(self.group), strict=True):
            column[atom] = i
        kernel = np.zeros((n_edges, n))
        for z, atom, share in self.parts:
            kernel[z, column[atom]] += share
        if len(self.atoms) < n:
            # Equal states share in proportion to their masses.
            whole = np.bincount(self.group, weights=self.mass)[self.group]
            found = kernel[:, [column[atom] for atom in self.group]]
            kernel[:, self.order] = found * (np.array(self.mass) / whole)
        potential = [(0.0, 0.0)] * n
        for i, atom in zip(self.order, self.group, strict=True):
            potential[i] = self.values[atom]
        return kernel, np.array(potential)


def solve(
    first: list[Edge], second: list[Edge]
) -> tuple[tuple[Source, Source], list[Edge]]:
    """The hull of both curves, and what either source gets of it.

    Parameters
    ----------
    first, second : list of (float, float)
        As in :func:`binary_minimum`.

    Returns
    -------
    sources : pair of Source
        With parts and values.
    edges : list of (float, float)
        Of the hull.
    """
    one, two = Source(first), Source(second)
    vertices = _hull(one.points, two.points)
    edges = [(v[0] - u[0], v[1] - u[1]) for u, v in itertools.pairwise(vertices)]
    alpha, beta = _steps(edges, vertices)
    one.serve([v[2] for v in vertices], edges, alpha)
    two.serve([v[3] for v in vertices], edges, beta)
    return (one, two), edges


def _hull(one: list[Edge], two: list[Edge]) -> list[Vertex]:
    """Vertices of the concave hull of two curves, from (0, 0) on."""
    end_x, end_y = one[-1]
    points: list[Vertex] = [(x, y, k, -1) for k, (x, y) in enumerate(one[1:-1], 1)]
    # Rounding must not carry the second curve beyond the end of the first.
    points += [
        (min(x, end_x), min(y, end_y), -1, k) for k, (x, y) in enumerate(two[1:-1], 1)
    ]
    points.sort()
    points.append((end_x, end_y, len(one) - 1, len(two) - 1))
    chain: list[Vertex] = [(0.0, 0.0, 0, 0)]
    for point in points:
        x, y, k1, k2 = point
        # A point of both curves is a vertex of both.
        if chain[-1][0] == x and chain[-1][1] == y:
            old = chain.pop()
            point = x, y, max(k1, old[2]), max(k2, old[3])
            if not chain:
                chain.append(point)
                continue
        while len(chain) > 1:
            (ux, uy, *_), (vx, vy, *_) = chain[-2], chain[-1]
            if (vx - ux) * (y - uy) < (x - ux) * (vy - uy):
                break
            chain.pop()
        chain.append(point)
    return chain


def _steps(
    edges: list[Edge], vertices: list[Vertex]
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Logarithms of the posteriors of all edges, as sums of two step functions."""
    logs = [(_log(c0, c0 + c1), _log(c1, c0 + c1)) for c0, c1 in edges]
    alpha, beta = [logs[0]], [(0.0, 0.0)]
    if math.isinf(logs[0][0]) and len(logs) > 1 and vertices[1][2] < 0:
        # The second source alone has states that exclude the first class.
        alpha, beta = [(logs[1][0], logs[0][1])], [(-math.inf, 0.0)]
        # What follows is the step at vertices[1] with both parts known.
        beta.append((0.0, logs[1][1] - logs[0][1]))
        alpha.append(alpha[0])
    for k in range(len(alpha), len(logs)):
        (l0, l1), (a0, a1), (b0, b1) = logs[k], alpha[-1], beta[-1]
        if vertices[k][2] >= 0:
            alpha.append((l0 - b0, l1 - b1))
            beta.append((b0, b1))
        else:
            alpha.append((a0, a1))
            beta.append((l0 - a0, l1 - a1))
    return alpha, beta


def _log_ratio(one: float, two: float) -> float:
    if one > 0 and two > 0:
        return math.log(one) - math.log(two)
    return math.inf if one > 0 else -math.inf


def _log(part: float, whole: float) -> float:
    return math.log(part / whole) if part > 0 else -math.inf


def _split(
    edges: list[Edge], which: range, atoms: list[Edge], states: range
) -> list[tuple[int, int, float]]:
    """Parts of some edges that go to the states that they are made into."""
    if len(states) == 1:
        return [(z, states.start, 1.0) for z in which]
    some_atoms = [atoms[i] for i in states]
    if len(which) == 1:
        mass = sum(a0 + a1 for a0, a1 in some_atoms)
        return [
            (which.start, i, (a0 + a1) / mass)
            for i, (a0, a1) in zip(states, some_atoms, strict=True)
        ]
    some_edges = [edges[z] for z in which]
    # From either end, and their mean: the classes could have the other order.
    return [
        (which.start + z, states.start + i, 0.5 * part)
        for z, i, part in _curtain(some_edges, some_atoms)
    ] + [
        (which.stop - 1 - z, states.stop - 1 - i, 0.5 * part)
        for z, i, part in _curtain(_turn(some_edges), _turn(some_atoms))
    ]


def _turn(points: list[Edge]) -> list[Edge]:
    """The same with the classes and the order turned round."""
    return [(c1, c0) for c0, c1 in reversed(points)]


def _curtain(edges: list[Edge], atoms: list[Edge]) -> list[tuple[int, int, float]]:
    """Left-curtain kernel: edge, state, and share of the edge that goes there."""
    kernel = []
    # What is left of the edges: number, mass and share of the second class.
    total = [c0 + c1 for c0, c1 in edges]
    left: list[list[Any]] = [[z, m, edges[z][1] / m] for z, m in enumerate(total)]
    for i, atom in enumerate(atoms[:-1]):
        for z, part in _take(left, atom[0] + atom[1], atom[1]):
            kernel.append((z, i, part / total[z]))
    kernel += [(z, len(atoms) - 1, part / total[z]) for z, part, _ in left]
    return kernel


def _take(left: list[list[Any]], mass: float, second: float) -> list[tuple[int, float]]:
    """Take an interval with two given masses out of what is left.

    Parameters
    ----------
    left : list of [edge, mass, share of the second class]
        In the order of falling shares; what is taken is removed.
    mass, second : float
        Of the interval: of both classes, and of the second.

    Returns
    -------
    list of (edge, mass)
    """
    start = stop = 0
    # The interval from the left end on, which has most of the second class.
    skipped, got, have = 0.0, 0.0, 0.0
    while stop < len(left) - 1 and got + left[stop][1] < mass:
        got += left[stop][1]
        have += left[stop][1] * left[stop][2]
        stop += 1
    used = min(mass - got, left[stop][1])
    have += used * left[stop][2]
    # Both ends move on by the same mass until the share is right, but for rounding.
    while have > second + ROUNDING * mass:
        rest_start, rest_stop = left[start][1] - skipped, left[stop][1] - used
        fall = left[start][2] - left[stop][2]
        room = rest_stop if start == stop else min(rest_start, rest_stop)
        if fall > 0 and have - second <= room * fall:
            step = (have - second) / fall
            skipped, used = skipped + step, used + step
            break
        skipped, used, have = skipped + room, used + room, have - room * fall
        if start < stop and rest_start <= rest_stop:
            start, skipped = start + 1, 0.0
        elif stop + 1 < len(left):
            stop, used = stop + 1, 0.0
        else:
            break
    if start == stop:
        left[start][1] -= used - skipped
        return [(left[start][0], used - skipped)]
    taken = [(left[start][0], left[start][1] - skipped)]
    taken += [(z, m) for z, m, _ in left[start + 1 : stop]]
    taken.append((left[stop][0], used))
    left[start][1] = skipped
    left[stop][1] -= used
    left[:] = left[: start + 1] + left[stop:]
    return taken
