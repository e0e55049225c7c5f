"""Smallest joint information that two marginals allow."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..._utils._threads import single_thread
from ._binary import binary_minimum
from ._binary_small import FEW, tiny_minimum
from ._certificate import Bounds, certify, fill_potentials
from ._interior_point import interior_point

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
EPS = float(np.finfo(np.float64).eps)


class MinimumInformation(NamedTuple):
    """Minimum of ``I_Q(Y; X1, X2)`` over couplings with given marginals.

    Attributes
    ----------
    value : float
        Information of ``coupling``, an upper bound of the minimum, bits.
    duality_gap : float
        The minimum is at least ``value - duality_gap``, bits. Includes an allowance
        for rounding.
    coupling : ndarray of shape (K, n1, n2)
        ``Q(y, x1, x2)``.
    marginal_violation : float
        Largest absolute difference of a marginal of ``coupling``.
    n_iter : int
        Iterations; 0 where the coupling is known in closed form.
    """

    value: float
    duality_gap: float
    coupling: np.ndarray
    marginal_violation: float
    n_iter: int


def minimum_information(
    A: np.ndarray,
    B: np.ndarray,
    *,
    tol: float = 1e-9,
    max_iter: int = 200,
    goal: float = GOAL,
) -> MinimumInformation:
    """Minimise the joint information of two sources whose coupling is free.

    Parameters
    ----------
    A : ndarray of shape (K, n1)
        Probabilities ``P(y, x1)`` that sum to 1.
    B : ndarray of shape (K, n2)
        Probabilities ``P(y, x2)``, whose class totals are those of ``A`` up to
        rounding.
    tol : float, default=1e-9
        Certified gap in bits that is good enough if the goal is not reached.
    max_iter : int, default=200
        Largest number of iterations.
    goal : float, default=1e-13
        Certified gap in nats at which the iteration stops.

    Returns
    -------
    MinimumInformation
        The caller compares ``duality_gap`` with its tolerance.

    Raises
    ------
    ValueError
        If the class totals differ by more than rounding.

    Notes
    -----
    The problem depends on each source only through its posterior ``P(y | x)``, which
    is a sufficient statistic. States of equal posteriors are therefore merged, solved
    as one and given their shares of the coupling afterwards. The bounds are taken on
    the tables as they came, so they do not rely on that.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing.pid.solver._union_information import minimum_information
    >>> both = np.array([[0.5, 0.0], [0.0, 0.5]])  # each source is a copy of y
    >>> result = minimum_information(both, both)
    >>> round(result.value, 6), result.duality_gap < 1e-12
    (1.0, True)
    """
    total_a, total_b = A.sum(axis=1), B.sum(axis=1)
    off = max(map(abs, (total_a - total_b).tolist()))
    if off > 1e-9:
        raise ValueError(
            f"Got A and B with class totals that differ by {off:.2g}, expected the "
            "same totals."
        )
    # Classes and states without mass stay out; rows are states from here on. The second
    # table takes over the class totals of the first, without which there is no feasible
    # coupling to the last digit.
    dense = bool(A.min() > 0 and B.min() > 0)
    whole = dense
    if not whole:
        y = np.flatnonzero((total_a > 0) & (total_b > 0))
        i, j = np.flatnonzero(A.any(axis=0)), np.flatnonzero(B.any(axis=0))
        whole = len(y) == len(A) and len(i) == A.shape[1] and len(j) == B.shape[1]
    if whole:
        first, second, total = A.T, B.T * (total_a / total_b), total_a
    else:
        first, second = A[np.ix_(y, i)].T, B[np.ix_(y, j)].T
        total = first.sum(axis=0)
        second = second * (total / second.sum(axis=0))
    tol = tol * math.log(2.0)
    if dense and len(A) == 2 and A.shape[1] * B.shape[1] <= FEW:
        found = tiny_minimum(A, B)
        if found is not None and found[1] - found[0] <= min(tol, goal):
            return _in_bits(*found, total, 0)
    exact = binary_minimum(first, second) if len(total) == 2 else None
    if exact is not None and exact[2].gap <= min(tol, goal):
        bounds, n_iter = exact[2], 0
    else:
        with single_thread():
            bounds, n_iter = _solve_large(first, second, goal, tol, max_iter)
    if whole:
        coupling = bounds.coupling.transpose(1, 0, 2)
    else:
        coupling = np.zeros((len(A), A.shape[1], B.shape[1]))
        coupling[np.ix_(y, i, j)] = bounds.coupling.transpose(1, 0, 2)
    violation = max(
        float(np.abs(coupling.sum(axis=2) - A).max()),
        float(np.abs(coupling.sum(axis=1) - B).max()),
    )
    return _in_bits(
        bounds.lower, bounds.upper, bounds.size, coupling, violation, total, n_iter
    )


def _in_bits(
    lower: float,
    upper: float,
    size: float,
    coupling: np.ndarray,
    violation: float,
    total: np.ndarray,
    n_iter: int,
) -> MinimumInformation:
    entropy = -math.fsum(p * math.log(p) for p in total.tolist())
    # What the sums in both bounds may lose; where the bounds agree to the last digit,
    # this is what remains uncertain.
    rounding = 8.0 * EPS * size
    return MinimumInformation(
        value=max(0.0, (upper + entropy) / math.log(2.0)),
        duality_gap=(max(0.0, upper - lower) + rounding) / math.log(2.0),
        coupling=coupling,
        marginal_violation=violation,
        n_iter=n_iter,
    )


def _solve_large(
    first: np.ndarray, second: np.ndarray, goal: float, tol: float, max_iter: int
) -> tuple[Bounds, int]:
    """Solve without entries that are too small, with equal states merged.

    Parameters
    ----------
    first, second : ndarray of shape (n1, K) and (n2, K)
        Tables with a state in each row.
    goal, tol : float
        In nats.
    max_iter : int
        As above.

    Returns
    -------
    bounds : Bounds
        Of the tables as they came.
    n_iter : int
        Iterations.
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
    L_small, M_small, solved, n_iter = _solve(small1, small2, goal, tol, max_iter)
    same = len(small1) == len(first) and len(small2) == len(second)
    if same and not (hidden1 or hidden2):
        # The states are in another order, which does not change the bounds.
        coupling = solved.coupling[group1][:, :, group2]
        return solved._replace(coupling=coupling), n_iter

    L, M = np.full(first.shape, -np.inf), np.full(second.shape, -np.inf)
    L[:, y] = np.where(large1 > 0, L_small[group1], -np.inf)
    M[:, y] = np.where(large2 > 0, M_small[group2], -np.inf)
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
    """Merge states of equal posterior.

    Parameters
    ----------
    table : ndarray of shape (n, K)
        Joint probabilities.

    Returns
    -------
    group : ndarray of int of shape (n,)
        Number of the merged state, -1 for states without mass.
    merged : ndarray of shape (n_groups, K)
        In an order that does not depend on the order of ``table``.
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
) -> tuple[np.ndarray, np.ndarray, Bounds, int]:
    """Potentials (n1, K) and (n2, K), bounds and iterations."""
    if len(second) == 1 or len(first) == 1:
        # One source says nothing: the coupling is forced, the posterior of the other
        # source is its own optimal potential.
        with np.errstate(divide="ignore"):
            L = np.log(first / first.sum(axis=1, keepdims=True))
            M = np.log(second / second.sum(axis=1, keepdims=True))
        if len(second) == 1:
            M = np.zeros_like(M)
        else:
            L = np.zeros_like(L)
        Q = first[:, :, None] * (second / second.sum(axis=0)).T
        bounds = certify(
            first, np.ascontiguousarray(second.T), L, np.ascontiguousarray(M.T), Q
        )
        return L, M, bounds, 0
    # The states of the longer source are eliminated, which is cheaper.
    if len(first) < len(second):
        M, L, bounds, n_iter = _solve(second, first, goal, tol, max_iter)
        turned = bounds._replace(coupling=bounds.coupling.transpose(2, 1, 0))
        return L, M, turned, n_iter
    solution = interior_point(
        first, np.ascontiguousarray(second.T), min(tol, goal), tol, max_iter
    )
    return solution.L, solution.M.T, solution.bounds, solution.n_iter
