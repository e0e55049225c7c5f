"""Two-sided bounds of the minimum information, from any point of a solver.

Arrays of one problem are laid out with the classes in the middle: ``A`` (n1, K) and
``B`` (K, n2) are the marginals ``P(x1, y)`` and ``P(x2, y)``, ``L`` and ``M`` their
dual potentials, ``Q`` (n1, K, n2) a coupling. Informations are in nats.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr

# Violation of a marginal that cannot be told from none.
ROUNDING = 1e-17
# Violation of the dual constraints in nats, relative to which every sum here loses
# more.
NEGLIGIBLE = 1e-15
# Violation of a marginal, relative, that is left as it is: four units of the last
# place. The minimum is convex in the marginals with the potentials as a subgradient, so
# that it changes the upper bound by this times ``Bounds.size`` at most, which is half
# of what union_information allows for rounding.
LAST_PLACES = 8.9e-16


class Bounds(NamedTuple):
    """A feasible coupling, and the enclosure of the minimum that it proves.

    The coupling (n1, K, n2) is feasible but for the last places. ``size`` is the sum of
    the absolute terms of ``lower``, in units of whose last place the sums round.
    """

    lower: float
    upper: float
    coupling: np.ndarray
    size: float

    @property
    def gap(self) -> float:
        """Certified gap in nats."""
        return self.upper - self.lower


class Solution(NamedTuple):
    """Best certified point: bounds, potentials and number of iterations."""

    bounds: Bounds
    L: np.ndarray
    M: np.ndarray
    n_iter: int

    @property
    def gap(self) -> float:
        """Certified gap in nats."""
        return self.bounds.gap


def cell_softmax(L: np.ndarray, M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``logsumexp_y(L + M)`` (n1, n2) and ``softmax_y(L + M)`` (n1, K, n2).

    ``-inf`` and zeros in cells that no class can reach.
    """
    p = L[:, :, None] + M
    top = p.max(axis=1)
    # The logarithm of the mass of a dead cell is that of zero.
    dead, level = np.isneginf(top), top
    # Most tables have none, and most calls are for small tables.
    some = dead.any()
    if some:
        level = np.where(dead, 0.0, top)
    p -= level[:, None, :]
    np.exp(p, out=p)
    total = p.sum(axis=1)
    if some:
        total[dead] = 1.0
    p /= total[:, None, :]
    return top + np.log(total), p


def negative_entropy(Q: np.ndarray) -> float:
    """Negative conditional entropy ``-H_Q(Y | X1, X2)`` in nats."""
    return float(rel_entr(Q, Q.sum(axis=1)[:, None, :]).sum())


def certify(
    A: np.ndarray,
    B: np.ndarray,
    L: np.ndarray,
    M: np.ndarray,
    Q: np.ndarray,
    rounds: int = 2,
) -> Bounds:
    """Bound the minimum of ``-H_Q(Y | X1, X2)`` from both sides.

    For every feasible Q and all potentials, by Gibbs' inequality in each cell,
    ``sum_y q (log q - log q_cell - L - M) >= -q_cell g`` with
    ``g = logsumexp_y(L + M)``. Summed over the cells,
    ``-H_Q(Y | X1, X2) >= sum A L + sum B M - sum_cell q_cell g``, and the last sum is
    at most ``sum_i P(x1=i) c_i + sum_j P(x2=j) d_j`` where ``c_i + d_j >= g(i, j)``.
    Nothing is assumed about where the potentials come from.
    """
    if len(M) == 2:
        g = np.logaddexp(L[:, :1] + M[0], L[:, 1:] + M[1])
    else:
        g, _ = cell_softmax(L, M)
    mass_a = A.sum(axis=1)
    # Every d gives a valid c.
    cost = float((g.max(axis=1) * mass_a).sum())
    if cost > NEGLIGIBLE:
        mass_b = B.sum(axis=0)
        # A violation is cheap on the side of the rarer state.
        rarer = np.where(mass_b < mass_a[:, None], np.maximum(g, 0.0), 0.0)
        shifts = (g.max(axis=0), rarer.max(axis=0))
        cost = min(cost, *((g - d).max(axis=1) @ mass_a + d @ mass_b for d in shifts))
    with np.errstate(invalid="ignore"):
        terms_a, terms_b = A * L, B * M
    lower = float(terms_a.sum() + terms_b.sum())
    if not math.isfinite(lower):
        # Zero times infinity is zero.
        terms_a, terms_b = np.where(A > 0, terms_a, 0.0), np.where(B > 0, terms_b, 0.0)
        lower = float(terms_a.sum() + terms_b.sum())
    size = float(np.abs(terms_a).sum() + np.abs(terms_b).sum())
    coupling = repair(A, B, Q, rounds)
    return Bounds(lower - cost, negative_entropy(coupling), coupling, size)


