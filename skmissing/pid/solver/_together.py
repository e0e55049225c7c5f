"""The operations on a stack of small tables."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs


class Together:
    """The same operations on a stack: arrays (T, 1) of numbers."""

    @staticmethod
    def shape(x: np.ndarray) -> np.ndarray:
        """An array of all tables."""
        return x

    stack = shape

    @staticmethod
    def wide(number: np.ndarray) -> np.ndarray:
        """Numbers, to multiply arrays with an axis for classes."""
        return number[..., None]

    @staticmethod
    def total(x: np.ndarray) -> np.ndarray:
        """Sums over cells."""
        return np.add.reduce(x, axis=1, keepdims=True)

    @staticmethod
    def least(x: np.ndarray) -> np.ndarray:
        """Smallest entries."""
        return np.minimum.reduce(x, axis=1, keepdims=True)

    @staticmethod
    def largest(x: np.ndarray) -> np.ndarray:
        """Largest entries."""
        return np.maximum.reduce(x, axis=1, keepdims=True)

    product = np.matmul
    maximum, minimum, any, all = np.maximum, np.minimum, np.any, np.all

    @staticmethod
    def factorise(matrix: np.ndarray) -> list[np.ndarray | None]:
        """Cholesky factor of each table, None where there is none."""
        factors = (dpotrf(H, clean=0) for H in matrix.transpose(0, 2, 1))
        return [factor if info == 0 else None for factor, info in factors]

    @staticmethod
    def solve(factors: list[np.ndarray | None], right: np.ndarray) -> np.ndarray:
        """Solve for each table; NaN where there is no factor."""
        flat = right.reshape(len(right), -1)
        out = np.full_like(flat, np.nan)
        for t, factor in enumerate(factors):
            if factor is not None:
                out[t], _ = dpotrs(factor, flat[t])
        return out.reshape(right.shape)
