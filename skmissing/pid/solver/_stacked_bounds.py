"""Bounds of the minimum information for a stack of tables of one shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr

from ._certificate import LAST_PLACES

# Cost of violated constraints in nats, a part of the gap aimed at, from which on it is
# worth while to look for a lower one.
DEAR = 2e-14
TINY = np.finfo(np.float64).tiny
# Share of a marginal that may be missing for one round of factors to be enough.
FAR = 1e-9


class StackedBounds(NamedTuple):
    """Enclosures in nats and couplings (T, K, N), as in ``Bounds`` for one table."""

    lower: np.ndarray
    upper: np.ndarray
    coupling: np.ndarray
    size: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Certified gaps in nats."""
        return self.upper - self.lower

    @classmethod
    def unknown(cls, n_tables: int, n_classes: int, n_cells: int) -> StackedBounds:
        """Infinite bounds, to be filled in."""
        lower = np.full(n_tables, -np.inf)
        coupling = np.zeros((n_tables, n_classes, n_cells))
        return cls(lower, -lower, coupling, np.zeros(n_tables))

    def put(self, where: np.ndarray, found: StackedBounds) -> None:
        """Fill in what was found for some tables."""
        for mine, new in zip(self, found, strict=True):
            mine[where] = new


@lru_cache(maxsize=32)
def cell_matrix(n1: int, n2: int) -> np.ndarray:
    """Which of the n1 + n2 states make which of the n1 n2 cells, 0 and 1."""
    i, j = np.divmod(np.arange(n1 * n2), n2)
    states = np.arange(n1 + n2)[:, None]
    cells = ((states == i) | (states == n1 + j)).astype(np.float64)
    cells.flags.writeable = False
    return cells


def softmax(
    x: np.ndarray, cells: np.ndarray, zeros: bool, product: Callable = np.matmul
) -> tuple[np.ndarray, np.ndarray]:
    """``logsumexp_y`` (..., N) and softmax (..., K, N) of the potentials of each cell.

    Potentials are near feasible here, so that no maximum need be taken out. Cells that
    no class can reach get the logarithm of the smallest number, and shares of 0.
    """
    if zeros:
        # The product with a zero of ``cells`` would be NaN.
        x = np.maximum(x, -1e4)
    p = product(x, cells)
    np.exp(p, out=p)
    total = np.add.reduce(p, axis=-2)
    if zeros:
        np.maximum(total, TINY, out=total)
    p /= total[..., None, :]
    return np.log(total, out=total), p


def gauge(AB: np.ndarray, n1: int) -> np.ndarray:
    """What makes the matrices of the marginals of a class regular, (T, K, m, m).

    To add a number to all potentials of one source in a class and to subtract it from
    those of the other changes nothing. An outer product of the masses fills that in;
    entries that are no variables get a unit diagonal.
    """
    total = np.add.reduce(AB[:, :, :n1], axis=2, keepdims=True)
    null = AB / np.sqrt(total)
    null[:, :, n1:] *= -1.0
    out = null[:, :, :, None] * null[:, :, None]
    m = AB.shape[2]
    diagonal = out.reshape(*AB.shape[:2], m * m)[:, :, :: m + 1]
    np.add(diagonal, AB == 0.0, out=diagonal)
    return out


def certify_stack(
    AB: np.ndarray, x: np.ndarray, Q: np.ndarray, g: np.ndarray, null: np.ndarray
) -> StackedBounds:
    """Bound the minimum of ``-H_Q(Y | X1, X2)`` of each table, as ``certify`` does.

    ``g`` (T, n1, n2) is the logarithm that ``softmax`` finds for the potentials ``x``,
    ``Q`` (T, K, N) a coupling, ``null`` what ``gauge`` returns.
    """
    n1 = g.shape[1]
    mass = AB.sum(axis=1)
    mass_a, mass_b = mass[:, :n1], mass[:, n1:]
    # Every d gives a valid c.
    cost = (g.max(axis=2) * mass_a).sum(axis=1)
    dear = cost > DEAR
    if dear.any():
        # A violation is cheap on the side of the rarer state.
        rarer = np.where(mass_b[:, None] < mass_a[:, :, None], np.maximum(g, 0.0), 0.0)
        for d in (g.max(axis=1), rarer.max(axis=1)):
            c = (g - d[:, None]).max(axis=2)
            other = (c * mass_a).sum(axis=1) + (d * mass_b).sum(axis=1)
            np.copyto(cost, other, where=dear & (other < cost))
    terms = AB * x
    if not AB.all():
        # Zero times infinity is zero.
        terms[AB == 0.0] = 0.0
    terms = terms.reshape(len(AB), -1)
    lower = terms.sum(axis=1) - cost
    size = np.abs(terms).sum(axis=1)
    coupling = repair_stack(AB, Q, n1, null)
    whole = coupling.sum(axis=1)
    upper = rel_entr(coupling, whole[:, None]).reshape(len(AB), -1).sum(axis=1)
    return StackedBounds(lower, upper, coupling, size)