def repair(A: np.ndarray, B: np.ndarray, Q: np.ndarray, rounds: int = 2) -> np.ndarray:
    """Give a nearly feasible coupling its exact marginals.

    Each class is first multiplied by ``1 + alpha_i + beta_j``, solved from the linear
    equations of its marginals. Such factors change the mass where the mass is, so at
    the optimum, where the gradient of the objective is ``L + M``, they cost only
    second order in the violation; a shift of mass into empty cells would cost first
    order times a large logarithm. What rounding leaves is then moved by scaling down
    and adding an outer product, which ends feasible from any start.
    """
    rows, columns = Q.sum(axis=2), Q.sum(axis=0)
    if (LAST_PLACES * A - np.abs(rows - A)).min() >= 0 and (
        LAST_PLACES * B - np.abs(columns - B)
    ).min() >= 0:
        return Q
    for _ in range(rounds):
        Q = Q * _factors(A, B, Q, rows, columns)
        rows, columns = Q.sum(axis=2), Q.sum(axis=0)
        if max(np.abs(A - rows).max(), np.abs(B - columns).max()) < ROUNDING:
            break
    Q = Q * np.minimum(1.0, A / np.where(rows > 0, rows, 1.0))[:, :, None]
    columns = Q.sum(axis=0)
    Q *= np.minimum(1.0, B / np.where(columns > 0, columns, 1.0))
    short_a = np.maximum(A - Q.sum(axis=2), 0.0)
    short_b = np.maximum(B - Q.sum(axis=0), 0.0)
    total = short_b.sum(axis=1)
    share = short_b / np.where(total > 0, total, 1.0)[:, None]
    return Q + short_a[:, :, None] * share


def _factors(
    A: np.ndarray, B: np.ndarray, Q: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Multipliers ``1 + alpha_i + beta_j`` per class, within [0.1, 10]."""
    n2 = Q.shape[2]
    q = np.ascontiguousarray(Q.transpose(1, 0, 2))
    rows = rows.T
    miss_a, miss_b = A.T - rows, B - columns
    inverse = 1.0 / np.where(rows > 0, rows, 1.0)
    # Eliminate alpha. The remaining Laplacian has the gauge beta + const as its null
    # vector, which the outer product fills in.
    matrix = -(q.transpose(0, 2, 1) * inverse[:, None, :]) @ q
    total = columns.sum(axis=1)
    gauge = np.where(total > 0, total, 1.0)[:, None, None]
    matrix += columns[:, :, None] * columns[:, None, :] / gauge
    diagonal = np.where(columns > 0, columns, 1.0)
    # Parts of the support that only rounding connects make it singular once more; a
    # few units of the last place are invisible elsewhere.
    matrix.reshape(len(q), -1)[:, :: n2 + 1] += diagonal * (1.0 + 1e-14)
    scale = 1.0 / np.sqrt(diagonal)
    matrix *= scale[:, :, None] * scale[:, None, :]
    right = miss_b - ((inverse * miss_a)[:, None, :] @ q)[:, 0]
    try:
        beta = scale * np.linalg.solve(matrix, (scale * right)[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return np.ones_like(Q)
    alpha = inverse * (miss_a - (q @ beta[:, :, None])[:, :, 0])
    return np.clip(1.0 + alpha.T[:, :, None] + beta, 0.1, 10.0)


def fill_potentials(L: np.ndarray, M: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Potentials of entries that were too small to be solved for.

    Any value is valid. This one is as high as it may be without the entry being seen
    in the sums over classes: ``exp(-40)`` is below the last place of 1.
    """
    top = M.max(axis=0)
    return np.where(
        np.isneginf(L) & (table > 0), -40.0 - np.where(np.isneginf(top), -20.0, top), L
    )
