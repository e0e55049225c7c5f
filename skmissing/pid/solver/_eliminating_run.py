"""The interior-point method on one table of more states."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsyrk

from ._run import LIFTED
from ._single_run import SingleRun
from ._stacked_bounds import diagonals
from ._together import ones


class EliminatingRun(SingleRun):
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
        self.same = np.einsum("ikkj->ikj", self.mixed)

    def _assemble(self) -> None:
        n1, K, _, n2 = self.mixed.shape
        self.q = q = self.R * self.p
        self.outer = self.inverse - self.one
        # With the states of the first source in front.
        q, spread = (
            x.reshape(K, n1, n2).transpose(1, 0, 2) for x in (q, self.p * self.outer)
        )
        np.multiply(q[:, :, None], spread[:, None], out=self.mixed)
        np.multiply(q, spread + 1.0, out=self.same)
        blocks = self.mixed.reshape(-1, n2).dot(ones(n2)).reshape(n1, K, K)
        diagonal = diagonals(blocks)
        diagonal += self.unit
        diagonal *= LIFTED
        try:
            roots = np.linalg.inv(np.linalg.cholesky(blocks))
        except np.linalg.LinAlgError:
            self.info = 1
            return
        half = (roots @ self.mixed.reshape(n1, K, K * n2)).reshape(n1 * K, K * n2)
        rest = self.rest.copy()
        same = np.einsum("kjlj->klj", rest)
        same += ones(n1).dot(self.mixed.reshape(n1, -1)).reshape(K, K, n2)
        rest = rest.reshape(K * n2, K * n2)
        diagonal = diagonals(rest)
        diagonal *= LIFTED
        # BLAS fills in the triangle that LAPACK reads.
        self._factorise(dsyrk(-1.0, half.T, 1.0, rest.T, overwrite_c=1).T)
        self.roots, self.half = roots, half

    def _to_cells(self, x: np.ndarray) -> np.ndarray:
        # With many cells, most of a product with their matrix are zeros.
        n1 = self.n1
        return (x[:, :n1, None] + x[:, None, n1:]).reshape(len(x), -1)

    def _to_states(self, Q: np.ndarray) -> np.ndarray:
        n1 = self.n1
        Q = Q.reshape(len(Q), n1, -1)
        return np.concatenate([Q @ ones(Q.shape[2]), ones(n1) @ Q], axis=1)

    def _solve(self, right: np.ndarray) -> np.ndarray:
        n1 = self.n1
        if self.info:
            return np.full_like(right, np.nan)
        head = (self.roots @ right[:, :n1].T[:, :, None]).reshape(-1)
        tail = right[:, n1:] - (head @ self.half).reshape(len(right), -1)
        tail = super()._solve(tail)
        head = (head - self.half @ tail.reshape(-1)).reshape(n1, 1, -1)
        return np.concatenate([(head @ self.roots)[:, 0].T, tail], axis=1)
