"""Primal-dual interior-point method for the minimum of the joint information."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._certificate import Bounds, cell_softmax, certify
from ._newton import NewtonSystem


class Solution(NamedTuple):
    """Best certified point of a run.

    Attributes
    ----------
    bounds : Bounds
        Of ``-H_Q(Y | X1, X2)``, nats.
    L : ndarray of shape (n1, K)
        Potentials of the first source.
    M : ndarray of shape (K, n2)
        Potentials of the second source.
    n_iter : int
        Newton systems factorised.
    """

    bounds: Bounds
    L: np.ndarray
    M: np.ndarray
    n_iter: int


def interior_point(
    A: np.ndarray, B: np.ndarray, goal: float, max_iter: int
) -> Solution:
    """Maximise the dual and recover the coupling.

    Parameters
    ----------
    A : ndarray of shape (n1, K)
        ``P(x1, y)``, no all-zero row or column.
    B : ndarray of shape (K, n2)
        ``P(x2, y)``, with the class totals of ``A``.
    goal : float
        Certified gap at which to stop, nats.
    max_iter : int
        Largest number of iterations.

    Returns
    -------
    Solution

    Notes
    -----
    Maximise ``sum A L + sum B M`` subject to
    ``g(i, j) = logsumexp_y(L[i, y] + M[y, j]) <= 0`` in every cell. The multipliers R
    of the constraints are the marginal ``Q(x1, x2)``, ``p = softmax_y(L + M)`` is
    ``Q(y | x1, x2)``. Slacks ``s`` are variables of their own, with the residual
    ``g + s``: a path that had to keep ``g < 0`` by line search takes many times the
    iterations. The steps are those of Mehrotra's predictor and corrector.
    """
    start_a, start_b = A.sum(axis=1), B.sum(axis=0)
    # Cells that no class can reach are no constraints. They stay in the arrays with
    # R = 0 and s = 1, where they add nothing to any sum.
    alive = (A > 0).astype(np.float64) @ (B > 0) > 0
    with np.errstate(divide="ignore"):
        # Naive Bayes, and then down until strictly feasible.
        L = np.log(A / start_a[:, None])
        M = np.log(B / B.sum(axis=1)[:, None]) - np.log(start_b)
    g, p = cell_softmax(L, M)
    down = g.max(axis=1) + 0.1
    L -= down[:, None]
    g -= down[:, None]
    R = np.where(alive, start_a[:, None] * start_b, 0.0)
    s = np.where(alive, -g, 1.0)
    # Cells weigh in the barrier as much as in the start. With equal weights the cells
    # of rare states would have to rise from their own size to that of the others.
    weight = R / R.sum()

    best: Solution | None = None
    failures = 0
    for n_iter in range(max_iter + 1):
        product = float((R * s).sum())
        # The sum of R s is the gap but for residuals. Bounds cost about as much as a
        # tenth of an iteration, so they wait until they have a chance.
        if product < 100.0 * goal or n_iter == max_iter:
            bounds = certify(A, B, L, M, R[:, None, :] * p)
            gap = bounds.upper - bounds.lower
            old = np.inf if best is None else best.bounds.upper - best.bounds.lower
            if gap < old:
                best = Solution(bounds, L, M, n_iter)
            failures = 0 if gap < 0.5 * old else failures + 1
            # Rounding stops the progress somewhere: three in a row are enough.
            if gap <= goal or failures == 3:
                break
        if n_iter == max_iter:
            break
        L, M, R, s = _iterate(A, B, L, M, R, s, g, p, alive, weight, product)
        g, p = cell_softmax(L, M)
        slack = alive & (-g > 0.1 * s)
        s[slack] = -g[slack]
    assert best is not None
    return best._replace(n_iter=n_iter)


def _iterate(
    A: np.ndarray,
    B: np.ndarray,
    L: np.ndarray,
    M: np.ndarray,
    R: np.ndarray,
    s: np.ndarray,
    g: np.ndarray,
    p: np.ndarray,
    alive: np.ndarray,
    weight: np.ndarray,
    gap: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One predictor and corrector step from ``(L, M, R, s)``."""
    system = NewtonSystem(p, R, s, B > 0)
    residual = np.where(alive, g + s, 0.0)

    def direction(
        product: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Step that aims at ``R s = product`` to first order."""
        load = p * ((product + R * residual) / s)[:, None, :]
        dL, dM, mean = system.solve(A - load.sum(axis=2), B - load.sum(axis=0))
        ds = np.where(alive, -residual - mean, 0.0)
        return dL, dM, ds, (product - R * (s + ds)) / s

    _, _, ds, dR = direction(np.zeros_like(R))
    dual, primal = min(1.0, _reach(s, ds)), min(1.0, _reach(R, dR))
    ahead = float(((R + primal * dR) * (s + dual * ds)).sum())
    centre = max(gap * (ahead / gap) ** 3, KAPPA * float((R * np.abs(residual)).sum()))
    dL, dM, ds, dR = direction(centre * weight - dR * ds)
    # Mass that is far too small makes the linearised exponential overshoot by orders
    # of magnitude. Such entries move one by one to where the exponential itself would
    # be right, and none falls by more than 5; scaling the whole step down instead
    # would let one entry of negligible mass stop all others.
    dL, dM = _temper(dL), _temper(dM)
    ds = np.where(alive, -residual - (p * (dL[:, :, None] + dM)).sum(axis=1), 0.0)
    dual = min(1.0, STAY_INSIDE * _reach(s, ds))
    # Not longer than the dual step: its equations are linearised at the old potentials.
    primal = min(STAY_INSIDE * _reach(R, dR), dual)
    return L + dual * dL, M + dual * dM, R + primal * dR, s + dual * ds


def _temper(step: np.ndarray) -> np.ndarray:
    return np.where(step > 1.0, 1.0 + np.log(np.maximum(step, 1.0)), np.maximum(step, -5.0))


KAPPA = 0.1
# Share of the way to the boundary.
STAY_INSIDE = 0.99


def _reach(x: np.ndarray, dx: np.ndarray) -> float:
    """Largest step that keeps ``x + step dx`` non-negative."""
    falling = dx < 0
    if not falling.any():
        return np.inf
    return float((x[falling] / -dx[falling]).min())
