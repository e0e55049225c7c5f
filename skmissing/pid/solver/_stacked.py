"""The interior-point method on small tables of one shape, one or a stack of them.

Arrays of a stack of T tables have the class in front of the states: ``AB`` (T, K, m)
holds the marginals ``P(y, x1)`` and ``P(y, x2)`` side by side, m = n1 + n2, ``x`` of
the same shape the potentials L and M. The N = n1 n2 cells are one axis, and ``cells``
(m, N) says which states make which cell, so that sums of potentials are ``x @ cells``
and marginals ``Q @ cells.T``. A single table has no axis for tables, and numbers of
Python where a stack has arrays (T, 1): then calls of numpy are most of the time. The
arithmetic is the same, so that no table depends on its companions, not in the last
place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ._stacked_bounds import StackedBounds, cell_matrix, certify_stack, gauge, softmax

# Iterations of tables that succeed: 5 to 20. Others are better off elsewhere.
PATIENCE = 30
# Potentials of a table up to which a dense matrix of them is fast enough, and states of
# both sources up to which calls are most of the time of a table of two classes.
MOST_VARIABLES = 240
MOST_STATES = 60
# As in the method for a single table.
STAY = 0.99
STEEP = 10.0
CURVATURE = 0.3
SHORT = 0.1
REFINE = 1e-8
CHANCE = 2.0
RESIDUAL_SHARE = 0.1
RIDGE = 1e-15
# Bounds that are no better than the ones before, until a table is given up.
PATCHES = 3
# Multiplier of cells that no class can reach, where its value has no effect.
DEAD = 1e-200
# Sum of squares of a step from which on it may change a logarithm by more than
# ``CURVATURE`` beyond the linear one: by an eighth of the square of its range at most.
SMALL_STEP = 0.1


class StackedSolution(NamedTuple):
    """Best bounds of each table and the iterations that it took."""

    bounds: StackedBounds
    n_iter: np.ndarray


def stack_size(K: int, n1: int, n2: int) -> int:
    """Numbers in the largest array of a table."""
    return (K * (n1 + n2)) ** 2


def stack_suits(K: int, n1: int, n2: int) -> bool:
    """Whether a table is so small that this is the faster method."""
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
    limit = min(max_iter, PATIENCE)
    with np.errstate(all="ignore"):
        if len(A) == 1:
            return _solve_one(A, B, goal, limit)
        search = _Search(A, B, goal)
        for step in range(limit):
            search.bound(step)
            if not len(search.where):
                break
            search.run.iterate()
        else:
            search.bound(limit, all_tables=True)
    return StackedSolution(search.best, search.n_iter)


def _solve_one(
    A: np.ndarray, B: np.ndarray, goal: float, limit: int
) -> StackedSolution:
    """A stack of one table, without the axis for tables."""
    run = _Run(start_stack(A, B), Alone)
    best, failures, last = None, 0, np.inf
    for step in range(limit + 1):
        gap = run.gap
        if not gap < np.inf:
            break
        slow = gap > 0.1 * last and gap < 1e4 * goal
        last = gap
        if slow or gap < CHANCE * goal or step == limit:
            found = run.certify()
            if best is None or found.gap[0] < best.gap[0]:
                best = found
            else:
                failures += 1
            if found.gap[0] <= goal or failures == PATCHES:
                break
        if step < limit:
            run.iterate()
    if best is None:
        best = StackedBounds.unknown(1, A.shape[1], A.shape[2] * B.shape[2])
    return StackedSolution(best, np.array([step]))


class _Search:
    """What was found so far, and the run of the tables ``where`` that go on."""

    def __init__(self, A: np.ndarray, B: np.ndarray, goal: float) -> None:
        T, K, n1 = A.shape
        self.run, self.goal = _Run(start_stack(A, B), Together), goal
        self.where = np.arange(T)
        self.best = StackedBounds.unknown(T, K, n1 * B.shape[2])
        self.n_iter = np.zeros(T, dtype=np.intp)
        self.failures = np.zeros(T, dtype=np.intp)
        self.last = np.full(T, np.inf)

    def bound(self, step: int, all_tables: bool = False) -> None:
        """Bounds of tables that have a chance; those that reach the goal are done."""
        where, gap = self.where, self.run.gap[:, 0]
        broken = ~(gap < np.inf)
        slow = (gap > 0.1 * self.last[where]) & (gap < 1e4 * self.goal)
        due = (slow | (gap < CHANCE * self.goal) | all_tables) & ~broken
        self.last[where] = gap
        self.n_iter[where] = step
        done = broken
        if due.any():
            at = where[due]
            found = (self.run if due.all() else self.run.take(due)).certify()
            better = found.gap < self.best.gap[at]
            self.best.put(at[better], StackedBounds(*(part[better] for part in found)))
            # Rounding ends the progress of some runs before the goal.
            self.failures[at] += ~better
            done |= self.failures[where] >= PATCHES
            done[due] |= found.gap <= self.goal
        if done.any():
            self.run, self.where = self.run.take(~done), where[~done]


class Alone:
    """Operations on a single table: numbers of Python, arrays without an axis of T."""

    @staticmethod
    def shape(x: np.ndarray) -> np.ndarray:
        """An array of one table, from a stack of one."""
        return x[0]

    @staticmethod
    def stack(x: np.ndarray) -> np.ndarray:
        """The array of a stack."""
        return x[None]

    @staticmethod
    def wide(number: float) -> float:
        """A number of each table, to multiply arrays with an axis for classes."""
        return number

    @staticmethod
    def total(x: np.ndarray) -> float:
        """Sum over cells."""
        return float(np.add.reduce(x))

    @staticmethod
    def least(x: np.ndarray) -> float:
        """Smallest entry."""
        return float(np.minimum.reduce(x))

    @staticmethod
    def largest(x: np.ndarray) -> float:
        """Largest entry."""
        return float(np.maximum.reduce(x))

    # The same calls of BLAS as those of matmul, at half the cost for few numbers.
    product = np.dot
    maximum, minimum, any = max, min, bool

    @staticmethod
    def factorise(matrix: np.ndarray) -> list[np.ndarray | None]:
        """Cholesky factor, None where there is none."""
        # The transpose of a C array is a Fortran array without a copy.
        factor, info = dpotrf(matrix.T, clean=0)
        return [factor if info == 0 else None]

    @staticmethod
    def solve(factors: list[np.ndarray | None], right: np.ndarray) -> np.ndarray:
        """Solve with the factor; NaN where there is none."""
        if factors[0] is None:
            return np.full_like(right, np.nan)
        return dpotrs(factors[0], right.reshape(-1))[0].reshape(right.shape)


class Together:
    """The same operations on a stack: arrays (T, 1) of numbers."""

    @staticmethod
    def shape(x: np.ndarray) -> np.ndarray:
        """An array of all tables."""
        return x

    stack = shape

    @staticmethod
    def wide(number: np.ndarray) -> np.ndarray:
        """Numbers, to multiply arrays with an axis for classes."""
        return number[..., None]

    @staticmethod
    def total(x: np.ndarray) -> np.ndarray:
        """Sums over cells."""
        return np.add.reduce(x, axis=1, keepdims=True)

    @staticmethod
    def least(x: np.ndarray) -> np.ndarray:
        """Smallest entries."""
        return np.minimum.reduce(x, axis=1, keepdims=True)

    @staticmethod
    def largest(x: np.ndarray) -> np.ndarray:
        """Largest entries."""
        return np.maximum.reduce(x, axis=1, keepdims=True)

    product = np.matmul
    maximum, minimum, any = np.maximum, np.minimum, np.any

    @staticmethod
    def factorise(matrix: np.ndarray) -> list[np.ndarray | None]:
        """Cholesky factor of each table, None where there is none."""
        factors = (dpotrf(H, clean=0) for H in matrix.transpose(0, 2, 1))
        return [factor if info == 0 else None for factor, info in factors]

    @staticmethod
    def solve(factors: list[np.ndarray | None], right: np.ndarray) -> np.ndarray:
        """Solve for each table; NaN where there is no factor."""
        flat = right.reshape(len(right), -1)
        out = np.full_like(flat, np.nan)
        for t, factor in enumerate(factors):
            if factor is not None:
                out[t], _ = dpotrs(factor, flat[t])
        return out.reshape(right.shape)


class _Start(NamedTuple):
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


def start_stack(A: np.ndarray, B: np.ndarray) -> _Start:
    """Naive Bayes, and then down until strictly feasible."""
    T, _, n1 = A.shape
    n2 = B.shape[2]
    AB = np.concatenate([A, B], axis=2)
    mass = AB.sum(axis=1)
    x = AB / mass[:, None]
    x[:, :, n1:] /= A.sum(axis=2)[:, :, None]
    np.log(x, out=x)
    g, p = softmax(x, cell_matrix(n1, n2), not AB.all())
    g = g.reshape(T, n1, n2)
    down = g.max(axis=2) + 0.1
    x[:, :, :n1] -= down[:, None]
    g = (g - down[:, :, None]).reshape(T, -1)
    R = (mass[:, :n1, None] * mass[:, None, n1:]).reshape(T, -1)
    R[p.sum(axis=1) == 0.0] = DEAD
    weight = R / R.sum(axis=1, keepdims=True)
    return _Start(n1, AB, x, R, -g, g, p, weight, gauge(AB, n1))


class _Run:
    """State of all tables that are not finished, and one step of the method.

    Changes of multipliers and slacks are relative to these.
    """

    # What has an entry for each table.
    OF_TABLES = ("AB", "x", "R", "s", "g", "p", "v", "gap", "weight", "gauge")

    def __init__(self, start: _Start, ops: type[Alone] | type[Together]) -> None:
        self.ops, self.n1 = ops, start.n1
        self.AB, self.x, self.R, self.s, self.g, self.p, self.weight, self.gauge = map(
            ops.shape, start[1:]
        )
        self.zeros = not self.AB.all()
        self.v = self.R * self.s
        self.gap = ops.total(self.v)
        self._allocate()

    def _allocate(self) -> None:
        *lead, K, m = self.AB.shape
        n1, N = self.n1, self.R.shape[-1]
        self.cells = cell_matrix(n1, m - n1)
        self.states = self.cells.T
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
        self.cross = np.empty((*lead, K, K, N))
        self.cross_rows = self.cross.reshape(*lead, K * K, N)
        self.cross_diagonal = self.cross_rows[..., :: K + 1, :]
        self.cross_cells = self.cross.reshape(*lead, K, K, n1, m - n1)

    def take(self, which: np.ndarray) -> _Run:
        """The run of some of the tables."""
        new = object.__new__(_Run)
        new.ops, new.n1, new.zeros = self.ops, self.n1, self.zeros
        for name in self.OF_TABLES:
            setattr(new, name, getattr(self, name)[which])
        new._allocate()
        return new

    def certify(self) -> StackedBounds:
        """Bounds from where the tables are."""
        Q = self.R[..., None, :] * self.p
        AB, x, Q, g, null = map(self.ops.stack, (self.AB, self.x, Q, self.g, self.gauge))
        return certify_stack(AB, x, Q, g.reshape(len(AB), self.n1, -1), null)

    def iterate(self) -> None:
        """One step of predictor and corrector for every table."""
        ops, v, gap = self.ops, self.v, self.gap
        self.inverse = 1.0 / self.s
        self.residual = self.g + self.s
        self.lift = self.residual * self.inverse
        self._assemble()
        n = self._slacks(self._direction(self.lift))
        # Only the order of magnitude of this one matters: both steps have one length.
        length = 1.0 / ops.maximum(
            1.0, ops.maximum(ops.largest(n), 1.0 - ops.least(n))
        )
        second = n * (n - 1.0)
        ahead = (1.0 - length) * gap - length * length * ops.total(v * second)
        share = ahead / gap
        aim = gap * (share * share * share)
        aim = ops.maximum(aim, RESIDUAL_SHARE * ops.total(self.R * self.residual))
        centre = self.weight / v
        length, new = self._walk(aim * centre + second)
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

    def _assemble(self) -> None:
        """Newton matrix of the potentials, with the gauge filled in."""
        p = self.p
        self.q = q = self.R[..., None, :] * p
        self.outer = self.inverse - 1.0
        np.multiply(
            (q * self.outer[..., None, :])[..., None, :], p[..., None, :, :], out=self.cross
        )
        self.cross_diagonal += q
        same, upper, lower = self.fixed
        sums = self.ops.product(self.cross_rows, self.states)
        np.add(same, sums.reshape(same.shape), out=self.H_same)
        np.add(upper, self.cross_cells, out=self.H_upper)
        np.add(lower, self.cross_cells, out=self.H_lower)
        self.H_diagonal *= 1.0 + RIDGE
        self.factors = self.ops.factorise(self.H)

    def _direction(self, t: np.ndarray) -> np.ndarray:
        """Change of the potentials for targets ``t`` of the relative changes."""
        mass = self.ops.product(self.q * t[..., None, :], self.states)
        return self.ops.solve(self.factors, self.AB - mass)

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
        more = self.ops.solve(self.factors, self.AB - found)
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
