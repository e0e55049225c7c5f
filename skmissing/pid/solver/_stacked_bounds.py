"""Bounds of the minimum information for a stack of tables of one shape."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.special import rel_entr

from ._certificate import LAST_PLACES
from ._together import Together, ones

# Cost of violated constraints in nats, a part of the gap aimed at, from which on it is
# worth while to look for a lower one.
DEAR = 2e-14
TINY = np.finfo(np.float64).tiny
# Factor of a diagonal, in an array since numpy takes longer to read a number.
LIFTED = np.array(1.0 + 1e-14)
# Shares of a marginal that may be missing for no round of factors to be needed, and for
# one to be enough. What is moved without factors costs almost nothing where there is
# mass.
NEAR = 1e-13
FAR = 1e-9


class StackedBounds(NamedTuple):
    """Enclosures in nats and couplings (T, K, N), as in ``Bounds`` for one table.

    Of a single table, numbers and a coupling (K, N).
    """

    lower: Any
    upper: Any
    coupling: np.ndarray
    size: Any

    @property
    def gap(self) -> Any:
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


def gauge(AB: np.ndarray, n1: int, ops: Any = Together) -> np.ndarray:
    """What makes the matrices of the marginals of a class regular, (..., K, m, m).

    To add a number to all potentials of one source in a class and to subtract it from
    those of the other changes nothing. An outer product of the masses fills that in;
    entries that are no variables get a unit diagonal.
    """
    null = AB / np.sqrt(class_totals(AB, n1, ops))
    second = null[..., n1:]
    np.negative(second, second)
    out = null[..., :, None] * null[..., None, :]
    if ops.any(ops.least(AB) == 0.0):
        diagonal = diagonals(out)
        np.add(diagonal, AB == 0.0, out=diagonal)
    return out


def class_totals(AB: np.ndarray, n1: int, ops: Any) -> np.ndarray:
    """Masses of the classes, for each state."""
    return ops.product(AB[..., :n1], ones(n1, AB.shape[-1]))


def diagonals(matrices: np.ndarray) -> np.ndarray:
    """The diagonals of matrices, as a view."""
    *lead, m, _ = matrices.shape
    return matrices.reshape(*lead, m * m)[..., :: m + 1]


def certify_stack(
    AB: np.ndarray,
    x: np.ndarray,
    Q: np.ndarray,
    g: np.ndarray,
    null: np.ndarray,
    ops: Any = Together,
) -> StackedBounds:
    """Bound the minimum of ``-H_Q(Y | X1, X2)`` of each table, as ``certify`` does.

    ``g`` (..., n1, n2) is the logarithm that ``softmax`` finds for the potentials
    ``x``, ``Q`` (..., K, N) a coupling, ``null`` what ``gauge`` returns.
    """
    n1 = g.shape[-2]
    mass = ops.of_table(ops.over_classes(AB))
    mass_a, mass_b = mass[..., :n1], mass[..., n1:]
    # Every d gives a valid c.
    cost = ops.inner(np.maximum.reduce(g, axis=-1), mass_a)
    dear = cost > DEAR
    if ops.any(dear):
        # A violation is cheap on the side of the rarer state.
        rarer = np.maximum(g, 0.0)
        rarer *= mass_b[..., None, :] < mass_a[..., :, None]
        for one in (g, rarer):
            d = np.maximum.reduce(one, axis=-2)
            c = np.maximum.reduce(g - d[..., None, :], axis=-1)
            other = ops.inner(c, mass_a) + ops.inner(d, mass_b)
            cost = ops.minimum(cost, np.where(dear, other, np.inf))
    if ops.any(ops.least(AB) == 0.0):
        # Zero times infinity is zero.
        x = np.where(AB == 0.0, 0.0, x)
    lower = ops.inner(AB, x) - cost
    size = ops.inner(AB, np.abs(x))
    coupling = repair_stack(AB, Q, n1, null, ops)
    whole = ops.wide(ops.over_classes(coupling))
    upper = ops.total(rel_entr(coupling, whole))
    lower, upper, size = map(ops.number, (lower, upper, size))
    return StackedBounds(lower, upper, coupling, size)


def repair_stack(
    AB: np.ndarray, Q: np.ndarray, n1: int, null: np.ndarray, ops: Any = Together
) -> np.ndarray:
    """Give nearly feasible couplings their exact marginals, as ``repair`` does."""
    states = cell_matrix(n1, AB.shape[-1] - n1).T
    found = ops.product(Q, states)
    off = _off(AB, found, LAST_PLACES, ops)
    if not ops.all(off):
        if ops.any(off):
            some, Q = ops.number(off), Q.copy()
            Q[some] = repair_stack(AB[some], Q[some], n1, null[some])
        return Q
    # The square of what was missing is missing after the first round.
    for share in (NEAR, FAR):
        far = _off(AB, found, share, ops)
        if ops.any(far):
            more = _scale(AB, Q, found, n1, null, ops)
            Q = more if ops.all(far) else np.where(far[:, None], more, Q)
            found = ops.product(Q, states)
    return settle(AB, Q, found, n1, ops)


def _off(AB: np.ndarray, found: np.ndarray, share: float, ops: Any) -> Any:
    """Tables with a marginal that is off by more than a share of it."""
    off = np.abs(found - AB)
    off -= AB * share
    return ops.largest(off) > 0.0


def _scale(
    AB: np.ndarray,
    Q: np.ndarray,
    found: np.ndarray,
    n1: int,
    null: np.ndarray,
    ops: Any,
) -> np.ndarray:
    """Multiply by ``1 + alpha + beta``, from the linear equations of the marginals."""
    m = AB.shape[-1]
    cells = cell_matrix(n1, m - n1)
    matrix = null.copy()
    shares = Q.reshape(*Q.shape[:-1], n1, m - n1)
    matrix[..., :n1, n1:] += shares
    matrix[..., n1:, :n1] += shares.swapaxes(-1, -2)
    diagonal = diagonals(matrix)
    diagonal += found
    diagonal *= LIFTED
    step = solve(matrix, (AB - found)[..., None])[..., 0]
    factor = 1.0 + ops.product(step, cells)
    # The minimum ignores what is not a number.
    return Q * np.fmin(np.fmax(factor, 0.1), 10.0)


def settle(
    AB: np.ndarray, Q: np.ndarray, found: np.ndarray, n1: int, ops: Any = Together
) -> np.ndarray:
    """Scale down what is too much and distribute what is short, class by class."""
    cells = cell_matrix(n1, AB.shape[-1] - n1)
    first, second = cells[:n1], cells[n1:]
    # The minimum ignores 0 / 0.
    Q = Q * ops.product(np.fmin(AB / found, 1.0)[..., :n1], first)
    share = np.fmin(AB / ops.product(Q, cells.T), 1.0)[..., n1:]
    Q *= ops.product(share, second)
    short = np.maximum(AB - ops.product(Q, cells.T), 0.0)
    short_b = short[..., n1:]
    total = ops.product(short_b, ones(short_b.shape[-1]))
    short_b /= np.maximum(total, TINY)[..., None]
    Q += ops.product(short[..., :n1], first) * ops.product(short_b, second)
    return Q


def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve each of a stack of systems; NaN where a matrix is singular."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        # One singular matrix stops all of them; the others are solved one by one.
        if matrix.ndim == 2:
            return np.full_like(right, np.nan)
        return np.stack([solve(m, r) for m, r in zip(matrix, right)])
