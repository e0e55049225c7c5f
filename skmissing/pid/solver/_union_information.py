"""Smallest joint information that two marginals allow."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from ..._utils._threads import single_thread
from ._binary import solve_binary
from ._binary_small import FEW_CELLS, solve_binary_small
from ._certificate import Bounds, Solution, certify, fill_potentials
from ._interior_point import interior_point
from ._stacked import solve_one, stack_suits

# The iteration goes on to this gap (nats) whatever the tolerance: convergence is
# quadratic by then, so it costs one or two iterations and makes the result independent
# of the order of the states to about the same figure.
GOAL = 1e-13
# Decimals of log P(y | x) to which states count as equal. Merging states whose
# logarithms differ by d changes informations by their mass times d^2 at most, so this
# is far below rounding; it is far above the rounding error of equal posteriors.
DECIMALS = 10
# Entries below this are left out while solving: they could not change any information
# by more than their own surprise of 60 bits, 1e-16 in all, but would let potentials
# run over many orders of magnitude. The bounds do include them.
TINY = 1e-18
# Difference of class totals that is more than rounding.
MISFIT = 1e-9
# Potentials up to which LAPACK takes one thread anyway.
FEW_VARIABLES = 64
EPS = float(np.finfo(np.float64).eps)


class UnionInformation(NamedTuple):
    """Minimum of ``I_Q(Y; X1, X2)`` over couplings with given marginals, bits.

    ``value`` is the information of ``coupling`` (K, n1, n2), an upper bound; the
    minimum is at least ``value - duality_gap``, which allows for rounding.
    ``n_iter`` is 0 where the coupling is known in closed form.
    """

    value: float
    duality_gap: float
    coupling: np.ndarray
    marginal_violation: float
    n_iter: int


def union_information(
    A: np.ndarray,
    B: np.ndarray,
    *,
    tol: float = 1e-9,
    max_iter: int = 200,
    goal: float = GOAL,
) -> UnionInformation:
    """Minimise the joint information of two sources whose coupling is free.

    ``A`` (K, n1) and ``B`` (K, n2) are probabilities with equal class totals. The
    iteration stops at a certified gap of ``goal`` nats; ``tol`` bits are good enough.

    The problem depends on each source only through its posterior ``P(y | x)``, which
    is a sufficient statistic. States of equal posteriors are therefore merged, solved
    as one and given their shares of the coupling afterwards. The bounds are taken on
    the tables as they came, so they do not rely on that.
    """
    total_a, total_b = np.add.reduce(A, 1), np.add.reduce(B, 1)
    off = max(map(abs, (total_a - total_b).tolist()))
    if off > MISFIT:
        raise ValueError(
            f"Got A and B with class totals that differ by {off:.2g}, expected the "
            "same totals."
        )
    # Classes and states without mass stay out; rows are states from here on. The second
    # table takes over the class totals of the first, without which there is no feasible
    # coupling to the last digit.
    dense = A.item(A.argmin()) > 0 and B.item(B.argmin()) > 0
    whole = dense
    if not whole:
        y = np.flatnonzero((total_a > 0) & (total_b > 0))
        i, j = np.flatnonzero(A.any(axis=0)), np.flatnonzero(B.any(axis=0))
        whole = len(y) == len(A) and len(i) == A.shape[1] and len(j) == B.shape[1]
    if whole:
        first, second, total = A.T, B.T * (total_a / total_b), total_a
    else:
        # Sums depend on the order of the numbers in memory: as in a stack of tables.
        first = np.ascontiguousarray(A[np.ix_(y, i)])
        second = np.ascontiguousarray(B[np.ix_(y, j)])
        total = first.sum(axis=1)
        first, second = first.T, second.T * (total / second.sum(axis=1))
    tol = tol * math.log(2.0)
    if dense and len(A) == 2 and A.shape[1] * B.shape[1] <= FEW_CELLS:
        small = solve_binary_small(A, B)
        if small is not None and small.bounds.gap <= min(tol, goal):
            return _in_bits(small.bounds, small.violation, total, 0)
    bounds = solve_binary(first, second).bounds if len(total) == 2 else None
    n_iter = 0
    if bounds is None or not bounds.gap <= min(tol, goal):
        bounds, n_iter = _iterate(first, second, goal, tol, max_iter)
    if whole:
        coupling = bounds.coupling.transpose(1, 0, 2)
    else:
        coupling = np.zeros((len(A), A.shape[1], B.shape[1]))
        coupling[np.ix_(y, i, j)] = bounds.coupling.transpose(1, 0, 2)
    errors = np.add.reduce(coupling, 2) - A, np.add.reduce(coupling, 1) - B
    violation = max(max(map(abs, error.ravel().tolist())) for error in errors)
    return _in_bits(bounds._replace(coupling=coupling), violation, total, n_iter)


def _iterate(
    first: np.ndarray, second: np.ndarray, goal: float, tol: float, max_iter: int
) -> tuple[Bounds, int]:
    """Solve as a stack of one table, and with more care if that does not do."""
    (n1, K), n2 = first.shape, len(second)
    tried, n_tried = None, 0
    if stack_suits(K, n1, n2):
        # Sums depend on the order of the numbers in memory.
        A, B = np.ascontiguousarray(first.T), np.ascontiguousarray(second.T)
        # To set the number of threads takes as long as an iteration of a small table.
        with single_thread() if K * (n1 + n2) > FEW_VARIABLES else nullcontext():
            one, n_tried = solve_one(A, B, min(tol, goal), max_iter)
        coupling = one.coupling.reshape(K, n1, n2).transpose(1, 0, 2)
        tried = Bounds(float(one.lower), one.upper, coupling, one.size)
        if tried.gap <= min(tol, goal) or n_tried >= max_iter:
            return tried, n_tried
    with single_thread():
        found, n_iter = _solve_merged(first, second, goal, tol, max_iter - n_tried)
    if tried is not None and tried.gap < found.gap:
        found = tried
    return found, n_tried + n_iter


def _in_bits(
    found: Bounds, violation: float, total: np.ndarray, n_iter: int
) -> UnionInformation:
    """The information from bounds of the conditional entropy and the class totals."""
    entropy = -math.fsum(p * math.log(p) for p in total.tolist())
    # What the sums in both bounds may lose; where the bounds agree to the last digit,
    # this is what remains uncertain.
    rounding = 8.0 * EPS * found.size
    value = max(0.0, (found.upper + entropy) / math.log(2.0))
    gap = (max(0.0, found.gap) + rounding) / math.log(2.0)
    return UnionInformation(value, gap, found.coupling, violation, n_iter)


def _solve_merged(
    first: np.ndarray, second: np.ndarray, goal: float, tol: float, max_iter: int
) -> tuple[Bounds, int]:
    """Solve without entries that are too small, with equal states merged.

    Tables have a state in each row. The bounds are those of the tables as they came.
    """
    hidden1, hidden2 = (((t > 0) & (t <= TINY)).any() for t in (first, second))
    y = np.arange(first.shape[1])
    large1, large2 = first, second
    if hidden1 or hidden2:
        large1 = np.where(first > TINY, first, 0.0)
        large2 = np.where(second > TINY, second, 0.0)
        y = np.flatnonzero((large1.sum(axis=0) > 0) & (large2.sum(axis=0) > 0))
        large1, large2 = large1[:, y], large2[:, y]
        large2 = large2 * (large1.sum(axis=0) / large2.sum(axis=0))
    group1, small1 = _merge(large1)
    group2, small2 = _merge(large2)
    small = _solve(small1, small2, goal, tol, max_iter)
    solved, n_iter = small.bounds, small.n_iter
    same = len(small1) == len(first) and len(small2) == len(second)
    if same and not (hidden1 or hidden2):
        # The states are in another order, which does not change the bounds.
        coupling = solved.coupling[group1][:, :, group2]
        return solved._replace(coupling=coupling), n_iter

    L, M = np.full(first.shape, -np.inf), np.full(second.shape, -np.inf)
    L[:, y] = np.where(large1 > 0, small.L[group1], -np.inf)
    M[:, y] = np.where(large2 > 0, small.M[group2], -np.inf)
    L = fill_potentials(L, M, first)
    M = fill_potentials(M, L, second)
    Q = np.zeros((len(first), first.shape[1], len(second)))
    Q[:, y] = solved.coupling[group1][:, :, group2]
    Q[:, y] *= _shares(large1, group1, small1)[:, :, None]
    Q[:, y] *= _shares(large2, group2, small2).T
    bounds = certify(
        first, np.ascontiguousarray(second.T), L, np.ascontiguousarray(M.T), Q
    )
    return bounds, n_iter


def _merge(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge states of equal posterior, in an order that does not depend on theirs.

    Number of the merged state of each, -1 for states without mass, and the table.
    """
    group = np.full(len(table), -1)
    mass = table.sum(axis=1)
    used = np.flatnonzero(mass > 0)
    with np.errstate(divide="ignore"):
        key = np.round(np.log(table[used] / mass[used, None]), DECIMALS)
    order = np.lexsort(key.T)
    key = key[order]
    new = (key[1:] != key[:-1]).any(axis=1)
    starts = np.flatnonzero(np.concatenate([[True], new]))
    group[used[order]] = np.cumsum(np.concatenate([[0], new]))
    return group, np.add.reduceat(table[used[order]], starts, axis=0)


