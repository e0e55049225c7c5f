"""The interior-point method on small tables of one shape, one or many."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ._alone import Alone
from ._eliminating_run import EliminatingRun
from ._run import Run
from ._single_run import SingleRun
from ._square import STEPS, solve_square
from ._stacked_bounds import StackedBounds
from ._together import Together

# Iterations of tables that succeed: 5 to 20. Others are better off elsewhere.
PATIENCE = 30
# Potentials of a table up to which a dense matrix of them is fast enough, and states of
# both sources up to which calls are most of the time of a table of two classes.
MOST_VARIABLES = 240
MOST_STATES = 60
# Potentials from which on one source is eliminated, which does not pay for in a stack.
MOST_TOGETHER = 128
# As in the method for a single table.
CHANCE = 2.0
# Bounds that are no better than the ones before, until a table is given up.
PATCHES = 3


class StackedSolution(NamedTuple):
    """Best bounds of each table and the iterations that it took."""

    bounds: StackedBounds
    n_iter: np.ndarray


def stack_size(K: int, n1: int, n2: int) -> int:
    """Numbers in the largest array of a table."""
    return (K * (n1 + n2)) ** 2


def stack_pays(K: int, n1: int, n2: int) -> bool:
    """Whether tables are so small that they are faster together."""
    return stack_suits(K, n1, n2) and (K == 2 or K * (n1 + n2) <= MOST_TOGETHER)


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
    if len(A) == 1:
        one, n_steps = solve_one(A[0], B[0], goal, max_iter)
        bounds = StackedBounds(*(np.asarray(part)[None] for part in one))
        return StackedSolution(bounds, np.array([n_steps]))
    T, K, n1 = A.shape
    best, n_iter = StackedBounds.unknown(T, K, n1 * B.shape[2]), np.zeros(T, np.intp)
    with np.errstate(all="ignore"):
        dense = (A.min(axis=(1, 2)) > 0) & (B.min(axis=(1, 2)) > 0)
        if _is_square(A, B, max_iter) and dense.any():
            found, n_iter[dense] = solve_square(A[dense], B[dense], Together)
            best.put(dense, found)
        left = ~(best.gap <= goal)
        if left.any():
            search = _Search(A[left], B[left], goal)
            search.run_all(min(max_iter, PATIENCE))
            best.put(left, search.best)
            n_iter[left] += search.n_iter
    return StackedSolution(best, n_iter)


def _is_square(A: np.ndarray, B: np.ndarray, max_iter: int) -> bool:
    """Whether tables are tried with the method for two states of each source first."""
    K, n1 = A.shape[-2:]
    return K > 2 and n1 == B.shape[-1] == 2 and max_iter >= STEPS + PATIENCE


def solve_one(
    A: np.ndarray, B: np.ndarray, goal: float, max_iter: int
) -> tuple[StackedBounds, int]:
    """The same for one table, without the axis for tables."""
    limit = min(max_iter, PATIENCE)
    K, m = len(A), A.shape[1] + B.shape[1]
    n_steps = 0
    if _is_square(A, B, max_iter) and A.min() > 0 and B.min() > 0:
        with np.errstate(all="ignore"):
            best, n_steps = solve_square(A, B, Alone)
        if best.gap <= goal:
            return best, n_steps
    failures, last = 0, math.inf
    with np.errstate(all="ignore"):
        run = (SingleRun if K * m <= MOST_TOGETHER else EliminatingRun)(A, B)
        best = StackedBounds(-math.inf, math.inf, np.zeros_like(run.p), 0.0)
        for step in range(limit + 1):
            gap = run.gap
            if not gap < math.inf:
                break
            slow = gap > 0.1 * last and gap < 1e4 * goal
            last = gap
            if slow or gap < CHANCE * goal or step == limit:
                found = run.certify()
                if found.gap < best.gap:
                    best = found
                else:
                    failures += 1
                if found.gap <= goal or failures == PATCHES:
                    break
            if step < limit:
                run.iterate()
    return best, n_steps + step


class _Search:
    """What was found so far, and the run of the tables ``where`` that go on."""

    def __init__(self, A: np.ndarray, B: np.ndarray, goal: float) -> None:
        T, K, n1 = A.shape
        self.run, self.goal = Run(A, B), goal
        self.where = np.arange(T)
        self.best = StackedBounds.unknown(T, K, n1 * B.shape[2])
        self.n_iter = np.zeros(T, dtype=np.intp)
        self.failures = np.zeros(T, dtype=np.intp)
        self.last = np.full(T, np.inf)

    def run_all(self, limit: int) -> None:
        """Iterate until all tables are finished."""
        for step in range(limit):
            self.bound(step)
            if not len(self.where):
                return
            self.run.iterate()
        self.bound(limit, all_tables=True)

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
