"""Newton's method for logistic regression on rows that come in parts."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

MAX_PASSES = 50
# Twice the mean loss that one more step could gain: the step after it would
# change no propensity by 1e-6.
DECREMENT = 1e-7


class NewtonSearch:
    """Newton's method for the mean loss of logistic regression with a ridge penalty.

    The last coefficient is the intercept, which the penalty leaves out.
    """

    def __init__(self, start: np.ndarray, alpha: float, mass: float) -> None:
        self.point, self._mass = start, mass
        self._penalty = np.append(np.full(len(start) - 1, alpha), 0.0)
        self._former, self._former_loss = start, np.inf
        self._reset()

    def _reset(self) -> None:
        n = len(self.point)
        self._loss, self._slope, self._curvature = 0.0, np.zeros(n), np.zeros((n, n))

    def add(self, table: np.ndarray, y: np.ndarray, weight: np.ndarray) -> None:
        """Add some rows, the columns of ``table``, to the loss and its derivatives."""
        score = self.point @ table
        p = expit(score)
        self._loss += weight @ (np.logaddexp(0.0, score) - y * score)
        self._slope += table @ (weight * (p - y))
        scaled = table * np.sqrt(weight * p * (1.0 - p))
        self._curvature += scaled @ scaled.T

    def step(self) -> bool:
        """Go on after a pass over all rows; whether that was the last step."""
        penalty = self._penalty
        loss = self._loss / self._mass + 0.5 * penalty @ self.point**2
        slope = self._slope / self._mass + penalty * self.point
        curvature = self._curvature / self._mass + np.diag(penalty)
        self._reset()
        if loss > self._former_loss + 1e-12 * abs(loss):
            # Too far: half of the way.
            self.point = 0.5 * (self.point + self._former)
            return False
        direction = np.linalg.lstsq(curvature, slope, rcond=None)[0]
        self._former, self._former_loss = self.point, loss
        self.point = self.point - direction
        return bool(slope @ direction < DECREMENT)