def repair_stack(
    AB: np.ndarray, Q: np.ndarray, n1: int, null: np.ndarray
) -> np.ndarray:
    """Give nearly feasible couplings their exact marginals, as ``repair`` does."""
    states = cell_matrix(n1, AB.shape[2] - n1).T
    found = Q @ states
    off = _off(AB, found, LAST_PLACES)
    if not off.all():
        if off.any():
            Q = Q.copy()
            Q[off] = repair_stack(AB[off], Q[off], n1, null[off])
        return Q
    Q = _scale(AB, Q, found, n1, null)
    found = Q @ states
    # The square of what was missing is missing now.
    again = _off(AB, found, FAR)
    if again.any():
        Q[again] = _scale(AB[again], Q[again], found[again], n1, null[again])
        found = Q @ states
    return settle(AB, Q, found, n1)


def _off(AB: np.ndarray, found: np.ndarray, share: float) -> np.ndarray:
    """Tables with a marginal that is off by more than a share of it."""
    off = np.abs(found - AB) > share * AB
    return np.logical_or.reduce(off.reshape(len(off), -1), axis=1)


def _scale(
    AB: np.ndarray, Q: np.ndarray, found: np.ndarray, n1: int, null: np.ndarray
) -> np.ndarray:
    """Multiply by ``1 + alpha + beta``, from the linear equations of the marginals."""
    T, K, m = AB.shape
    matrix = null.copy()
    shares = Q.reshape(T, K, n1, m - n1)
    matrix[:, :, :n1, n1:] += shares
    matrix[:, :, n1:, :n1] += shares.transpose(0, 1, 3, 2)
    diagonal = matrix.reshape(T, K, m * m)[:, :, :: m + 1]
    diagonal += found
    diagonal *= 1.0 + 1e-14
    step = solve(matrix, (AB - found)[:, :, :, None])[:, :, :, 0]
    factor = 1.0 + step @ cell_matrix(n1, m - n1)
    # The minimum ignores what is not a number.
    return Q * np.fmin(np.fmax(factor, 0.1), 10.0)


def settle(AB: np.ndarray, Q: np.ndarray, found: np.ndarray, n1: int) -> np.ndarray:
    """Scale down what is too much and distribute what is short, class by class."""
    T, K, m = AB.shape
    A, B = AB[:, :, :n1], AB[:, :, n1:]
    # The minimum ignores 0 / 0.
    rows = np.fmin(A / found[:, :, :n1], 1.0)
    Q = Q.reshape(T, K, n1, m - n1) * rows[:, :, :, None]
    Q *= np.fmin(B / np.add.reduce(Q, axis=2), 1.0)[:, :, None]
    short_a = np.maximum(A - np.add.reduce(Q, axis=3), 0.0)
    short_b = np.maximum(B - np.add.reduce(Q, axis=2), 0.0)
    total = np.add.reduce(short_b, axis=2, keepdims=True)
    short_b /= np.maximum(total, TINY)
    Q += short_a[:, :, :, None] * short_b[:, :, None]
    return Q.reshape(T, K, n1 * (m - n1))


def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve each of a stack of systems; NaN where a matrix is singular."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        # One singular matrix stops all of them; the others are solved one by one.
        if matrix.ndim == 2:
            return np.full_like(right, np.nan)
        return np.stack([solve(m, r) for m, r in zip(matrix, right)])
