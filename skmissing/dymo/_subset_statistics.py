"""How typical a feature is, given one set of modalities: statistics and shrinkage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._estimation._rows import LabelledRows
from ._scores import distances, log_halfnormal
from ._subset_model import Encoded, SubsetModel


class Features(NamedTuple):
    """Features (r, D) of some rows, with their class indices and weights (r,)."""

    z: np.ndarray
    y: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class FeatureRows:
    """Rows that are encoded, not their blocks: a fitted selector may keep them."""

    encoded: Encoded
    present: np.ndarray
    y: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, model: SubsetModel, rows: LabelledRows) -> FeatureRows:
        """Encode rows that have the modalities of a model."""
        present = rows.data.present.copy()
        return cls(model.encode(rows.data), present, rows.y, rows.weight)

    def features(self, subset: np.ndarray) -> Features:
        """Features, given a set of modalities, of the rows that have all of it."""
        index = np.flatnonzero(self.present[:, subset].all(axis=1))
        if len(index):
            masks = np.broadcast_to(subset, (len(index), len(subset)))
            z = self.encoded.fuse(index, np.ascontiguousarray(masks)).z
        else:
            # The width of features is known from any row.
            z = self.encoded.fuse(np.zeros(1, dtype=int), self.present[:1]).z[:0]
        return Features(z, self.y[index], self.weight[index])


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


# Standard deviations are at least this share of that of all sets: a class whose few
# rows coincide would make all other rows impossible.
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
