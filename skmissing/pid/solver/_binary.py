"""Two classes: the minimum information in closed form, by the Blackwell join."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..._utils._threads import single_thread
from ._certificate import Solution, certify, fill_potentials

# Values of the two classes: masses, or logarithms of their shares.
Edge = tuple[float, float]
# Edge of the hull, state of a source, and share of the edge that goes there.
Kernel = list[tuple[int, int, float]]
# Multiplications that take as long without BLAS as to make it use one thread.
LARGE = 100_000
# Of sums of a few masses, relative.
ROUNDING = 4e-16
# Difference of logarithms of likelihood ratios that is none: to merge states whose
# logarithms differ by d changes informations by their mass times d^2 at most.
EQUAL = 1e-10


class Vertex(NamedTuple):
    """A vertex of the hull of both curves; ``first``, ``second``: its number or -1."""

    x: float
    y: float
    first: int
    second: int


def solve_binary(first: np.ndarray, second: np.ndarray) -> Solution:
    """Optimal potentials (n1, 2), (n2, 2) and coupling of sources of a binary target.

    Takes ``P(x1, y)`` of shape (n1, 2) and ``P(x2, y)`` of shape (n2, 2), with equal
    class totals and no all-zero row or column. Potentials are ``-inf`` only where a
    table is zero. The bounds are exact but for rounding.

    Sorted by the likelihood ratio and summed up, the columns ``P(., x1)`` draw a
    concave curve from (0, 0) to the class totals, and a source is at least as
    informative as another in the sense of Blackwell if its curve is nowhere below. For
    two classes this order is a lattice: the concave hull of two curves is the curve of
    the least informative variable Z above both. Every coupling of the sources is above
    both, hence above Z, and has at least its information. And there are kernels that
    make either source from Z; drawn independently given Z, they are a coupling that is
    no more informative than Z. So the minimum is ``I(Y; Z)``.

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
    shares, edges = blackwell_join(first.tolist(), second.tolist())
    (kernel1, L), (kernel2, M) = (share.arrays(len(edges)) for share in shares)
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
    bounds = certify(first, second.T, L, M.T, Q, rounds=0)
    return Solution(bounds, L, M, 0)


