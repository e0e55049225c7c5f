"""Couplings with given marginals: scaling, its derivative, and a bound from below.

Arrays of one problem have the classes in front: kernels and couplings (K, n1, n2),
marginals (K, n1) and (K, n2). Everything is in nats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from ..solver import certify, negative_entropy, repair

# Rounds between two returns to log space, where scaling factors can neither overflow
# nor vanish.
ROUNDS = 20
# Relative ridge of the adjoint equations. Parts of the support that no mass connects
# make them singular, but consistent: any solution serves.
RIDGE = 1e-11
# Temperatures of the smooth maximum in the dual, nats, and L-BFGS iterations at each.
TEMPERATURES = (0.1, 0.01, 0.001)
ASCENT_STEPS = 40


class Scaled(NamedTuple):
    """A coupling ``exp(kernel + f + g)`` with (nearly) the wanted marginals.

    Those of the second source are exact; ``violation`` is the sum of absolute
    differences of those of the first.
    """

    coupling: np.ndarray
    f: np.ndarray
    g: np.ndarray
    violation: float


def sinkhorn(
    kernel: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    g: np.ndarray | None = None,
    *,
    tol: float,
    max_rounds: int,
) -> Scaled:
    """Scale each class to its marginals.

    Sinkhorn's algorithm in log space, stabilised: a round in log space, then some on
    the kernel that has the potentials in it, by matrix products, which are an order of
    magnitude faster; their factors then join the potentials.
    """
    log_first, log_second = np.log(first), np.log(second)
    g = np.zeros_like(second) if g is None else g
    done = 0
    while True:
        f = log_first - _logsumexp(kernel + g[:, None, :], axis=2)
        g = log_second - _logsumexp(kernel + f[:, :, None], axis=1)
        coupling = np.exp(kernel + f[:, :, None] + g[:, None, :])
        done += 1
        v = np.ones_like(second)
        for _ in range(min(ROUNDS, max_rounds - done)):
            rows = (coupling @ v[:, :, None])[:, :, 0]
            violation = np.abs(rows - first).sum()
            # Rows that have all but lost their mass need log space.
            if violation <= tol or rows.min() < 1e-100:
                break
            u = first / rows
            v = second / (u[:, None, :] @ coupling)[:, 0]
            done += 1
        g = g + np.log(v)
        f = log_first - _logsumexp(kernel + g[:, None, :], axis=2)
        g = log_second - _logsumexp(kernel + f[:, :, None], axis=1)
        coupling = np.exp(kernel + f[:, :, None] + g[:, None, :])
        done += 1
        violation = float(np.abs(coupling.sum(axis=2) - first).sum())
        if violation <= tol or done >= max_rounds:
            return Scaled(coupling, f, g, violation)


def _logsumexp(x: np.ndarray, axis: int) -> np.ndarray:
    # scipy's is general, and several times as slow on small arrays.
    top = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + top.squeeze(axis)


def log_conditional(coupling: np.ndarray) -> np.ndarray:
    """Logarithm of the class probabilities of each cell, 0 in cells without mass."""
    cell = coupling.sum(axis=0)
    share = coupling / np.where(cell > 0, cell, 1.0)
    return np.log(np.where(share > 0, share, 1.0))


def objective(coupling: np.ndarray) -> float:
    """Negative conditional entropy ``-H_Q(Y | X1, X2)``, nats."""
    return float((coupling * log_conditional(coupling)).sum())


class Slope(NamedTuple):
    """Derivative of the objective by the kernel, and adjoint variables L and M.

    The latter belong to the marginals, and estimate the dual potentials.
    """

    kernel: np.ndarray
    L: np.ndarray
    M: np.ndarray


def slope(coupling: np.ndarray) -> Slope:
    """Differentiate the objective at the fixed point of the scaling.

    A change ``d`` of the kernel changes the coupling by ``Q (d + df + dg)``, with
    ``df, dg`` such that no marginal changes. The objective has the derivative
    ``G = log Q(y | x1, x2)`` with respect to Q, so that its change is
    ``sum Q (G - L - M) d``, where ``L + M`` is the additive function of the two states
    that is nearest to G in the mean square under Q: the linear equations below. No
    rounds are kept for this, so memory is that of the coupling. At the minimum over
    all couplings ``G = L + M`` where there is mass: then L and M are the optimal dual
    potentials.
    """
    G = log_conditional(coupling)
    moment = coupling * G
    if coupling.shape[1] < coupling.shape[2]:
        M, L = _additive(coupling.transpose(0, 2, 1), moment.transpose(0, 2, 1))
    else:
        L, M = _additive(coupling, moment)
    return Slope(coupling * (G - L[:, :, None] - M[:, None, :]), L, M)


def _additive(q: np.ndarray, moment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve ``rows L + q M = right1``, ``q' L + columns M = right2`` per class."""
    rows, columns = q.sum(axis=2), q.sum(axis=1)
    right1, right2 = moment.sum(axis=2), moment.sum(axis=1)
    inverse = 1.0 / rows
    matrix = -(q.transpose(0, 2, 1) * inverse[:, None, :]) @ q
    # The gauge L + c, M - c is the null vector, which the outer product fills in.
    total = columns.sum(axis=1)[:, None, None]
    matrix += columns[:, :, None] * columns[:, None, :] / total
    diagonal = np.arange(q.shape[2])
    matrix[:, diagonal, diagonal] += columns * (1.0 + RIDGE)
    scale = 1.0 / np.sqrt(columns)
    matrix *= scale[:, :, None] * scale[:, None, :]
    right = right2 - ((inverse * right1)[:, None, :] @ q)[:, 0]
    M = scale * np.linalg.solve(matrix, (scale * right)[:, :, None])[:, :, 0]
    return inverse * (right1 - (q @ M[:, :, None])[:, :, 0]), M


