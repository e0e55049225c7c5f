"""Operations on one small table, most of whose time are calls of numpy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ._together import ones


@lru_cache(maxsize=32)
def _repeated(K: int, N: int) -> np.ndarray:
    """Number of each cell, for each class (K, N)."""
    out = np.tile(np.arange(N), (K, 1))
    out.flags.writeable = False
    return out


class Alone:
    """Operations on a single table: numbers of Python, arrays without an axis of T.

    What a stack has for each cell or state is repeated for each class, (K, N).
    """

    @staticmethod
    def wide(x):
        """Numbers of cells or of the table, to multiply arrays with classes."""
        return x

    # Of the shape of the other operand: numpy takes longer to read a number.
    one = staticmethod(ones)
    # The same calls of BLAS as those of matmul, at half the cost for few numbers.
    product = np.ndarray.dot
    maximum, minimum, any, all = max, min, bool, bool

    @staticmethod
    def over_classes(x: np.ndarray) -> np.ndarray:
        """Sums over the classes."""
        return ones(len(x)).dot(x).take(_repeated(*x.shape))

    @staticmethod
    def of_table(x: np.ndarray) -> np.ndarray:
        """What is the same for each class, once."""
        return x[0]

    @staticmethod
    def number(x: float) -> float:
        """A number of the table."""
        return x

    @staticmethod
    def inner(x: np.ndarray, y: np.ndarray) -> float:
        """Sum of all products."""
        return float(x.reshape(-1).dot(y.reshape(-1)))

    @staticmethod
    def cell_sum(x: np.ndarray, y: np.ndarray) -> float:
        """Sum of the products of two numbers of each cell."""
        return float(x[0].dot(y[0]))

    @staticmethod
    def total(x: np.ndarray) -> float:
        """Sum of all entries."""
        return float(x.reshape(-1).dot(ones(x.size)))

    @staticmethod
    def least(x: np.ndarray) -> float:
        """Smallest entry."""
        return x.item(x.argmin())

    @staticmethod
    def largest(x: np.ndarray) -> float:
        """Largest entry."""
        return x.item(x.argmax())
