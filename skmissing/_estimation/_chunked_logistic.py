"""Ridge logistic regression on tables that are read chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from scipy.special import expit

from .._utils._random import local_random_state
from ._tuned_logistic import TunedLogistic, WeightedTable, draw_rows

# Rows on which the penalty is chosen and the first coefficients are found. Their error
# is so small that Newton's method needs about two passes over all rows.
START_ROWS = 200_000
MAX_PASSES = 50
# Twice the mean loss that one more step could gain: the step after it would
# change no propensity by 1e-6.
DECREMENT = 1e-7


class ChunkedRows(Protocol):
    """A table of which only some rows are in memory at a time."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Some rows, by their numbers."""

    def chunks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All rows in their order."""


def fit_by_chunks(
    X: ChunkedRows,
    rest: WeightedTable,
    trains: list[np.ndarray],
    seed: int,
    alpha: float | None = None,
) -> list[TunedLogistic]:
    """A model for each mask of training rows; all of them share the passes.

    ``rest`` has classes, weights and groups of the rows, of which ``y`` is boolean.
    """
    models, searches = [], []
    for train in trains:
        rows = _draw(rest, np.flatnonzero(train), seed)
        small = rest.take(rows)._replace(X=X[rows])
        model = TunedLogistic(alpha=alpha, random_state=seed).fit(*small)
        models.append(model)
        start = np.append(*model.model_.coefficients)
        searches.append(_Newton(start, model.alpha_, rest.weight @ train))
    going = list(zip(searches, trains))
    for _ in range(MAX_PASSES):
        for part, values in X.chunks():
            table = np.empty((values.shape[1] + 1, len(values)))
            table[:-1], table[-1] = values.T, 1.0
            y = rest.y[part].astype(np.float64)
            for search, train in going:
                search.add(table, y, rest.weight[part] * train[part])
        going = [(search, train) for search, train in going if not search.step()]
        if not going:
            break
    for model, search in zip(models, searches):
        model.model_.coefficients = search.point[:-1], search.point[-1:]
    return models


def _draw(rest: WeightedTable, train: np.ndarray, seed: int) -> np.ndarray:
    """Numbers of START_ROWS training rows, with all of a class that is rare."""
    if len(train) <= START_ROWS:
        return train
    groups = None if rest.groups is None else rest.groups[train]
    rng = local_random_state(seed)
    rows = train[np.sort(draw_rows(groups, len(train), rng, START_ROWS))]
    for label in (False, True):
        members = train[rest.y[train] == label]
        if len(members) < START_ROWS // 1000:
            rows = np.union1d(rows, members)
    return rows


class _Newton:
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
