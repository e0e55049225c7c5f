"""Two classes: the closed form on a stack of tables of one shape."""

from __future__ import annotations

import numpy as np
from scipy.special import rel_entr

from ._binary import EQUAL, split_segment
from ._certificate import LAST_PLACES, NEGLIGIBLE
from ._curtain_stack import split_segments
from ._stacked_bounds import StackedBounds, settle

# Pairs of an edge and a state for each segment of a size that make it worth while to
# split these together.
FEW = 5


def solve_binary_stack(A: np.ndarray, B: np.ndarray) -> StackedBounds:
    """Bounds for positive ``P(y, x1)`` (T, 2, n1) and ``P(y, x2)`` (T, 2, n2).

    The steps of ``solve_binary_small`` for all tables at once. The gap is infinite
    where states have to be merged, or rounding decides.
    """
    with np.errstate(all="ignore"):
        one, two = _Curves(A), _Curves(B)
        hull = _Hull(one.points, two.points)
        kernel1, L = hull.assign(one, 0)
        kernel2, M = hull.assign(two, 1)
        joint = hull.edges[:, :, :, None] * kernel2[:, None]
        Q = one.unsort(kernel1).transpose(0, 2, 1)[:, None] @ two.unsort(joint)
        bounds = _certify(A, B, Q, one.unsort(L), two.unsort(M))
    bounds.upper[one.equal | two.equal | hull.equal] = np.inf
    return bounds


class _Curves:
    """States of a source in the order of likelihood ratios, for each table."""

    def __init__(self, table: np.ndarray) -> None:
        ratio = np.log(table[:, 0]) - np.log(table[:, 1])
        self.order = np.argsort(ratio, axis=1, kind="stable")
        self._place = np.argsort(self.order, axis=1)
        ratio = np.take_along_axis(ratio, self.order, axis=1)
        # Tables with such states are left to the method for one.
        self.equal = (np.diff(ratio, axis=1) < EQUAL).any(axis=1)
        self.atoms = np.take_along_axis(table, self.order[:, None], axis=2)
        self.points = self.atoms.cumsum(axis=2)

    def unsort(self, values: np.ndarray) -> np.ndarray:
        """Values of states (T, ..., n) in the order of the table."""
        shape = (len(values), *[1] * (values.ndim - 2), values.shape[-1])
        return np.take_along_axis(values, self._place.reshape(shape), axis=-1)


