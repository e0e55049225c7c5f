"""Smallest joint informations of a stack of tables of one shape."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from ..._utils._threads import single_thread
from ._binary_stack import solve_binary_stack
from ._stacked import solve_stack, stack_pays, stack_size
from ._stacked_bounds import StackedBounds
from ._union_information import EPS, GOAL, MISFIT, union_information

# Numbers in the Newton matrices of the tables that are solved at once: more do not
# fit in the cache, fewer cost calls of numpy.
CHUNK = 200_000


class UnionInformations(NamedTuple):
    """The fields of ``UnionInformation`` for each of T tables, as arrays."""

    value: np.ndarray
    duality_gap: np.ndarray
    coupling: np.ndarray
    marginal_violation: np.ndarray
    n_iter: np.ndarray


def union_informations(
    A: np.ndarray,
    B: np.ndarray,
    *,
    tol: float = 1e-9,
    max_iter: int = 200,
    goal: float = GOAL,
) -> UnionInformations:
    """Minimise the joint information for each of ``A`` (T, K, n1), ``B`` (T, K, n2).

    As ``union_information`` does for one. Tables with the same empty classes and states
    are solved together; those that are too large to gain by it, and those that do not
    reach the goal, one by one.
    """
    T, K, n1 = A.shape
    n2 = B.shape[2]
    out = UnionInformations(
        np.full(T, np.nan),
        np.full(T, np.inf),
        np.zeros((T, K, n1, n2)),
        np.zeros(T),
        np.zeros(T, dtype=np.intp),
    )
    solved = np.zeros(T, dtype=bool)
    total_a, total_b = A.sum(axis=2), B.sum(axis=2)
    fit = np.abs(total_a - total_b).max(axis=1) <= MISFIT
    used = [(total_a > 0) & (total_b > 0), A.any(axis=1), B.any(axis=1)]
    patterns, member = np.unique(
        np.concatenate(used, axis=1), axis=0, return_inverse=True
    )
    member = np.where(fit, member.reshape(-1), -1)
    options = Options(min(tol * math.log(2.0), goal), max_iter)
    for k, pattern in enumerate(patterns):
        parts = tuple(map(np.flatnonzero, np.split(pattern, [K, K + n1])))
        if stack_pays(*map(len, parts)):
            at = np.flatnonzero(member == k)
            solved[at] = _solve_alike(A[at], B[at], parts, options, (at, out))
    for t in np.flatnonzero(~solved).tolist():
        found = union_information(A[t], B[t], tol=tol, max_iter=max_iter, goal=goal)
        for one, stack in zip(found, out, strict=True):
            stack[t] = one
    return out


class Options(NamedTuple):
    """Gap (nats) to reach, and iterations to reach it in."""

    goal: float
    max_iter: int


def _solve_alike(
    A: np.ndarray,
    B: np.ndarray,
    parts: tuple[np.ndarray, ...],
    options: Options,
    target: tuple[np.ndarray, UnionInformations],
) -> np.ndarray:
    """Solve tables with the same classes and states in use; which succeeded."""
    at, out = target
    y, i, j = parts
    # Sums depend on the order of the numbers in memory.
    first = np.ascontiguousarray(A[:, y][:, :, i])
    second = np.ascontiguousarray(B[:, y][:, :, j])
    # The second table takes over the class totals of the first.
    total = first.sum(axis=2)
    second = second * (total / second.sum(axis=2))[:, :, None]
    size = max(1, CHUNK // stack_size(len(y), len(i), len(j)))
    good = np.zeros(len(A), dtype=bool)
    for start in range(0, len(A), size):
        chunk = slice(start, start + size)
        bounds, n_iter = solve_chunk(first[chunk], second[chunk], options)
        good[chunk] = ok = bounds.gap <= options.goal
        Q = np.zeros((int(ok.sum()), *A.shape[1:], B.shape[2]))
        Q[np.ix_(np.arange(len(Q)), y, i, j)] = bounds.coupling[ok].reshape(
            len(Q), len(y), len(i), len(j)
        )
        entropy = -xlogy(total[chunk][ok], total[chunk][ok]).sum(axis=1)
        rounding = 8.0 * EPS * bounds.size[ok]
        here = at[chunk][ok]
        out.value[here] = np.maximum(0.0, (bounds.upper[ok] + entropy) / math.log(2.0))
        gap = np.maximum(0.0, bounds.gap[ok]) + rounding
        out.duality_gap[here] = gap / math.log(2.0)
        out.coupling[here] = Q
        errors = Q.sum(axis=3) - A[chunk][ok], Q.sum(axis=2) - B[chunk][ok]
        out.marginal_violation[here] = np.maximum(
            *(np.abs(error).max(axis=(1, 2)) for error in errors)
        )
        out.n_iter[here] = n_iter[ok]
    return good


def solve_chunk(first: np.ndarray, second: np.ndarray, options: Options):
    """Bounds of tables without empty classes and states, by what suits their shape."""
    if first.shape[1] > 2:
        with single_thread():
            return solve_stack(first, second, options.goal, options.max_iter)
    dense = np.asarray((first > 0).all(axis=(1, 2)) & (second > 0).all(axis=(1, 2)))
    bounds = StackedBounds.unknown(len(first), 2, first.shape[2] * second.shape[2])
    if dense.any():
        bounds.put(dense, solve_binary_stack(first[dense], second[dense]))
    return bounds, np.zeros(len(first), dtype=np.intp)
