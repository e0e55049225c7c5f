"""Ridge logistic regression on tables that are read chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from .._utils._random import local_random_state
from ._newton_search import MAX_PASSES, NewtonSearch
from ._tuned_logistic import TunedLogistic, WeightedTable, draw_rows

# Rows on which the penalty is chosen and the first coefficients are found. Their error
# is so small that Newton's method needs about two passes over all rows.
START_ROWS = 200_000


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
        searches.append(NewtonSearch(start, model.alpha_, rest.weight @ train))
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
