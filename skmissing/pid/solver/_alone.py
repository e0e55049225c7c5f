"""Operations on one small table, most of whose time are calls of numpy."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs


class Alone:
    """Operations on a single table: numbers of Python, arrays without an axis of T."""

    @staticmethod
    def shape(x: np.ndarray) -> np.ndarray:
        """An array of one table, from a stack of one."""
        return x[0]

    @staticmethod
    def stack(x: np.ndarray) -> np.ndarray:
        """The array of a stack."""
        return x[None]

    @staticmethod
    def wide(number: float) -> float:
        """A number of each table, to multiply arrays with an axis for classes."""
        return number

    @staticmethod
    def total(x: np.ndarray) -> float:
        """Sum over cells."""
        return float(np.add.reduce(x))

    @staticmethod
    def least(x: np.ndarray) -> float:
        """Smallest entry."""
        return float(np.minimum.reduce(x))

    @staticmethod
    def largest(x: np.ndarray) -> float:
        """Largest entry."""
        return float(np.maximum.reduce(x))

    # The same calls of BLAS as those of matmul, at half the cost for few numbers.
    product = np.dot
    maximum, minimum, any, all = max, min, bool, bool

    @staticmethod
    def factorise(matrix: np.ndarray) -> list[np.ndarray | None]:
        """Cholesky factor, None where there is none."""
        # The transpose of a C array is a Fortran array without a copy.
        factor, info = dpotrf(matrix.T, clean=0)
        return [factor if info == 0 else None]

    @staticmethod
    def solve(factors: list[np.ndarray | None], right: np.ndarray) -> np.ndarray:
        """Solve with the factor; NaN where there is none."""
        if factors[0] is None:
            return np.full_like(right, np.nan)
        return dpotrs(factors[0], right.reshape(-1))[0].reshape(right.shape)