class _Hull:
    """Concave hulls of both curves: edges (T, 2, Z), zero beyond the last one.

    ``own`` (2, T, Z + 1) numbers each vertex on either curve, or is -1.
    """

    def __init__(self, one: np.ndarray, two: np.ndarray) -> None:
        T, _, n1 = one.shape
        n2 = two.shape[2]
        end = one[:, :, -1:]
        # Rounding must not carry the second curve beyond the end of the first.
        inner = np.minimum(two[:, :, :-1], end)
        points = np.concatenate([one[:, :, :-1], inner, end], axis=2)
        number = np.full((2, n1 + n2 - 1), -1)
        number[0, : n1 - 1] = np.arange(1, n1)
        number[1, n1 - 1 : -1] = np.arange(1, n2)
        number[:, -1] = n1, n2
        order = np.lexsort((points[:, 1], points[:, 0]), axis=1)
        points = np.take_along_axis(points, order[:, None], axis=2)
        self.equal = (np.diff(points, axis=2) == 0).all(axis=1).any(axis=1)
        which, size = _chain(points)
        corners = np.concatenate([np.zeros((T, 2, 1)), points], axis=2)
        corners = np.take_along_axis(corners, which[:, None], axis=2)
        label = np.concatenate([np.zeros((2, T, 1), int), number[:, order]], axis=2)
        label = np.take_along_axis(label, which[None], axis=2)
        self.valid = np.arange(n1 + n2 - 1) < size[:, None] - 1
        self.edges = np.where(self.valid[:, None], np.diff(corners, axis=2), 0.0)
        beyond = np.arange(n1 + n2) >= size[:, None]
        self.own = np.where(beyond, -1, label)
        self.steps = self._steps()

    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of the posteriors of all edges, as sums of two step functions."""
        logs = np.log(self.edges / self.edges.sum(axis=1, keepdims=True))
        alpha, beta = logs.copy(), np.zeros_like(logs)
        for k in range(1, logs.shape[2]):
            own = (self.own[0, :, k] >= 0)[:, None]
            a, b = alpha[:, :, k - 1], beta[:, :, k - 1]
            alpha[:, :, k] = np.where(own, logs[:, :, k] - b, a)
            beta[:, :, k] = np.where(own, b, logs[:, :, k] - a)
        return alpha, beta

    def assign(self, curves: _Curves, source: int) -> tuple[np.ndarray, np.ndarray]:
        """Kernel (T, Z, n) from edges to sorted states, and potentials (T, 2, n)."""
        own, n = self.own[source], curves.order.shape[1]
        # Between two vertices of its own a source has these states.
        start = np.maximum.accumulate(own, axis=1)[:, :-1]
        stop = np.where(own < 0, n, own)[:, :0:-1]
        stop = np.minimum.accumulate(stop, axis=1)[:, ::-1]
        states = np.arange(n)
        inside = (start[:, :, None] <= states) & (states < stop[:, :, None])
        inside &= self.valid[:, :, None]
        kernel = np.where(inside, curves.atoms.sum(axis=1)[:, None], 0.0)
        kernel /= kernel.sum(axis=2, keepdims=True)
        kernel[~self.valid] = 0.0
        several = (start[:, 1:] == start[:, :-1]) & self.valid[:, 1:]
        several &= (stop - start)[:, 1:] > 1
        self._split(kernel, curves.atoms, start, stop, several)
        edge = inside.argmax(axis=1)
        return kernel, np.take_along_axis(self.steps[source], edge[:, None], axis=2)

    def _split(
        self,
        kernel: np.ndarray,
        atoms: np.ndarray,
        start: np.ndarray,
        stop: np.ndarray,
        several: np.ndarray,
    ) -> None:
        """Several states from several edges, which is not a matter of shares alone."""
        wide = np.pad(several, ((0, 0), (1, 1)))
        table, first = np.nonzero(several & ~wide[:, :-2])
        n_edges = np.nonzero(several & ~wide[:, 2:])[1] - first + 2
        lo, hi = start[table, first], stop[table, first]
        for E, S in set(zip(n_edges.tolist(), (hi - lo).tolist())):
            at = np.flatnonzero((n_edges == E) & (hi - lo == S))
            t = table[at, None]
            z, i = first[at, None] + np.arange(E), lo[at, None] + np.arange(S)
            edges, masses = self.edges[t, :, z], atoms[t, :, i]
            if len(t) * FEW > E * S:
                block = split_segments(edges, masses)
            else:
                block = np.stack(
                    [_split_one(*one) for one in zip(edges.tolist(), masses.tolist())]
                )
            kernel[t[:, :, None], z[:, :, None], i[:, None]] = block


def _split_one(edges: list[list[float]], masses: list[list[float]]) -> np.ndarray:
    """Shares of the edges of one segment that go to its states."""
    block = np.zeros((len(edges), len(masses)))
    own_edges = [(one, two) for one, two in edges]
    own_masses = [(one, two) for one, two in masses]
    for e, i, share in split_segment(
        own_edges, range(len(edges)), own_masses, range(len(masses))
    ):
        block[e, i] += share
    return block


def _chain(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the sorted points are vertices, the origin as 0, and how many."""
    T, _, V = points.shape
    x = np.zeros((T, V + 1))
    y = np.zeros((T, V + 1))
    which = np.zeros((T, V + 1), dtype=np.intp)
    size = np.ones(T, dtype=np.intp)
    table = np.arange(T)
    for k in range(V):
        px, py = points[:, 0, k], points[:, 1, k]
        while True:
            ux, uy = x[table, size - 2], y[table, size - 2]
            vx, vy = x[table, size - 1], y[table, size - 1]
            bent = (vx - ux) * (py - uy) < (px - ux) * (vy - uy)
            pop = (size > 1) & ~bent
            if not pop.any():
                break
            size -= pop
        x[table, size], y[table, size], which[table, size] = px, py, k + 1
        size += 1
    return which, size


def _certify(
    A: np.ndarray, B: np.ndarray, Q: np.ndarray, L: np.ndarray, M: np.ndarray
) -> StackedBounds:
    """Bounds of sorted tables; infinite where potentials are not feasible."""
    T, _, n1 = A.shape
    AB, x = np.concatenate([A, B], axis=2), np.concatenate([L, M], axis=2)
    g = np.logaddexp(*(L[:, y, :, None] + M[:, y, None] for y in range(2)))
    cost = (g.max(axis=2) * A.sum(axis=1)).sum(axis=1)
    found = np.concatenate([Q.sum(axis=3), Q.sum(axis=2)], axis=2)
    Q = Q.reshape(T, 2, -1)
    off = (np.abs(found - AB) > LAST_PLACES * AB).any(axis=(1, 2))
    if off.any():
        Q[off] = settle(AB[off], Q[off], found[off], n1)
    terms = (AB * x).reshape(T, -1)
    upper = rel_entr(Q, Q.sum(axis=1)[:, None]).reshape(T, -1).sum(axis=1)
    upper[~(cost <= NEGLIGIBLE)] = np.inf
    return StackedBounds(terms.sum(axis=1) - cost, upper, Q, np.abs(terms).sum(axis=1))
