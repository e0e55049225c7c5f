"""The interior-point method on one small table."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ._alone import Alone
from ._run import LIFTED, Run


@lru_cache(maxsize=8)
def places(K: int, n1: int, n2: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the entries of the matrix of a table come from.

    The classes of each pair, the second one plus K where they are equal; and where the
    entries are in a long array of the products of the pairs in each cell, their sums
    for each state, and a zero.
    """
    rows, columns = (x.reshape(-1) for x in np.indices((K, K)))
    columns = np.where(rows == columns, K + columns, columns)
    N, m = n1 * n2, n1 + n2
    pair = np.arange(K * K).reshape(K, 1, K, 1)
    cell, state = np.arange(N).reshape(n1, 1, n2), np.arange(m)
    entries = np.full((K, m, K, m), K * K * (N + m))
    entries[:, :n1, :, n1:] = N * pair + cell
    entries[:, n1:, :, :n1] = N * pair + cell.T
    np.einsum("kmlm->kml", entries)[:] = (K * K * N + m * pair)[..., 0] + state[:, None]
    return rows, columns, entries.reshape(K * m, K * m)


class SingleRun(Run):
    """Run of a single table, whose matrix is gathered by few calls of numpy."""

    ops = Alone

    def _allocate_matrix(self) -> None:
        K, m = self.AB.shape
        n1, N = self.n1, self.cells.shape[1]
        self.places = places(K, n1, m - n1)
        self.parts = np.zeros(K * K * (N + m) + 1)
        self.cross_rows = self.parts[: K * K * N].reshape(K * K, N)
        self.spread = np.empty((2 * K, N))
        self.halves = self.spread[:K], self.spread[K:]
        self.sums = self.parts[K * K * N : -1].reshape(K * K, m)
        fixed = np.zeros((K, m, K, m))
        np.einsum("kmkn->kmn", fixed)[:] = self.gauge
        self.fixed = fixed.reshape(K * m, K * m)

    def _assemble(self) -> None:
        rows, columns, entries = self.places
        self.q = q = self.R * self.p
        self.outer = self.inverse - self.one
        other, same = self.halves
        np.multiply(self.p, self.outer, other)
        np.add(other, self.one, same)
        pairs = self.spread.take(columns, 0)
        np.multiply(q.take(rows, 0), pairs, self.cross_rows)
        self.sums[...] = self.cross_rows.dot(self.states)
        H = self.parts.take(entries)
        H += self.fixed
        diagonal = H.reshape(-1)[:: len(H) + 1]
        diagonal *= LIFTED
        self._factorise(H)

    def _recentre(self, length: float, k: np.ndarray, new: list) -> list:
        other, centred = self.walk(k)
        return centred if other > length else new

    def _factorise(self, matrix: np.ndarray) -> None:
        # The transpose of a C array is a Fortran array without a copy.
        self.factor, self.info = dpotrf(matrix.T, 0, 0, 1)

    def _solve(self, right: np.ndarray) -> np.ndarray:
        if self.info:
            return np.full_like(right, np.nan)
        return dpotrs(self.factor, right.reshape(-1))[0].reshape(right.shape)