def _shares(table: np.ndarray, group: np.ndarray, merged: np.ndarray) -> np.ndarray:
    """Share of each state in its merged state, class by class; 0 without mass."""
    whole = merged[group]
    return np.where(
        (group >= 0)[:, None] & (whole > 0), table / np.where(whole > 0, whole, 1.0), 0
    )


def _solve(
    first: np.ndarray, second: np.ndarray, goal: float, tol: float, max_iter: int
) -> Solution:
    """Solve two tables with a state in each row, M of shape (n2, K) as the second."""
    if len(second) == 1 or len(first) == 1:
        # One source is uninformative: the coupling is forced, the posterior of the
        # other source is its own optimal potential.
        with np.errstate(divide="ignore"):
            L, M = (np.log(t / t.sum(axis=1, keepdims=True)) for t in (first, second))
        forced = M if len(second) == 1 else L
        forced[:] = 0.0
        Q = first[:, :, None] * (second / second.sum(axis=0)).T
        bounds = certify(
            first, np.ascontiguousarray(second.T), L, np.ascontiguousarray(M.T), Q
        )
        return Solution(bounds, L, M, 0)
    # The states of the longer source are eliminated, which is cheaper.
    if len(first) < len(second):
        swapped = _solve(second, first, goal, tol, max_iter)
        coupling = swapped.bounds.coupling.transpose(2, 1, 0)
        bounds = swapped.bounds._replace(coupling=coupling)
        return Solution(bounds, swapped.M, swapped.L, swapped.n_iter)
    solution = interior_point(
        first, np.ascontiguousarray(second.T), min(tol, goal), tol, max_iter
    )
    return solution._replace(M=solution.M.T)
