"""Two states of each source: Newton's method on the couplings."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._run import softmax
from ._stacked_bounds import StackedBounds, cell_matrix, certify_stack, gauge

# Tables take 3 to 10 steps, unless a cell is empty at the optimum: its mass falls by a
# share in each step, and the interior-point method is the better one.
STEPS = 12
EMPTY = 1e-5
# Share of the way to the boundary.
STAY = 0.9
# Slope in nats that is small enough for the gap aimed at.
FLAT = 5e-14
# Cells whose mass falls, and the others.
SIGN = np.array([[1.0], [-1.0], [-1.0], [1.0]])


def solve_square(A: np.ndarray, B: np.ndarray, ops: Any) -> tuple[StackedBounds, Any]:
    """Bounds of positive tables (..., K, 2), and the steps taken.

    The only free number of a class is the mass of its first cell. Where all cells have
    mass at the optimum, the slope is zero there. The second derivatives are a diagonal
    less a number, and the logarithms of ``Q(y | x1, x2)`` are potentials.
    """
    first, second = A.swapaxes(-1, -2), B.swapaxes(-1, -2)
    total = np.add.reduce(first, -2, keepdims=True)
    # Independent sources in each class.
    q = first[..., [0, 0, 1, 1], :] * second[..., [0, 1, 0, 1], :] / total
    n_steps: Any = 0
    for step in range(STEPS + 1):
        mass = np.add.reduce(q, -1, keepdims=True)
        u = np.log(q / mass)
        u0, u1, u2, u3 = (u[..., c, :] for c in range(4))
        slope = u0 - u1
        slope -= u2
        slope += u3
        done = (ops.largest(np.abs(slope)) <= FLAT) | (ops.least(mass) < EMPTY)
        n_steps = n_steps + (1 - done) * (step < STEPS)
        if step == STEPS or ops.all(done):
            break
        width = 1.0 / np.add.reduce(1.0 / q, -2)
        weight = np.add.reduce(1.0 / mass, -2)
        fall = width * slope
        total, mean = (np.add.reduce(z, -1, keepdims=True) for z in (width, fall))
        fall += width * (weight * mean / (1.0 - weight * total))
        change = SIGN * fall[..., None, :]
        fastest = ops.largest(change / q)
        change *= ops.wide(1.0 / ops.maximum(1.0, fastest / STAY))
        q = q - (np.where(ops.wide(done), 0.0, change) if ops.any(done) else change)
    # What is left of the slope is distributed, so that the cells agree.
    slope *= 0.25
    zero = np.zeros_like(slope)
    x = np.stack([u0 - slope, u2 + slope, zero, u1 - u0 + 2.0 * slope], -1)
    g, _ = softmax(ops.product(x, cell_matrix(2, 2)), False, ops)
    g = ops.of_table(g)
    AB = np.concatenate([A, B], axis=-1)
    g, null = g.reshape(*g.shape[:-1], 2, 2), gauge(AB, 2, ops)
    Q = np.ascontiguousarray(q.swapaxes(-1, -2))
    return certify_stack(AB, x, Q, g, null, ops), ops.number(n_steps)
