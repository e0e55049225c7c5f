"""The interior-point method on a stack of small tables of one shape.

Arrays of a stack of T tables have the class in front of the states: ``AB`` (T, K, m)
holds the marginals ``P(y, x1)`` and ``P(y, x2)`` side by side, m = n1 + n2, ``x`` of
the same shape the potentials L and M. The N = n1 n2 cells are one axis, and ``cells``
(m, N) says which states make which cell, so that sums of potentials are ``x @ cells``
and marginals ``Q @ cells.T``. No table depends on its companions, not in the last
place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ._stacked_bounds import StackedBounds, cell_matrix, certify_stack, gauge, softmax

# Iterations of tables that succeed: 5 to 20. Others are better off elsewhere.
PATIENCE = 30
# Potentials of a table up to which calls are most of its time, and states of both
# sources up to which they are for two classes.
MOST_VARIABLES = 64
MOST_STATES = 60
# As in the method for a single table.
STAY = 0.99
CURVATURE = 0.3
SHORT = 0.1
REFINE = 1e-8
CHANCE = 2.0
RESIDUAL_SHARE = 0.1
RIDGE = 1e-15
# Bounds that are no better than the ones before, until a table is given up.
PATCHES = 3


class StackedSolution(NamedTuple):
    """Best bounds of each table and the iterations that it took."""

    bounds: StackedBounds
    n_iter: np.ndarray


def stack_size(K: int, n1: int, n2: int) -> int:
    """Numbers in the largest array of a table."""
    return (K * (n1 + n2)) ** 2


def stack_suits(K: int, n1: int, n2: int) -> bool:
    """Whether a table is so small that calls of numpy are most of its time."""
    if K == 2:
        return min(n1, n2) > 1 and n1 + n2 <= MOST_STATES
    return K > 2 and min(n1, n2) > 1 and K * (n1 + n2) <= MOST_VARIABLES


def solve_stack(
    A: np.ndarray, B: np.ndarray, goal: float, max_iter: int
) -> StackedSolution:
    """Bounds for ``P(y, x1)`` (T, K, n1) and ``P(y, x2)`` (T, K, n2) in nats.

    At most ``max_iter`` iterations, but not more than ``PATIENCE``: the gap of hard
    tables remains above ``goal``, or is infinite where the method breaks down.
    """
    # Sums depend on the order of the numbers in memory.
    A, B = np.ascontiguousarray(A), np.ascontiguousarray(B)
    with np.errstate(all="ignore"):
        search = _Search(A, B, goal)
        limit = min(max_iter, PATIENCE)
        for step in range(limit):
            search.bound(step)
            if not len(search.where):
                break
            search.run.iterate()
            search.drop_broken(step + 1)
            if not len(search.where):
                break
        else:
            search.bound(limit, all_tables=True)
    return StackedSolution(search.best, search.n_iter)


class _Search:
    """What was found so far, and the run of the tables ``where`` that go on."""

    def __init__(self, A: np.ndarray, B: np.ndarray, goal: float) -> None:
        T, K, n1 = A.shape
        self.run, self.goal = _Run(A, B), goal
        self.where = np.arange(T)
        self.best = StackedBounds.unknown(T, K, n1 * B.shape[2])
        self.n_iter = np.zeros(T, dtype=np.intp)

    def bound(self, step: int, all_tables: bool = False) -> None:
        """Bounds of tables that have a chance; those that reach the goal are done."""
        due = self.run.due(self.goal)
        if all_tables:
            due[:] = True
        n_due = int(due.sum())
        if not n_due:
            return
        whole = n_due == len(due)
        at = self.where if whole else self.where[due]
        found = (self.run if whole else self.run.take(due)).certify()
        self.n_iter[at] = step
        better = found.gap < self.best.gap[at]
        self.best.put(at[better], StackedBounds(*(part[better] for part in found)))
        # Rounding ends the progress of some runs before the goal.
        self.run.failures[due] += ~better
        done = self.run.failures >= PATCHES
        done[due] |= found.gap <= self.goal
        self._keep(~done)

    def drop_broken(self, step: int) -> None:
        """Leave out tables whose numbers are no longer finite."""
        broken = self.run.broken()
        if broken.any():
            self.n_iter[self.where[broken]] = step
            self._keep(~broken)

    def _keep(self, which: np.ndarray) -> None:
        if not which.any():
            self.where = self.where[:0]
        elif not which.all():
            self.run, self.where = self.run.take(which), self.where[which]


class _Run:
    """State of all tables that are not finished, and one step of the method."""

    # What has an entry for each table.
    OF_TABLES = ("AB", "x", "RS", "g", "p", "weight", "gauge", "failures", "gap")

    def __init__(self, A: np.ndarray, B: np.ndarray) -> None:
        T, _, n1 = A.shape
        n2 = B.shape[2]
        self.n1 = n1
        self.AB = AB = np.concatenate([A, B], axis=2)
        self.zeros = not AB.all()
        self.cells = cell_matrix(n1, n2)
        mass = AB.sum(axis=1)
        # Naive Bayes, and then down until strictly feasible.
        self.x = x = np.log(AB)
        x[:, :, :n1] -= np.log(mass[:, None, :n1])
        x[:, :, n1:] -= np.log(A.sum(axis=2)[:, :, None] * mass[:, None, n1:])
        g, self.p = softmax(x, self.cells, self.zeros)
        g = g.reshape(T, n1, n2)
        down = g.max(axis=2) + 0.1
        x[:, :, :n1] -= down[:, None]
        self.g = (g - down[:, :, None]).reshape(T, -1)
        R = mass[:, :n1, None] * mass[:, None, n1:]
        if self.zeros:
            R *= (A > 0).transpose(0, 2, 1).astype(np.float64) @ (B > 0) > 0
        R = R.reshape(T, -1)
        self.RS = np.stack([R, -self.g], axis=1)
        self.weight = R / R.sum(axis=1, keepdims=True)
        self.gauge = gauge(AB, n1)
        self.failures = np.zeros(T, dtype=np.intp)
        self.gap = np.full(T, np.inf)
        self._allocate()

    def _allocate(self) -> None:
        T, K, m = self.AB.shape
        self.H = np.empty((T, K * m, K * m))
        self.H_blocks = np.einsum("tkmkn->tkmn", self.H.reshape(T, K, m, K, m))
        self.H_diagonal = self.H.reshape(T, -1)[:, :: K * m + 1]
        self.right = self.AB.reshape(T, K * m, 1)

    def take(self, which: np.ndarray) -> _Run:
        """The run of some of the tables."""
        new = object.__new__(_Run)
        new.n1, new.cells, new.zeros = self.n1, self.cells, self.zeros
        for name in self.OF_TABLES:
            setattr(new, name, getattr(self, name)[which])
        new._allocate()
        return new

    def due(self, goal: float) -> np.ndarray:
        """Tables whose bounds have a chance to meet, or that no longer get better."""
        last = self.gap
        self.gap = (self.RS[:, 0] * self.RS[:, 1]).sum(axis=1)
        slow = (self.gap > 0.1 * last) & (self.gap < 1e4 * goal)
        return slow | (self.gap < CHANCE * goal)

    def certify(self) -> StackedBounds:
        """Bounds from where the tables are."""
        Q = self.RS[:, :1] * self.p
        g = self.g.reshape(len(Q), self.n1, -1)
        return certify_stack(self.AB, self.x, Q, g, self.gauge)

    def broken(self) -> np.ndarray:
        """Tables with numbers that are not finite, but for logarithms of zero."""
        total = self.RS.sum(axis=(1, 2))
        if self.zeros:
            return ~np.isfinite(total) | np.isnan(self.x.sum(axis=(1, 2)))
        return ~np.isfinite(total + self.x.sum(axis=(1, 2)))

    def iterate(self) -> None:
        """One step of predictor and corrector for every table."""
        RS, gap = self.RS, self.gap
        R, s = RS[:, 0], RS[:, 1]
        self.residual = residual = self.g + s
        self.ratio = ratio = R / s
        self._assemble()
        load = ratio * residual
        dRS, _ = self._direction(load, refine=None)
        ahead = RS + _reach(RS, dRS, 1.0) * dRS
        ahead = (ahead[:, 0] * ahead[:, 1]).sum(axis=1)
        aim = gap * (ahead / gap) ** 3
        least = (R * np.abs(residual)).sum(axis=1)
        aim = np.maximum(aim, RESIDUAL_SHARE * least)
        product = aim[:, None] * self.weight - dRS[:, 0] * dRS[:, 1]
        refine = gap < REFINE
        length, new = self._walk(product / s + load, refine)
        short = length < SHORT
        if short.any():
            # Jammed against the boundary: back to the centre first.
            other, centred = self._walk(gap[:, None] * self.weight / s + load, refine)
            short &= other > length
            for old, better in zip(new, centred):
                old[short] = better[short]
        self.x, self.RS, self.g, self.p = new
        # Where the constraint is really slack, the slack is exact.
        s = self.RS[:, 1]
        np.copyto(s, -self.g, where=-self.g > 0.1 * s)

    def _assemble(self) -> None:
        """Newton matrix of the potentials, with the gauge filled in."""
        T, K, m = self.AB.shape
        R = self.RS[:, 0]
        F = self.p[:, :, None] * self.cells
        self.F = flat = F.reshape(T, K * m, -1)
        np.matmul(flat * (self.ratio - R)[:, None], flat.transpose(0, 2, 1), out=self.H)
        blocks = (F * R[:, None, None]) @ self.cells.T
        blocks += self.gauge
        self.H_blocks += blocks
        self.H_diagonal *= 1.0 + RIDGE
        factors = (dpotrf(H, overwrite_a=1) for H in self.H.transpose(0, 2, 1))
        self.factors = [c if info == 0 else None for c, info in factors]

    def _solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for each table; NaN where the matrix is not positive definite."""
        out = np.full_like(right, np.nan)
        for t, factor in enumerate(self.factors):
            if factor is not None:
                out[t], _ = dpotrs(factor, right[t])
        return out

    def _apply(self, dx: np.ndarray) -> np.ndarray:
        """Product with the matrix, summed cell by cell."""
        R = self.RS[:, :1]
        step = dx.reshape(self.AB.shape)
        change = R * (step @ self.cells)
        change += (self.ratio[:, None] - R) * (dx.transpose(0, 2, 1) @ self.F)
        change *= self.p
        out = change @ self.cells.T
        out += (self.gauge @ step[:, :, :, None])[:, :, :, 0]
        return out.reshape(dx.shape)

    def _direction(
        self, t: np.ndarray, refine: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Step that aims at ``R s = (t - load) s`` to first order."""
        right = self.right - self.F @ t[:, :, None]
        dx = self._solve(right)
        if refine is not None and refine.any():
            more = self._solve(right - self._apply(dx))
            dx += np.where(refine[:, None, None], more, 0.0)
        return self._changes(dx, t), dx

    def _changes(self, dx: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Changes of multipliers and slacks, as ``RS``."""
        mean = (dx.transpose(0, 2, 1) @ self.F)[:, 0]
        dRS = np.empty_like(self.RS)
        np.multiply(self.ratio, mean, out=dRS[:, 0])
        dRS[:, 0] += t
        dRS[:, 0] -= self.RS[:, 0]
        np.add(mean, self.residual, out=dRS[:, 1])
        np.negative(dRS[:, 1], out=dRS[:, 1])
        return dRS

    def _walk(
        self, t: np.ndarray, refine: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Length of the primal step, and where both steps lead."""
        dRS, dx = self._direction(t, refine)
        if dx.max() > 1.0 or dx.min() < -5.0:
            up = 1.0 + np.log(np.maximum(dx, 1.0))
            dx = np.where(dx > 1.0, up, np.maximum(dx, -5.0))
            mean = (dx.transpose(0, 2, 1) @ self.F)[:, 0]
            dRS[:, 1] = -self.residual - mean
        mean = self.residual + dRS[:, 1]
        dx = dx.reshape(self.x.shape)
        length = _reach(self.RS, dRS, STAY)
        dual = length[:, 1]
        new_x = self.x + dual[:, :, None] * dx
        g, p = softmax(new_x, self.cells, self.zeros)
        while True:
            # The constraints are convex: this is what the linearised ones hide.
            error = (g - self.g + dual * mean).max(axis=1)
            far = (error > CURVATURE) & (dual[:, 0] >= SHORT)
            if not far.any():
                break
            dual[far] *= 0.5
            new_x = self.x + dual[:, :, None] * dx
            g, p = softmax(new_x, self.cells, self.zeros)
        # Not longer than the dual one: its equations are linearised at the old L, M.
        np.minimum(length[:, 0], dual, out=length[:, 0])
        return length[:, 0, 0], (new_x, self.RS + length * dRS, g, p)


def _reach(x: np.ndarray, dx: np.ndarray, stay: float) -> np.ndarray:
    """Largest steps up to 1, ``stay`` of the way to the boundary, shape (T, 2, 1)."""
    # 0 / 0 in cells without mass is NaN, which this minimum ignores.
    fall = np.fmin.reduce(dx / x, axis=2, keepdims=True)
    return 1.0 / np.maximum(1.0, fall * (-1.0 / stay))
