"""The operations on a stack of small tables."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=32)
def ones(*shape: int) -> np.ndarray:
    """Ones, the products with which are sums."""
    out = np.ones(shape)
    out.flags.writeable = False
    return out


class Together:
    """The same operations on a stack: arrays (T, 1) of numbers.

    Sums depend on the routine of BLAS, so that it is the one for a single table.
    """

    @staticmethod
    def wide(x: np.ndarray) -> np.ndarray:
        """Numbers of cells or tables, to multiply arrays with an axis for classes."""
        return x[:, None]

    @staticmethod
    def one(*_shape: int) -> float:
        """What to subtract from arrays of cells."""
        return 1.0

    product = np.matmul
    maximum, minimum, any, all = np.maximum, np.minimum, np.any, np.all

    @staticmethod
    def over_classes(x: np.ndarray) -> np.ndarray:
        """Sums over the classes."""
        return np.matmul(ones(x.shape[1]), x)

    @staticmethod
    def of_table(x: np.ndarray) -> np.ndarray:
        """What is the same for each class, once."""
        return x

    @staticmethod
    def number(x: np.ndarray) -> np.ndarray:
        """A number of each table, without the second axis."""
        return x[:, 0]

    @staticmethod
    def inner(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Sums of all products."""
        T, n = len(x), x[:1].size
        return np.matmul(x.reshape(T, 1, n), y.reshape(T, n, 1))[:, :, 0]

    cell_sum = inner

    @staticmethod
    def total(x: np.ndarray) -> np.ndarray:
        """Sums of all entries."""
        T, n = len(x), x[:1].size
        return np.matmul(x.reshape(T, 1, n), ones(n)[:, None])[:, :, 0]

    @staticmethod
    def least(x: np.ndarray) -> np.ndarray:
        """Smallest entries."""
        return np.minimum.reduce(x.reshape(len(x), -1), axis=1, keepdims=True)

    @staticmethod
    def largest(x: np.ndarray) -> np.ndarray:
        """Largest entries."""
        return np.maximum.reduce(x.reshape(len(x), -1), axis=1, keepdims=True)
