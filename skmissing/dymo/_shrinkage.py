"""Statistics of rare sets of modalities, shrunk towards those of more common ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._feature_rows import Features
from ._scores import distances
from ._subset_statistics import Measured, Survival

# Standard deviations are at least this share of that of all sets: a class whose few
# rows coincide would find everything else impossible.
SIGMA_FLOOR = 1e-3


class ClassMeans(NamedTuple):
    """Means of features (K, D), and from 0 to 1 how far to trust them (K,)."""

    mean: np.ndarray
    trust: np.ndarray


class PooledVariance(NamedTuple):
    """Mean squared distance over all sets, and over the sets of each size (M + 1,)."""

    whole: float
    by_size: np.ndarray


@dataclass(frozen=True)
class Shrinkage:
    """How far the statistics of a set are shrunk: the more, the fewer rows it has.

    Prototypes of a class are shrunk towards its overall prototype, standard deviations
    and distributions of distances towards those of all classes of the set, and these
    towards those of sets of the same size. The only row of a set lies on its own mean,
    and would find every other row impossible.

    Attributes
    ----------
    n_classes : int
        Number of classes.
    distance : {"cosine", "euclidean"}
        The distance.
    shrinkage : float
        Rows of the average class, as a share of their number, that the standard
        deviation pooled over classes counts for.
    min_rows : int
        Rows from which on a class is not shrunk further towards others.
    """

    n_classes: int
    distance: str
    shrinkage: float
    min_rows: int = 1

    def trust(self, y: np.ndarray) -> np.ndarray:
        """From 0 to 1 by the number of rows of each class, shape (K,)."""
        return np.minimum(np.bincount(y, minlength=self.n_classes) / self.min_rows, 1.0)

    def means(self, features: Features) -> ClassMeans:
        """Class means of features."""
        z, y, weight = features
        out = np.full((self.n_classes, z.shape[1]), np.nan)
        for k in np.unique(y):
            members = y == k
            out[k] = weight[members] @ z[members] / weight[members].sum()
        return ClassMeans(out, self.trust(y))

    def prototypes(self, means: ClassMeans, overall: np.ndarray) -> np.ndarray:
        """Class means, shrunk towards overall prototypes where rows are few."""
        share = means.trust[:, None]
        blend = share * np.nan_to_num(means.mean) + (1.0 - share) * overall
        return np.where(share == 1, means.mean, blend)

    def measure(self, features: Features, prototypes: np.ndarray) -> Measured:
        """Distances of rows to the prototypes of their class."""
        z, y, weight = features
        d = distances(z, prototypes[y], self.distance)
        known = ~np.isnan(d)
        return Measured(d[known], y[known], weight[known])

    def pool(
        self, sizes: Sequence[int], measured: Sequence[Measured], n_modalities: int
    ) -> PooledVariance:
        """Mean squared distances of all sets together, and by their size."""
        squares, mass, number = np.zeros((3, n_modalities + 1))
        for size, (d, _, weight) in zip(sizes, measured):
            squares[size] += weight @ (d * d)
            mass[size] += weight.sum()
            number[size] += len(d)
        enough = mass.sum() > 0 and squares.sum() > 0
        whole = float(squares.sum() / mass.sum()) if enough else 1.0
        share = np.minimum(number / (self.min_rows * self.n_classes), 1.0)
        own_size = squares / np.where(mass > 0, mass, 1.0)
        return PooledVariance(whole, share * own_size + (1.0 - share) * whole)

    def sigma(
        self, measured: Measured, size: int, variance: PooledVariance
    ) -> np.ndarray:
        """Root mean squared distance of each class, shape (K,)."""
        d, y, weight = measured
        mass = np.bincount(y, weight, minlength=self.n_classes)
        squares = np.bincount(y, weight * d * d, minlength=self.n_classes)
        pooled = variance.by_size[size]
        if len(d):
            whole = min(len(d) / self.min_rows, 1.0)
            pooled = whole * squares.sum() / mass.sum() + (1.0 - whole) * pooled
        extra = self.shrinkage * mass.sum() / self.n_classes
        count = np.where(mass + extra > 0, mass + extra, 1.0)
        trust = self.trust(y)
        own = trust * (squares + extra * pooled) / count + (1.0 - trust) * pooled
        return np.sqrt(np.maximum(own, SIGMA_FLOOR**2 * variance.whole))

    def survival(
        self, measured: Measured, sigma: np.ndarray, common: Survival
    ) -> Survival:
        """Distributions of distances; the same mixtures as of squared distances."""
        d, y, weight = measured
        ratio = d / sigma[y]
        whole = min(len(d) / self.min_rows, 1.0)
        # As far as what it is mixed with.
        top = float(common.at[-1]) if whole < 1 else 1.0
        own = Survival.of(ratio, y, weight, self.n_classes, top)
        one_class = np.zeros(len(own.at), dtype=int)
        pooled = common(own.at, one_class) if whole < 1 else np.zeros(len(own.at))
        if len(d):
            of_set = Survival.of(ratio, np.zeros_like(y), weight, 1, top).shares[0]
            pooled = whole * of_set + (1.0 - whole) * pooled
        mass = np.bincount(y, weight, minlength=self.n_classes)
        extra = self.shrinkage * mass.sum() / self.n_classes
        count = np.where(mass + extra > 0, mass + extra, 1.0)[:, None]
        trust = self.trust(y)[:, None]
        mixed = (mass[:, None] * np.nan_to_num(own.shares) + extra * pooled) / count
        return Survival(own.at, trust * mixed + (1.0 - trust) * pooled)
