"""One step of the interior-point method on small tables of one shape.

Arrays of a stack of T tables have the class in front of the states: ``AB`` (T, K, m)
holds the marginals ``P(y, x1)`` and ``P(y, x2)`` side by side, m = n1 + n2, ``x`` of
the same shape the potentials L and M. The N = n1 n2 cells are one axis, and ``cells``
(m, N) says which states make which cell, so that sums of potentials are ``x @ cells``
and marginals ``Q @ cells.T``. A single table has no axis for tables, and numbers of
Python where a stack has arrays (T, 1). What a stack has for each cell, (T, N), a single
table repeats for each class, (K, N): most of its time are calls of numpy, which take
several times as long for arrays of two shapes. The arithmetic is the same, so that no
table depends on its companions, not in the last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ._stacked_bounds import (
    TINY,
    StackedBounds,
    cell_matrix,
    certify_stack,
    class_totals,
    diagonals,
    gauge,
)
from ._together import Together

# As in the method for a single table.
STAY = 0.99
STEEP = 10.0
CURVATURE = 0.3
SHORT = 0.1
REFINE = 1e-8
RESIDUAL_SHARE = 0.03
RIDGE = 1e-15
# In arrays, since numpy takes longer to read a number: the diagonal with the ridge,
# and the share of a slack from which on it is exact.
LIFTED = np.array(1.0 + RIDGE)
SLACK = np.array(0.1)
# Multiplier of cells that no class can reach, where its value has no effect.
DEAD = 1e-200
# Logarithm of which the exponential is zero, whatever may be added to it.
LOG_OF_ZERO = -1e4
# Smallest slack of a state at the start, in nats. More costs iterations; with less,
# tables of uneven entries get stuck.
START = 0.01
# Sum of squares of a step from which on it may change a logarithm by more than
# ``CURVATURE`` beyond the linear one: by an eighth of the square of its range at most.
SMALL_STEP = 0.1
# Gap in nats from which on tables of few potentials go on without a predictor, which
# would save less iterations than it costs.
LATE = 1e-2
FEW_VARIABLES = 32


def softmax(x: np.ndarray, zeros: bool, ops: Any) -> tuple[np.ndarray, np.ndarray]:
    """``logsumexp_y`` and softmax of the potentials (..., K, N) of each cell, in place.

    Potentials are near feasible here, so that no maximum need be taken out. Cells that
    no class can reach get the logarithm of the smallest number, and shares of 0.
    """
    np.exp(x, x)
    total = ops.over_classes(x)
    if zeros:
        np.maximum(total, TINY, out=total)
    x /= ops.wide(total)
    return np.log(total, total), x


class Run:
    """State of all tables that are not finished, and one step of the method.

    ``A`` (T, K, n1) and ``B`` (T, K, n2), or without T for a single table, are the
    marginals. Changes of multipliers and slacks are relative to these.
    """

    # What has an entry for each table.
    OF_TABLES = ("AB", "x", "R", "s", "g", "p", "gap", "weight", "gauge")
    ops: Any = Together

    def __init__(self, A: np.ndarray, B: np.ndarray) -> None:
        """Naive Bayes, and then down until strictly feasible."""
        ops = self.ops
        self.n1 = n1 = A.shape[-1]
        self.AB = AB = np.concatenate([A, B], axis=-1)
        self.zeros = bool(ops.any(ops.least(AB) == 0.0))
        self.gauge = gauge(AB, n1, ops)
        self._allocate()
        first, second = self.cells[:n1], self.cells[n1:]
        mass = ops.over_classes(AB)
        x = AB / ops.wide(mass)
        x[..., n1:] /= class_totals(AB, n1, ops)[..., n1:]
        np.log(x, x)
        if self.zeros:
            # The product of infinity with a zero of ``cells`` would be NaN.
            np.maximum(x, LOG_OF_ZERO, out=x)
        g, self.p = softmax(self._to_cells(x), self.zeros, ops)
        rows = g.reshape(*g.shape[:-1], n1, B.shape[-1])
        down = np.maximum.reduce(rows, axis=-1) + START
        x[..., :n1] -= ops.wide(down)
        self.x, self.g = x, g - ops.product(down, first)
        R = ops.product(mass[..., :n1], first) * ops.product(mass[..., n1:], second)
        if self.zeros:
            R[ops.over_classes(self.p) == 0.0] = DEAD
        self.R, self.s = R, -self.g
        # Cells have the same weight in the barrier as here.
        self.weight = R
        # A number, or an array (T, 1).
        self.gap: Any = ops.cell_sum(R, self.s)

    def _allocate(self) -> None:
        """Arrays that are filled in each step, for the tables ``AB``."""
        K, m = self.AB.shape[-2:]
        n1 = self.n1
        self.cells = cell_matrix(n1, m - n1)
        self.states = self.cells.T
        self.one = self.ops.one(K, self.cells.shape[1])
        self.late = LATE if K * m <= FEW_VARIABLES else 0.0
        self._allocate_matrix()

    def _allocate_matrix(self) -> None:
        T, K, m = self.AB.shape
        n1, N = self.n1, self.cells.shape[1]
        self.cross = np.empty((T, K, K, N))
        self.cross_rows: np.ndarray = self.cross.reshape(T, K * K, N)
        self.cross_diagonal = self.cross_rows[:, :: K + 1]
        self.cross_cells = self.cross.reshape(T, K, K, n1, m - n1)
        # The matrix, and views of it: of the same state, of states of both sources.
        H = np.zeros((T, K, m, K, m))
        np.einsum("tkmkn->tkmn", H)[:] = self.gauge
        self.H = H.reshape(T, K * m, K * m)
        self.H_diagonal = diagonals(self.H)
        self.H_same = np.einsum("tkmlm->tklm", H)
        other = np.einsum("tkmln->tklmn", H)
        self.H_upper = other[..., :n1, n1:]
        self.H_lower = other.swapaxes(-1, -2)[..., :n1, n1:]
        self.fixed: Any = [v.copy() for v in (self.H_same, self.H_upper, self.H_lower)]

    def take(self, which: np.ndarray) -> Run:
        """The run of some of the tables."""
        new = object.__new__(Run)
        new.n1, new.zeros = self.n1, self.zeros
        for name in self.OF_TABLES:
            setattr(new, name, getattr(self, name)[which])
        new._allocate()
        return new

    def certify(self) -> StackedBounds:
        """Bounds from where the tables are."""
        ops = self.ops
        g = ops.of_table(self.g)
        g = g.reshape(*g.shape[:-1], self.n1, -1)
        Q = ops.wide(self.R) * self.p
        return certify_stack(self.AB, self.x, Q, g, self.gauge, ops)

    def iterate(self) -> None:
        """One step of predictor and corrector for every table."""
        ops, gap = self.ops, self.gap
        self.linearise()
        self.v = self.R * self.s
        centre = self.weight / self.v
        aim = RESIDUAL_SHARE * ops.cell_sum(self.R, self.residual)
        k = centre * aim
        late = gap < self.late
        if not ops.all(late):
            ahead = self._predict(centre, aim)
            k = np.where(late, k, ahead) if ops.any(late) else ahead
        length, new = self.walk(k)
        if ops.any(length < SHORT):
            # Jammed against the boundary: back to the centre first.
            new = self._recentre(length, centre * gap, new)
        self.x, self.R, self.s, self.g, self.p = new
        # Where the constraint is really slack, the slack is exact.
        slack = -self.g
        np.copyto(self.s, slack, where=slack > self.s * SLACK)
        self.gap = ops.cell_sum(self.R, self.s)

    def linearise(self) -> None:
        """What all directions of a step have in common."""
        self.inverse = self.one / self.s
        self.residual = self.g + self.s
        self.lift = self.residual * self.inverse
        self._assemble()

    def _recentre(self, length: Any, k: np.ndarray, new: list) -> list:
        """Steps towards the centre where these are longer than short ones."""
        which = (length < SHORT)[:, 0]
        some = self.take(which)
        some.linearise()
        other, centred = some.walk(k[which])
        better = (other > length[which])[:, 0]
        for whole, part in zip(new, centred):
            whole[np.flatnonzero(which)[better]] = part[better]
        return new

    def _predict(self, centre: np.ndarray, least: np.ndarray | float) -> np.ndarray:
        """Target of the products by Mehrotra's rule, relative to what they are."""
        ops, gap = self.ops, self.gap
        n = self._slacks(self._direction(self.lift))
        # Only the order of magnitude of this one matters: both steps have one length.
        length = 1.0 / ops.maximum(1.0, ops.maximum(ops.largest(n), 1.0 - ops.least(n)))
        second = n * (n - self.one)
        hidden = ops.cell_sum(self.v, second)
        share = ((1.0 - length) * gap - length * length * hidden) / gap
        aim = ops.maximum(gap * (share * share * share), least)
        return centre * aim + second

    def _assemble(self) -> None:
        """Newton matrix of the potentials, with the gauge filled in."""
        self.q = q = self.R[:, None] * self.p
        self.outer = self.inverse - 1.0
        spread = self.p * self.outer[:, None]
        np.multiply(q[:, :, None], spread[:, None], out=self.cross)
        spread += 1.0
        np.multiply(q, spread, out=self.cross_diagonal)
        same, upper, lower = self.fixed
        sums = self._to_states(self.cross_rows)
        np.add(same, sums.reshape(same.shape), out=self.H_same)
        np.add(upper, self.cross_cells, out=self.H_upper)
        np.add(lower, self.cross_cells, out=self.H_lower)
        self.H_diagonal *= LIFTED
        factors = (dpotrf(H, 0, 0) for H in self.H.transpose(0, 2, 1))
        self.factors = [factor if info == 0 else None for factor, info in factors]

    def _solve(self, right: np.ndarray) -> np.ndarray:
        """Solve with the matrix; NaN where it has no factor."""
        flat = right.reshape(len(right), -1)
        out = np.full_like(flat, np.nan)
        for t, factor in enumerate(self.factors):
            if factor is not None:
                out[t], _ = dpotrs(factor, flat[t])
        return out.reshape(right.shape)

    def _direction(self, t: np.ndarray) -> np.ndarray:
        """Change of the potentials for targets ``t`` of the relative changes."""
        return self._solve(self.AB - self._to_states(self.q * self.ops.wide(t)))

    def _to_cells(self, x: np.ndarray) -> np.ndarray:
        """Sums of the potentials of both states of each cell."""
        return self.ops.product(x, self.cells)

    def _to_states(self, Q: np.ndarray) -> np.ndarray:
        """Sums of the cells of each state."""
        return self.ops.product(Q, self.states)

    def _means(self, step: np.ndarray) -> np.ndarray:
        """Means over the classes in each cell."""
        return self.ops.over_classes(self.p * step)

    def _slacks(self, dx: np.ndarray) -> np.ndarray:
        """Relative decrease of the slacks."""
        n = self._means(self._to_cells(dx))
        n *= self.inverse
        n += self.lift
        return n

    def _refine(self, dx: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Correct for what the product with the matrix, cell by cell, leaves."""
        ops = self.ops
        step = self._to_cells(dx)
        change = self.q * (step + ops.wide(self.outer * self._means(step) + t))
        found = self._to_states(change)
        found += (self.gauge @ dx[..., None])[..., 0]
        more = self._solve(self.AB - found)
        late = self.gap < REFINE
        return dx + (more if ops.all(late) else np.where(ops.wide(late), more, 0.0))

    def walk(self, k: np.ndarray) -> tuple:
        """Length of the primal step, and where both steps lead.

        The products of multipliers and slacks are to be ``k`` times what they are.
        """
        ops = self.ops
        t = k + self.lift
        dx = self._direction(t)
        if ops.any(self.gap < REFINE):
            dx = self._refine(dx, t)
        n = self._slacks(dx)
        k -= self.one
        rise = k
        rise += n
        flat = dx.reshape(-1)
        squares = float(flat.dot(flat))
        if not squares <= 1.0:
            up = 1.0 + np.log(np.maximum(dx, 1.0))
            dx = np.where(dx > 1.0, up, np.maximum(dx, -5.0))
            n = self._slacks(dx)
        stay = 1.0 / ops.maximum(STAY, 1.0 - STEEP * self.gap)
        dual = 1.0 / ops.maximum(1.0, ops.largest(n) * stay)
        x = self.x + dx * ops.wide(dual)
        g, p = softmax(self._to_cells(x), self.zeros, ops)
        while not squares <= SMALL_STEP:
            # The constraints are convex: this is what the linearised ones hide.
            mean = n * self.s - self.residual
            error = ops.largest(g - self.g - dual * mean)
            far = (error > CURVATURE) & (dual >= SHORT)
            if not ops.any(far):
                break
            dual = np.where(far, 0.5 * dual, dual)
            x = self.x + dx * ops.wide(dual)
            g, p = softmax(self._to_cells(x), self.zeros, ops)
        # Not longer than the dual one: its equations are linearised at the old L, M.
        primal = 1.0 / ops.maximum(1.0, ops.least(rise) * -stay)
        primal = ops.minimum(primal, dual)
        R = self.R * (1.0 + primal * rise)
        s = self.s * (1.0 - dual * n)
        return primal, [x, R, s, g, p]
