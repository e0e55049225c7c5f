"""One step of the interior-point method on small tables of one shape.

Arrays of a stack of T tables have the class in front of the states: ``AB`` (T, K, m)
holds the marginals ``P(y, x1)`` and ``P(y, x2)`` side by side, m = n1 + n2, ``x`` of
the same shape the potentials L and M. The N = n1 n2 cells are one axis, and ``cells``
(m, N) says which states make which cell, so that sums of potentials are ``x @ cells``
and marginals ``Q @ cells.T``. A single table has no axis for tables, and numbers of
Python where a stack has arrays (T, 1). The arithmetic is the same, so that no table
depends on its companions, not in the last place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._alone import Alone
from ._stacked_bounds import StackedBounds, cell_matrix, certify_stack, gauge, softmax
from ._together import Together

# As in the method for a single table.
STAY = 0.99
STEEP = 10.0
CURVATURE = 0.3
SHORT = 0.1
REFINE = 1e-8
RESIDUAL_SHARE = 0.03
RIDGE = 1e-15
# Multiplier of cells that no class can reach, where its value has no effect.
DEAD = 1e-200
# Sum of squares of a step from which on it may change a logarithm by more than
# ``CURVATURE`` beyond the linear one: by an eighth of the square of its range at most.
SMALL_STEP = 0.1
# Gap in nats from which on tables of few potentials go on without a predictor, which
# would save less iterations than it costs.
LATE = 1e-2
FEW_VARIABLES = 32


class Start(NamedTuple):
    """Where the tables of a stack start; ``weight`` are those of the barrier."""

    n1: int
    AB: np.ndarray
    x: np.ndarray
    R: np.ndarray
    s: np.ndarray
    g: np.ndarray
    p: np.ndarray
    weight: np.ndarray
    gauge: np.ndarray


def start_stack(A: np.ndarray, B: np.ndarray) -> Start:
    """Naive Bayes, and then down until strictly feasible."""
    T, _, n1 = A.shape
    n2 = B.shape[2]
    AB = np.concatenate([A, B], axis=2)
    mass = AB.sum(axis=1)
    x = AB / mass[:, None]
    x[:, :, n1:] /= A.sum(axis=2)[:, :, None]
    np.log(x, out=x)
    zeros = not AB.all()
    g, p = softmax(x, cell_matrix(n1, n2), zeros)
    g = g.reshape(T, n1, n2)
    down = g.max(axis=2) + 0.1
    x[:, :, :n1] -= down[:, None]
    g = (g - down[:, :, None]).reshape(T, -1)
    R = (mass[:, :n1, None] * mass[:, None, n1:]).reshape(T, -1)
    if zeros:
        R[p.sum(axis=1) == 0.0] = DEAD
    weight = R / R.sum(axis=1, keepdims=True)
    return Start(n1, AB, x, R, -g, g, p, weight, gauge(AB, n1))


class Run:
    """State of all tables that are not finished, and one step of the method.

    Changes of multipliers and slacks are relative to these.
    """

    # What has an entry for each table.
    OF_TABLES = ("AB", "x", "R", "s", "g", "p", "v", "gap", "weight", "gauge")

    def __init__(self, start: Start, ops: type[Alone] | type[Together]) -> None:
        self.ops: Any = ops
        self.n1 = start.n1
        self.AB, self.x, self.R, self.s, self.g, self.p, self.weight, self.gauge = map(
            ops.shape, start[1:]
        )
        self.zeros = not self.AB.all()
        self.v = self.R * self.s
        # A number, or an array (T, 1).
        self.gap: Any = ops.total(self.v)
        self._allocate()

    def _allocate(self) -> None:
        *lead, K, m = self.AB.shape
        n1, N = self.n1, self.R.shape[-1]
        self.cells = cell_matrix(n1, m - n1)
        self.states = self.cells.T
        self.late = LATE if K * m <= FEW_VARIABLES else 0.0
        self.cross = np.empty((*lead, K, K, N))
        self.cross_rows = self.cross.reshape(*lead, K * K, N)
        self.cross_diagonal = self.cross_rows[..., :: K + 1, :]
        self.cross_cells = self.cross.reshape(*lead, K, K, n1, m - n1)
        self._allocate_matrix()

    def _allocate_matrix(self) -> None:
        *lead, K, m = self.AB.shape
        n1 = self.n1
        # The matrix, and views of it: of the same state, of states of both sources.
        H = np.zeros((*lead, K, m, K, m))
        np.einsum("...kmkn->...kmn", H)[:] = self.gauge
        self.H = H.reshape(*lead, K * m, K * m)
        self.H_diagonal = H.reshape(*lead, (K * m) ** 2)[..., :: K * m + 1]
        self.H_same = np.einsum("...kmlm->...klm", H)
        other = np.einsum("...kmln->...klmn", H)
        self.H_upper = other[..., :n1, n1:]
        self.H_lower = other.swapaxes(-1, -2)[..., :n1, n1:]
        self.fixed = [v.copy() for v in (self.H_same, self.H_upper, self.H_lower)]

    def take(self, which: np.ndarray) -> Run:
        """The run of some of the tables."""
        new = object.__new__(Run)
        new.ops, new.n1, new.zeros = self.ops, self.n1, self.zeros
        for name in self.OF_TABLES:
            setattr(new, name, getattr(self, name)[which])
        new._allocate()
        return new

    def certify(self) -> StackedBounds:
        """Bounds from where the tables are."""
        Q = self.R[..., None, :] * self.p
        AB, x, Q, g, null = map(
            self.ops.stack, (self.AB, self.x, Q, self.g, self.gauge)
        )
        return certify_stack(AB, x, Q, g.reshape(len(AB), self.n1, -1), null)

    def iterate(self) -> None:
        """One step of predictor and corrector for every table."""
        ops, v, gap = self.ops, self.v, self.gap
        self.inverse = 1.0 / self.s
        self.residual = self.g + self.s
        self.lift = self.residual * self.inverse
        self._assemble()
        centre = self.weight / v
        aim = RESIDUAL_SHARE * ops.total(self.R * self.residual)
        k = aim * centre
        late = gap < self.late
        if not ops.all(late):
            k = np.where(late, k, self._predict(centre, aim))
        length, new = self._walk(k)
        short = length < SHORT
        if ops.any(short):
            # Jammed against the boundary: back to the centre first.
            other, centred = self._walk(gap * centre)
            short = np.asarray(short & (other > length))
            new = [
                np.where(short if b.ndim == self.R.ndim else short[..., None], b, a)
                for a, b in zip(new, centred)
            ]
        self.x, self.R, self.s, self.g, self.p = new
        # Where the constraint is really slack, the slack is exact.
        slack = -self.g
        np.copyto(self.s, slack, where=slack > 0.1 * self.s)
        self.v = self.R * self.s
        self.gap = ops.total(self.v)

    def _predict(self, centre: np.ndarray, least: np.ndarray | float) -> np.ndarray:
        """Target of the products by Mehrotra's rule, relative to what they are."""
        ops, gap = self.ops, self.gap
        n = self._slacks(self._direction(self.lift))
        # Only the order of magnitude of this one matters: both steps have one length.
        length = 1.0 / ops.maximum(1.0, ops.maximum(ops.largest(n), 1.0 - ops.least(n)))
        second = n * (n - 1.0)
        ahead = (1.0 - length) * gap - length * length * ops.total(self.v * second)
        share = ahead / gap
        aim = ops.maximum(gap * (share * share * share), least)
        return aim * centre + second

    def _assemble(self) -> None:
        """Newton matrix of the potentials, with the gauge filled in."""
        p = self.p
        self.q = q = self.R[..., None, :] * p
        self.outer = self.inverse - 1.0
        np.multiply(
            (q * self.outer[..., None, :])[..., None, :],
            p[..., None, :, :],
            out=self.cross,
        )
        self.cross_diagonal += q
        self._factorise(self.ops.product(self.cross_rows, self.states))

    def _factorise(self, sums: np.ndarray) -> None:
        """Fill in the matrix, of which ``sums`` are the blocks of a state."""
        same, upper, lower = self.fixed
        np.add(same, sums.reshape(same.shape), out=self.H_same)
        np.add(upper, self.cross_cells, out=self.H_upper)
        np.add(lower, self.cross_cells, out=self.H_lower)
        self.H_diagonal *= 1.0 + RIDGE
        self.factors = self.ops.factorise(self.H)

    def _solve(self, right: np.ndarray) -> np.ndarray:
        """Solve with the matrix."""
        return self.ops.solve(self.factors, right)

    def _direction(self, t: np.ndarray) -> np.ndarray:
        """Change of the potentials for targets ``t`` of the relative changes."""
        mass = self.ops.product(self.q * t[..., None, :], self.states)
        return self._solve(self.AB - mass)

    def _slacks(self, dx: np.ndarray) -> np.ndarray:
        """Relative decrease of the slacks."""
        mean = np.add.reduce(self.p * self.ops.product(dx, self.cells), axis=-2)
        return (mean + self.residual) * self.inverse

    def _refine(self, dx: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Correct for what the product with the matrix, cell by cell, leaves."""
        step = dx @ self.cells
        mean = np.add.reduce(self.p * step, axis=-2)
        change = self.q * (step + (self.outer * mean + t)[..., None, :])
        found = change @ self.states + (self.gauge @ dx[..., None])[..., 0]
        more = self._solve(self.AB - found)
        late = np.asarray(self.gap < REFINE)
        return dx + np.where(late[..., None], more, 0.0)

    def _walk(self, k: np.ndarray) -> tuple:
        """Length of the primal step, and where both steps lead.

        The products of multipliers and slacks are to be ``k`` times what they are.
        """
        ops = self.ops
        t = k + self.lift
        dx = self._direction(t)
        if ops.any(self.gap < REFINE):
            dx = self._refine(dx, t)
        n = self._slacks(dx)
        rise = n + (k - 1.0)
        flat = dx.reshape(-1)
        squares = float(flat.dot(flat))
        if not squares <= 1.0:
            up = 1.0 + np.log(np.maximum(dx, 1.0))
            dx = np.where(dx > 1.0, up, np.maximum(dx, -5.0))
            n = self._slacks(dx)
        stay = 1.0 / ops.maximum(STAY, 1.0 - STEEP * self.gap)
        dual = 1.0 / ops.maximum(1.0, ops.largest(n) * stay)
        x = self.x + ops.wide(dual) * dx
        g, p = softmax(x, self.cells, self.zeros, ops.product)
        while not squares <= SMALL_STEP:
            # The constraints are convex: this is what the linearised ones hide.
            mean = n * self.s - self.residual
            error = ops.largest(g - self.g - dual * mean)
            far = (error > CURVATURE) & (dual >= SHORT)
            if not ops.any(far):
                break
            dual = np.where(far, 0.5 * dual, dual)
            x = self.x + ops.wide(dual) * dx
            g, p = softmax(x, self.cells, self.zeros, ops.product)
        # Not longer than the dual one: its equations are linearised at the old L, M.
        primal = 1.0 / ops.maximum(1.0, ops.least(rise) * -stay)
        primal = ops.minimum(primal, dual)
        R = self.R * (1.0 + primal * rise)
        s = self.s * (1.0 - dual * n)
        return primal, [x, R, s, g, p]
