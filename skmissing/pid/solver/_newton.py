"""Linear algebra of one iteration of the interior-point method."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dpotrs


class NewtonSystem:
    """Factorised Newton matrix of the dual potentials.

    The matrix is ``sum over cells of R (diag(p) - p p') + (R / s) p p'``, where each
    cell (i, j) touches the K entries ``L[i]`` and the K entries ``M[:, j]``. Its block
    in L is block-diagonal with one K x K block for each i and is eliminated, which
    leaves a Schur complement of size ``K n2``.

    Adding c to ``L[:, y]`` and subtracting it from ``M[y]`` changes nothing. The null
    vectors are filled in by one outer product per class, which treats all columns
    alike; fixing one column instead would make it a matter of luck how large that one
    is.
    """

    def __init__(
        self, p: np.ndarray, R: np.ndarray, s: np.ndarray, free: np.ndarray
    ) -> None:
        n1, K, n2 = p.shape
        self._p = p
        self._Q = R[:, None, :] * p
        self._weighted = (R / s - R)[:, None, :] * p
        cross = self._weighted[:, :, None, :] * p[:, None, :, :]
        for y in range(K):
            cross[:, y, y, :] += self._Q[:, y]
        first = cross.sum(axis=3)
        second = np.ascontiguousarray(cross.sum(axis=0).transpose(2, 0, 1))
        # Entries that are no variables get a unit diagonal, hence a zero step.
        _lift(first)
        scale = 1.0 / np.sqrt(_lift(second)).T
        second = second * scale.T[:, :, None] * scale.T[:, None, :]
        null = np.where(free, 1.0 / scale, 0.0)
        null /= np.sqrt((null**2).sum(axis=1))[:, None]
        null = null[:, :, None] * null[:, None, :]
        self._scale = scale.ravel()
        cross = cross.reshape(n1, K, K * n2)
        # The matrix becomes singular towards the end, as multipliers of inactive
        # cells vanish: a ridge of a few units of the last place, relative to the
        # diagonal, is raised only if a factorisation fails.
        ridge = 1e-15
        while not self._factorise(first, cross, second, null, ridge):
            ridge *= 100.0
            if ridge > 1.0:
                raise np.linalg.LinAlgError("not finite")
        # Refinement undoes a ridge that had to be raised.
        self._rounds = 1 if ridge < 1e-14 else 5

    def _factorise(
        self,
        first: np.ndarray,
        cross: np.ndarray,
        second: np.ndarray,
        null: np.ndarray,
        ridge: float,
    ) -> bool:
        n1, K, width = cross.shape
        n2 = width // K
        first = first.copy()
        first.reshape(n1, -1)[:, :: K + 1] *= 1.0 + ridge
        try:
            self._inverse = np.linalg.inv(np.linalg.cholesky(first))
        except np.linalg.LinAlgError:
            return False
        half = self._inverse @ cross
        half *= self._scale
        self._half = half.reshape(n1 * K, width)
        # BLAS reads the transpose of a C array as a Fortran array without a copy, and
        # fills the upper triangle, which is the lower one of the C array below.
        lower = dsyrk(-1.0, self._half.T).T
        blocks = lower.reshape(K, n2, K, n2)
        column = np.arange(n2)
        blocks[:, column, :, column] += second
        for y in range(K):
            blocks[y, :, y, :] += null[y]
        lower.reshape(-1)[:: width + 1] += ridge
        self._factor, info = dpotrf(lower.T, lower=0, overwrite_a=1)
        return info == 0

    def _solve(
        self, right_l: np.ndarray, right_m: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        head = (self._inverse @ right_l[:, :, None]).ravel()
        tail = self._scale * right_m.ravel() - head @ self._half
        tail, _ = dpotrs(self._factor, tail, lower=0)
        head = (head - self._half @ tail).reshape(right_l.shape)
        dL = (head[:, None, :] @ self._inverse)[:, 0]
        return dL, (self._scale * tail).reshape(right_m.shape)

    def _apply(
        self, dL: np.ndarray, dM: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Product with the matrix, summed cell by cell, and ``p . d(L + M)``."""
        change = dL[:, :, None] + dM
        mean = (self._p * change).sum(axis=1)
        change *= self._Q
        change += self._weighted * mean[:, None, :]
        return change.sum(axis=2), change.sum(axis=0), mean

    def solve(
        self, right_l: np.ndarray, right_m: np.ndarray, *, refine: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Solve for dL, dM and ``p . (dL + dM)`` of each cell.

        With iterative refinement as long as that helps, which takes as long again.
        """
        dL, dM = self._solve(right_l, right_m)
        if not refine:
            return dL, dM, (self._p * (dL[:, :, None] + dM)).sum(axis=1)
        got_l, got_m, mean = self._apply(dL, dM)
        miss_l, miss_m = right_l - got_l, right_m - got_m
        miss = max(np.abs(miss_l).max(), np.abs(miss_m).max())
        for _ in range(self._rounds):
            more_l, more_m = self._solve(miss_l, miss_m)
            more_l, more_m = dL + more_l, dM + more_m
            got_l, got_m, more_mean = self._apply(more_l, more_m)
            miss_l, miss_m = right_l - got_l, right_m - got_m
            left = max(np.abs(miss_l).max(), np.abs(miss_m).max())
            if not left < miss:
                break
            dL, dM, mean, miss = more_l, more_m, more_mean, left
        return dL, dM, mean


def _lift(blocks: np.ndarray) -> np.ndarray:
    """Replace zeros on the diagonals by one, in place; return the diagonals."""
    K = blocks.shape[1]
    diagonal = blocks.reshape(len(blocks), -1)[:, :: K + 1]
    np.copyto(diagonal, 1.0, where=diagonal <= 0)
    return diagonal