class Enclosure(NamedTuple):
    """Bounds of the minimum of ``-H_Q(Y | X1, X2)``, and error of the worst marginal.

    ``upper`` is attained by the coupling after its marginals were made exact.
    """

    lower: float
    upper: float
    violation: float


def enclose(
    first: np.ndarray, second: np.ndarray, coupling: np.ndarray, *, bound: bool = True
) -> Enclosure:
    """Bound the minimum from both sides; without ``bound`` the lower one is NaN.

    All potentials give a lower bound. Those of :func:`slope` fit where the coupling has
    mass; a few steps of dual ascent, in which the maximum over cells is smooth, mend
    them where it has none.
    """
    Q = np.ascontiguousarray(coupling.transpose(1, 0, 2))
    A = np.ascontiguousarray(first.T)
    lower = np.nan
    if bound:
        start = slope(coupling)
        L, M = ascend(first, second, start.L, start.M)
        bounds = certify(A, second, np.ascontiguousarray(L.T), M, Q)
        lower, upper, exact = bounds.lower, bounds.upper, bounds.coupling
    else:
        exact = repair(A, second, Q)
        upper = negative_entropy(exact)
    errors = exact.sum(axis=2) - A, exact.sum(axis=0) - second
    violation = max(float(np.abs(error).max()) for error in errors)
    return Enclosure(lower, upper, violation)


def ascend(
    first: np.ndarray, second: np.ndarray, L: np.ndarray, M: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Raise the lower bound that potentials prove."""
    shape, cut = (len(first), first.shape[1] + second.shape[1]), first.shape[1]
    mass = first.sum(axis=0)
    share = np.log(second.sum(axis=0))

    def loss(flat: np.ndarray, heat: float) -> tuple[float, np.ndarray]:
        both = flat.reshape(shape)
        cells = both[:, :cut, None] + both[:, None, cut:]
        top = cells.max(axis=0)
        np.exp(cells - top, out=cells)
        total = cells.sum(axis=0)
        g = (top + np.log(total)) / heat + share
        worst = g.max(axis=1, keepdims=True)
        np.exp(g - worst, out=g)
        sums = g.sum(axis=1, keepdims=True)
        cost = heat * float(mass @ (worst + np.log(sums))[:, 0])
        value = float((both[:, :cut] * first).sum() + (both[:, cut:] * second).sum())
        cells *= g * (mass[:, None] / sums) / total
        slopes = np.concatenate(
            [cells.sum(axis=2) - first, cells.sum(axis=1) - second], axis=1
        )
        return cost - value, slopes.ravel()

    flat = np.concatenate([L, M], axis=1).ravel()
    for heat in TEMPERATURES:
        found = minimize(
            loss, flat, (heat,), method="L-BFGS-B", jac=True,
            options={"maxiter": ASCENT_STEPS, "maxcor": 20},
        )  # fmt: skip
        flat = found.x
    both = flat.reshape(shape)
    return both[:, :cut], both[:, cut:]
