"""A Gaussian of vectors with gaps, fitted by expectation maximisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

# Bytes of conditional covariances and gains that are kept for later calls.
CACHE_BYTES = 64_000_000


class PatternRows(NamedTuple):
    """Rows with the same gaps, and the covariance of what is missing in each."""

    rows: np.ndarray
    missing: np.ndarray
    covariance: np.ndarray


@dataclass
class LatentGaussian:
    """Mean and covariance of a vector, and the inverse of the covariance.

    What is missing in a row has, given the rest, the covariance
    :math:`(\\Omega_{mm})^{-1}` and the mean
    :math:`\\mu_m - \\Omega_{mm}^{-1} \\Omega_{mo} (z_o - \\mu_o)`: one factorisation of
    the size of the gap for each pattern of gaps.
    """

    mean: np.ndarray
    covariance: np.ndarray
    precision: np.ndarray = field(init=False)
    log_det: float = field(init=False)

    def __post_init__(self) -> None:
        factor = cho_factor(self.covariance, lower=True)
        self.precision = cho_solve(factor, np.eye(len(self.mean)))
        self.log_det = 2.0 * float(np.log(np.diag(factor[0])).sum())
        self._known: dict[bytes, np.ndarray] = {}

    def conditional_covariance(self, missing: np.ndarray) -> np.ndarray:
        """Covariance of the missing part given the rest, remembered by pattern."""
        key = np.packbits(missing).tobytes()
        if key not in self._known:
            index = np.flatnonzero(missing)
            block = self.precision[index[:, None], index]
            factor = cho_factor(block, check_finite=False)
            found = cho_solve(factor, np.eye(len(index)), check_finite=False)
            if (len(self._known) + 1) * found.nbytes > CACHE_BYTES:
                self._known.clear()
            self._known[key] = found
            return found
        return self._known[key]

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_known": {}}

    def fill(self, z: np.ndarray) -> Iterator[PatternRows]:
        """Put conditional means where ``z`` is NaN, in place, pattern by pattern."""
        gaps = np.isnan(z)
        # One number for each row is sorted faster than rows are.
        packed = np.ascontiguousarray(np.packbits(gaps, axis=1))
        keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
        _, first, member = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(member.reshape(-1), kind="stable")
        stops = np.cumsum(np.bincount(member.reshape(-1)))
        # With 0 for what is missing, one product serves the rows of all patterns.
        pull = np.where(gaps, 0.0, z - self.mean) @ self.precision
        for k, start in enumerate(np.r_[0, stops[:-1]]):
            rows, missing = order[start : stops[k]], gaps[first[k]]
            if not missing.any():
                continue
            covariance = self.conditional_covariance(missing)
            index = np.flatnonzero(missing)
            cells = rows[:, None], index
            z[cells] = self.mean[index] - pull[cells] @ covariance
            yield PatternRows(rows, missing, covariance)

    def log_likelihood(self, z: np.ndarray) -> np.ndarray:
        """Log density of what is known of each row."""
        filled, n_known = z.copy(), (~np.isnan(z)).sum(axis=1)
        correction = np.zeros(len(z))
        for part in self.fill(filled):
            correction[part.rows] = np.linalg.slogdet(part.covariance)[1]
        centred = filled - self.mean
        # The conditional mean minimises the quadratic form, and leaves that of the
        # known part.
        distance = np.einsum("ij,ij->i", centred @ self.precision, centred)
        log_det = self.log_det - correction
        return -0.5 * (distance + log_det + n_known * np.log(2.0 * np.pi))


def fit_gaussian(
    z: np.ndarray, weight: np.ndarray, ridge: np.ndarray, max_iter: int, tol: float
) -> tuple[LatentGaussian, int]:
    """Penalised maximum likelihood of rows with gaps, and the steps it took.

    ``ridge`` is added to the variances in every step.
    """
    total = weight.sum()
    model = _start(z, weight, ridge)
    n_iter, change = 0, np.inf
    while n_iter < max_iter and not change < tol:
        n_iter += 1
        filled = z.copy()
        extra = np.zeros_like(model.covariance)
        for part in model.fill(filled):
            index = np.flatnonzero(part.missing)
            extra[np.ix_(index, index)] += weight[part.rows].sum() * part.covariance
        mean = weight @ filled / total
        centred = filled - mean
        covariance = (centred.T @ (weight[:, None] * centred) + extra) / total
        covariance[np.diag_indices(len(mean))] += ridge
        scale = np.abs(model.covariance).max()
        change = np.abs(covariance - model.covariance).max() / scale
        model = LatentGaussian(mean, covariance)
    return model, n_iter


def _start(z: np.ndarray, weight: np.ndarray, ridge: np.ndarray) -> LatentGaussian:
    """Moments of the pairs of values that rows have, made positive definite."""
    known = ~np.isnan(z)
    w = weight[:, None] * known
    mass = w.sum(axis=0)
    mean = np.where(known, z, 0.0).T @ weight / np.where(mass > 0, mass, 1.0)
    centred = np.where(known, z - mean, 0.0)
    pairs = known.T @ w
    covariance = centred.T @ (weight[:, None] * centred)
    covariance = np.where(pairs > 0, covariance / np.where(pairs > 0, pairs, 1.0), 0.0)
    values, vectors = np.linalg.eigh(covariance)
    covariance = (vectors * np.clip(values, 0.0, None)) @ vectors.T
    covariance[np.diag_indices(len(mean))] += ridge
    return LatentGaussian(mean, covariance)
