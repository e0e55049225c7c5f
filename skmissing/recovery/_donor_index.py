"""Nearest donors by trees, where rows are many and features few."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

# Squared distances that differ by less are ties: sums of products come out slightly
# different in batches of another size. Standardised features are of size 1.
TIE_DECIMALS = 9
# Fewer donors are compared one by one, and so are rows of more features, of which a
# tree has to look at most.
LEAST_DONORS, MOST_FEATURES = 4096, 16
# Different patterns of donors, each of which needs trees of its own.
MOST_PATTERNS = 64
# Neighbours beyond those wanted, among which ties are found.
EXTRA = 3


class Group(NamedTuple):
    """Donors that have the same modalities."""

    rows: np.ndarray
    has: np.ndarray


class DonorIndex:
    """Trees over donors of each pattern, by the modalities shared with a row.

    ``tables`` are standardised features of all donors by modality, without NaN.
    """

    def __init__(self, tables: list[np.ndarray], donors: np.ndarray) -> None:
        # A modality counts the same however many features it has.
        self._tables = [table / np.sqrt(table.shape[1]) for table in tables]
        patterns, member = np.unique(donors, axis=0, return_inverse=True)
        self._groups = [
            Group(np.flatnonzero(member.reshape(-1) == g), has)
            for g, has in enumerate(patterns)
        ]
        self._trees: dict[tuple[int, bytes], KDTree] = {}

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_trees": {}}

    @staticmethod
    def serves(tables: list[np.ndarray], donors: np.ndarray) -> bool:
        """Whether trees are faster than distances to all donors."""
        return (
            len(donors) >= LEAST_DONORS
            and sum(table.shape[1] for table in tables) <= MOST_FEATURES
            and len(np.unique(np.packbits(donors, axis=1), axis=0)) <= MOST_PATTERNS
        )

    def nearest(
        self, rows: list[np.ndarray], has: np.ndarray, target: int, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The first k of the nearest donors of a modality, and squared distances.

        ``rows`` are standardised features by modality of rows that all have the same
        modalities. Infinitely far are donors that share none with them.
        """
        n = len(next(table for table, h in zip(rows, has) if h))
        scaled = [table / np.sqrt(table.shape[1]) for table in rows]
        index, distance = np.zeros((n, 0), dtype=int), np.zeros((n, 0))
        for g, group in enumerate(self._groups):
            shared = np.flatnonzero(group.has & has)
            if not group.has[target] or not len(shared):
                continue
            x = np.concatenate([scaled[m] for m in shared], axis=1)
            found, far = self._nearest_of(g, shared, x, k)
            index = np.concatenate([index, found], axis=1)
            distance = np.concatenate([distance, far], axis=1)
        if index.shape[1] < k:
            short = ((0, 0), (0, k - index.shape[1]))
            index = np.pad(index, short)
            distance = np.pad(distance, short, constant_values=np.inf)
        order = np.lexsort((index, distance), axis=1)[:, :k]
        return (
            np.take_along_axis(index, order, axis=1),
            np.take_along_axis(distance, order, axis=1),
        )

    def _nearest_of(
        self, g: int, shared: np.ndarray, x: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same among the donors of one pattern."""
        key = g, shared.tobytes()
        members = self._groups[g].rows
        if key not in self._trees:
            self._trees[key] = KDTree(
                np.concatenate([self._tables[m][members] for m in shared], axis=1)
            )
        tree = self._trees[key]
        n = min(k + EXTRA, len(members))
        found = tree.query(x, k=n)[1].reshape(len(x), n)
        distance = _squares(x[:, None] - tree.data[found], len(shared))
        order = np.lexsort((found, distance), axis=1)
        found = np.take_along_axis(found, order, axis=1)
        distance = np.take_along_axis(distance, order, axis=1)
        if n < len(members):
            # Ties that go on beyond those found: the first of all are wanted.
            for i in np.flatnonzero(distance[:, k - 1] >= distance[:, -1]):
                every = _squares(x[i] - tree.data, len(shared))
                found[i] = np.argsort(every, kind="stable")[:n]
                distance[i] = every[found[i]]
        return members[found[:, :k]], distance[:, :k]


def _squares(gap: np.ndarray, n_shared: int) -> np.ndarray:
    """Mean squared distances, from differences of features in the last axis."""
    return np.round(np.square(gap).sum(axis=-1) / n_shared, TIE_DECIMALS)


def first_nearest(distance: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the k smallest values of each row, the first of ties, and these."""
    n = distance.shape[1]
    if n <= k:
        order = np.argsort(distance, axis=1, kind="stable")
        return order, np.take_along_axis(distance, order, axis=1)
    last = np.partition(distance, k - 1, axis=1)[:, k - 1]
    index = np.empty((len(distance), k), dtype=int)
    for i, (row, most) in enumerate(zip(distance, last)):
        near = np.flatnonzero(row <= most)
        index[i] = near[np.argsort(row[near], kind="stable")[:k]]
    return index, np.take_along_axis(distance, index, axis=1)
