"""The interior-point method on one table of more states."""

from __future__ import annotations

import numpy as np

from ._run import RIDGE, Run


class EliminatingRun(Run):
    """Run of a single table that eliminates the potentials of the first source.

    Their part of the matrix is a block for each state. The gauge is filled in among
    the potentials of the second source alone.
    """

    def _allocate_matrix(self) -> None:
        K, m = self.AB.shape
        n1, n2 = self.n1, m - self.n1
        gauge = self.gauge.copy()
        fixed = gauge[:, :n1, :n1]
        fixed *= np.eye(n1) * (self.AB[:, :n1] == 0.0)[:, :, None]
        gauge[:, :n1, n1:] = gauge[:, n1:, :n1] = 0.0
        self.gauge = gauge
        self.unit = np.einsum("kii->ik", fixed).copy()
        self.rest = np.zeros((K, n2, K, n2))
        np.einsum("kmkn->kmn", self.rest)[:] = gauge[:, n1:, n1:]
        self.mixed = np.empty((n1, K, K, n2))

    def _factorise(self, sums: np.ndarray) -> None:
        K, m = self.AB.shape
        n1, n2 = self.n1, m - self.n1
        sums = sums.reshape(K, K, m)
        blocks = sums[:, :, :n1].transpose(2, 0, 1).copy()
        diagonal = np.einsum("ikk->ik", blocks)
        diagonal += self.unit
        diagonal *= 1.0 + RIDGE
        np.copyto(self.mixed, self.cross_cells.transpose(2, 0, 1, 3))
        mixed = self.mixed.reshape(n1, K, K * n2)
        try:
            self.roots = np.linalg.inv(np.linalg.cholesky(blocks))
        except np.linalg.LinAlgError:
            self.factors = [None]
            return
        self.half = (self.roots @ mixed).reshape(n1 * K, K * n2)
        rest = self.rest.copy()
        same = np.einsum("kjlj->klj", rest)
        same += sums[:, :, n1:]
        rest = rest.reshape(K * n2, K * n2)
        rest.reshape(-1)[:: K * n2 + 1] *= 1.0 + RIDGE
        rest -= self.half.T @ self.half
        self.factors = self.ops.factorise(rest)

    def _solve(self, right: np.ndarray) -> np.ndarray:
        n1 = self.n1
        if self.factors[0] is None:
            return np.full_like(right, np.nan)
        head = (self.roots @ right[:, :n1].T[:, :, None]).reshape(-1)
        tail = right[:, n1:] - (head @ self.half).reshape(len(right), -1)
        tail = self.ops.solve(self.factors, tail)
        head = (head - self.half @ tail.reshape(-1)).reshape(n1, 1, -1)
        return np.concatenate([(head @ self.roots)[:, 0].T, tail], axis=1)