class PosteriorCurve:
    """States of a source in the order of likelihood ratios, equal ones as one.

    ``order`` numbers the states by likelihood ratio, ``group`` the merged state of
    each in that order. ``atoms`` are the masses of the merged states, ``points`` their
    sums. Lists, not arrays: for a few states they are faster, and never slow.
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

    def assign(
        self, own: list[int], edges: list[Edge], steps: list[Edge]
    ) -> Assignment:
        """Potentials, and the kernel that makes the states from the edges.

        ``own`` numbers each vertex of the hull on this curve, or is -1; ``steps`` holds
        the value of the step function on each edge.
        """
        values: list[Edge] = []
        kernel: Kernel = []
        start = 0
        for stop in range(1, len(own)):
            if own[stop] < 0:
                continue
            states = range(own[start], own[stop])
            values += [steps[start]] * len(states)
            kernel += split_segment(edges, range(start, stop), self.atoms, states)
            start = stop
        return Assignment(self, values, kernel)


class Assignment(NamedTuple):
    """What a source gets of the hull: potentials and kernel of its merged states.

    ``kernel`` lists edge, merged state, and the share of the edge that it gets; the
    shares of a pair that occurs several times add up.
    """

    curve: PosteriorCurve
    values: list[Edge]
    kernel: Kernel

    def arrays(self, n_edges: int) -> tuple[np.ndarray, np.ndarray]:
        """Kernel (n_edges, n) and potentials (n, 2) of all states, in their order."""
        order, group = self.curve.order, self.curve.group
        n_atoms, n = len(self.curve.atoms), len(order)
        # Column of each state in the order of the table; of merged states, the first.
        column = [0] * n_atoms
        for i, atom in zip(reversed(order), reversed(group), strict=True):
            column[atom] = i
        kernel = np.zeros((n_edges, n))
        for z, atom, share in self.kernel:
            kernel[z, column[atom]] += share
        if n_atoms < n:
            # Equal states share in proportion to their masses.
            mass = self.curve.mass
            whole = np.bincount(group, weights=mass)[group]
            found = kernel[:, [column[atom] for atom in group]]
            kernel[:, order] = found * (np.array(mass) / whole)
        potential = [(0.0, 0.0)] * n
        for i, atom in zip(order, group, strict=True):
            potential[i] = self.values[atom]
        return kernel, np.array(potential)


def blackwell_join(
    first: list[Edge], second: list[Edge]
) -> tuple[tuple[Assignment, Assignment], list[Edge]]:
    """What either source gets of the hull of both curves, and the edges of the hull."""
    one, two = PosteriorCurve(first), PosteriorCurve(second)
    vertices = _hull(one.points, two.points)
    edges = [(v.x - u.x, v.y - u.y) for u, v in itertools.pairwise(vertices)]
    alpha, beta = _steps(edges, vertices)
    of_first = one.assign([v.first for v in vertices], edges, alpha)
    of_second = two.assign([v.second for v in vertices], edges, beta)
    return (of_first, of_second), edges


def _hull(one: list[Edge], two: list[Edge]) -> list[Vertex]:
    """Vertices of the concave hull of two curves, from (0, 0) on."""
    end_x, end_y = one[-1]
    points = [Vertex(x, y, k, -1) for k, (x, y) in enumerate(one[1:-1], 1)]
    # Rounding must not carry the second curve beyond the end of the first.
    points += [
        Vertex(min(x, end_x), min(y, end_y), -1, k)
        for k, (x, y) in enumerate(two[1:-1], 1)
    ]
    points.sort()
    points.append(Vertex(end_x, end_y, len(one) - 1, len(two) - 1))
    chain = [Vertex(0.0, 0.0, 0, 0)]
    for point in points:
        x, y, k1, k2 = point
        # A point of both curves is a vertex of both.
        if chain[-1].x == x and chain[-1].y == y:
            old = chain.pop()
            point = Vertex(x, y, max(k1, old.first), max(k2, old.second))
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


def _steps(edges: list[Edge], vertices: list[Vertex]) -> tuple[list[Edge], list[Edge]]:
    """Logarithms of the posteriors of all edges, as sums of two step functions."""
    logs = [(_log(c0, c0 + c1), _log(c1, c0 + c1)) for c0, c1 in edges]
    alpha, beta = [logs[0]], [(0.0, 0.0)]
    if math.isinf(logs[0][0]) and len(logs) > 1 and vertices[1].first < 0:
        # The second source alone has states that exclude the first class.
        alpha, beta = [(logs[1][0], logs[0][1])], [(-math.inf, 0.0)]
        # What follows is the step at vertices[1] with both parts known.
        beta.append((0.0, logs[1][1] - logs[0][1]))
        alpha.append(alpha[0])
    for k in range(len(alpha), len(logs)):
        (l0, l1), (a0, a1), (b0, b1) = logs[k], alpha[-1], beta[-1]
        if vertices[k].first >= 0:
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


def split_segment(
    edges: list[Edge], which: range, atoms: list[Edge], states: range
) -> Kernel:
    """Parts of some edges that go to the states that they are made into."""
    if len(states) == 1:
        return [(z, states.start, 1.0) for z in which]
    some_atoms = [atoms[i] for i in states]
    if len(which) == 1:
        parts = [a0 + a1 for a0, a1 in some_atoms]
        mass = sum(parts)
        return [(which.start, i, part / mass) for i, part in zip(states, parts)]
    some_edges = [edges[z] for z in which]
    # From either end, and their mean: the classes could have the other order.
    ahead = _left_curtain(some_edges, some_atoms)
    back = _left_curtain(_mirror(some_edges), _mirror(some_atoms))
    # Plain sums: looking numbers up in a range takes longer.
    z0, i0, z1, i1 = which.start, states.start, which.stop - 1, states.stop - 1
    kernel = [(z0 + z, i0 + i, 0.5 * part) for z, i, part in ahead]
    return kernel + [(z1 - z, i1 - i, 0.5 * part) for z, i, part in back]


def _mirror(points: list[Edge]) -> list[Edge]:
    """The same with the classes and the order turned round."""
    return [(c1, c0) for c0, c1 in reversed(points)]


def _left_curtain(edges: list[Edge], atoms: list[Edge]) -> Kernel:
    """Left-curtain kernel: edge, state, and share of the edge that goes there."""
    kernel: Kernel = []
    total = [c0 + c1 for c0, c1 in edges]
    left = [Remainder(z, m, edges[z][1] / m) for z, m in enumerate(total)]
    for i, (a0, a1) in enumerate(atoms[:-1]):
        for z, part in _take(left, a0 + a1, a1):
            kernel.append((z, i, part / total[z]))
    kernel += [(r.edge, len(atoms) - 1, r.mass / total[r.edge]) for r in left]
    return kernel


@dataclass(slots=True)
class Remainder:
    """What is left of an edge; ``second`` is the share of the second class in it."""

    edge: int
    mass: float
    second: float


def _take(left: list[Remainder], mass: float, second: float) -> list[tuple[int, float]]:
    """Take an interval of given mass, and mass of the second class, from what is left.

    ``left`` has falling shares, and loses what is taken: edges and their masses.
    """
    start = stop = 0
    # The interval from the left end on, which has most of the second class.
    skipped, got, have = 0.0, 0.0, 0.0
    n, last = len(left), left[0]
    while stop < n - 1 and got + last.mass < mass:
        got += last.mass
        have += last.mass * last.second
        stop += 1
        last = left[stop]
    used = min(mass - got, last.mass)
    have += used * last.second
    first = left[0]
    # Both ends move on by the same mass until the share is right, but for rounding.
    while have > second + ROUNDING * mass:
        rest_start, rest_stop = first.mass - skipped, last.mass - used
        fall = first.second - last.second
        room = rest_stop if start == stop else min(rest_start, rest_stop)
        if fall > 0 and have - second <= room * fall:
            step = (have - second) / fall
            skipped, used = skipped + step, used + step
            break
        skipped, used, have = skipped + room, used + room, have - room * fall
        if start < stop and rest_start <= rest_stop:
            start, skipped = start + 1, 0.0
            first = left[start]
        elif stop + 1 < n:
            stop, used = stop + 1, 0.0
            last = left[stop]
        else:
            break
    if start == stop:
        first.mass -= used - skipped
        return [(first.edge, used - skipped)]
    taken = [(first.edge, first.mass - skipped)]
    taken += [(r.edge, r.mass) for r in left[start + 1 : stop]]
    taken.append((last.edge, used))
    first.mass = skipped
    last.mass -= used
    left[:] = left[: start + 1] + left[stop:]
    return taken
