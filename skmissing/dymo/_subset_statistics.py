"""How typical the distance of a feature to its prototype is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._scores import distances, log_halfnormal

# Share of the half-normal distribution in the empirical one: it decides beyond the
# largest distance seen, where ranks are all the same.
TAIL = 0.01
# Steps of the empirical distribution. Between them it is straight: a training row lies
# on a jump of its own, where the last bit of an arithmetic would decide.
N_STEPS = 256


class Measured(NamedTuple):
    """Distances of rows to the prototypes of their classes, classes and weights."""

    d: np.ndarray
    y: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Survival:
    """Shares of rows that are farther than some distances.

    Attributes
    ----------
    at : ndarray of shape (G,)
        Distances divided by sigma, from 0 on; closer to one another near 0.
    shares : ndarray of shape (K, G)
        By class: 1 at 0, and 0 at the farthest.
    """

    at: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(
        cls,
        ratio: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        n_classes: int,
        top: float = 1.0,
    ) -> Survival:
        """Of the rows of each class, NaN for one without; as far as ``top`` at least.

        ``ratio`` are distances divided by sigma.
        """
        top = max(float(ratio.max(initial=0.0)), top)
        at = top * np.linspace(0.0, 1.0, N_STEPS + 1) ** 2
        shares = np.full((n_classes, len(at)), np.nan)
        for k in np.unique(y):
            members = np.flatnonzero(y == k)
            members = members[np.argsort(ratio[members], kind="stable")]
            mass = np.append(0.0, np.cumsum(weight[members]))
            below = np.searchsorted(ratio[members], at, side="right")
            shares[k] = (mass[-1] - mass[below]) / mass[-1]
        shares[:, 0] = np.where(np.isnan(shares[:, 0]), np.nan, 1.0)
        return cls(at, shares)

    def __call__(self, ratio: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Share of the class of each row that is farther, linear between steps."""
        n_steps = len(self.at) - 1
        # The steps are squares: the root of the distance counts them.
        # Where features coincide, rounding makes distances negative.
        step = np.sqrt(np.maximum(ratio, 0.0) / self.at[-1]) * n_steps
        left = np.fmax(np.fmin(step, n_steps - 1), 0).astype(int)
        near = self.at[left]
        t = np.clip((ratio - near) / (self.at[left + 1] - near), 0.0, 1.0)
        low, high = self.shares[label, left], self.shares[label, left + 1]
        return (1.0 - t) * low + t * high


@dataclass(frozen=True)
class SubsetStatistics:
    """Statistics of features given one set of modalities, by class.

    Attributes
    ----------
    prototypes : ndarray of shape (K, D)
        Class means; NaN for a class without any.
    sigma : ndarray of shape (K,)
        Root mean squared distance to them.
    survival : Survival
        Of distances divided by sigma.
    """

    prototypes: np.ndarray
    sigma: np.ndarray
    survival: Survival

    def log_plausibility(
        self, z: np.ndarray, label: np.ndarray, distance: str, ics: str
    ) -> np.ndarray:
        """Log of the chance that a member of a class lies as far from its prototype."""
        ratio = distances(z, self.prototypes[label], distance) / self.sigma[label]
        if ics == "halfnormal":
            return log_halfnormal(ratio)
        return log_empirical(ratio, self.survival(ratio, label))


def log_empirical(ratio: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Log of the share of rows that are farther, with a half-normal tail."""
    normal = log_halfnormal(ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        ranked = np.log(share)
    out = np.logaddexp(np.log1p(-TAIL) + ranked, np.log(TAIL) + normal)
    return np.where(np.isnan(normal), np.nan, out)
