"""Principal components of a block, and ridge regression between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh
from sklearn.utils.extmath import randomized_svd

# Beyond this many rows and features an exact decomposition takes minutes.
EXACT_SIZE = 3000


@dataclass
class Components:
    """Leading principal components, orthonormal vectors (n_features, rank)."""

    vectors: np.ndarray

    def scores(self, table: np.ndarray) -> np.ndarray:
        """Coordinates; a block has the same total variance however wide it is."""
        return table @ self.vectors / np.sqrt(len(self.vectors))

    def table(self, scores: np.ndarray) -> np.ndarray:
        """Standardised features from coordinates."""
        return np.sqrt(len(self.vectors)) * scores @ self.vectors.T


def fit_components(table: np.ndarray, weight: np.ndarray, rank: int) -> Components:
    """Principal components about the origin, which is the mean."""
    root = np.sqrt(weight / weight.sum())[:, None] * table
    n, p = root.shape
    k = min(rank, n, p)
    if p <= min(n, EXACT_SIZE):
        vectors = eigh(root.T @ root, subset_by_index=(p - k, p - 1))[1]
    elif n <= EXACT_SIZE:
        values, left = eigh(root @ root.T, subset_by_index=(n - k, n - 1))
        # The rows of a block span fewer dimensions than there are rows.
        some = values > values[-1] * n * np.finfo(np.float64).eps
        if not some.any():
            # A constant block: any direction does.
            return Components(np.eye(p, 1))
        vectors = root.T @ left[:, some] / np.sqrt(values[some])
    else:
        vectors = randomized_svd(root, k, n_iter=7, random_state=0)[2][::-1].T
    return Components(np.ascontiguousarray(vectors[:, ::-1]))


@dataclass
class Ridge:
    """Linear map of p centred inputs to q targets; ``coef`` has shape (p, q)."""

    center: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Targets of shape (n, q)."""
        return (x - self.center) @ self.coef + self.intercept


def fit_ridge(x: np.ndarray, y: np.ndarray, weight: np.ndarray, alpha: float) -> Ridge:
    """Ridge regression with a penalty relative to the variance of x."""
    share = weight / weight.sum()
    center, intercept = share @ x, share @ y
    x, y = x - center, y - intercept
    moments = x.T @ (share[:, None] * x)
    mean = np.trace(moments) / len(moments)
    # A constant x predicts nothing: any positive penalty gives the coefficient 0.
    penalty = alpha * (mean if mean > 0 else 1.0)
    factor = cho_factor(moments + penalty * np.eye(len(moments)))
    return Ridge(center, cho_solve(factor, x.T @ (share[:, None] * y)), intercept)
