"""Features as coordinates of a Gaussian, and back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri, roots_hermitenorm

from ..modalities._normal_scores import FAR, NormalScores

# With more values a feature counts as continuous.
MOST_LEVELS = 12
# Rows for each value, on average, from which on values are levels.
LEAST_REPEATS = 5
# Gauss-Hermite nodes for means of a function of a Gaussian.
NODES, SHARES = roots_hermitenorm(32)
SHARES = SHARES / SHARES.sum()
# Share of values on either side that means take for the quantile there: one outlier
# would move all of them. What the mean square error loses is at most this share of the
# variance.
TAIL = 0.01


@dataclass(frozen=True)
class Levels:
    """A feature of few values: which one depends on where a Gaussian falls."""

    values: np.ndarray
    scores: np.ndarray
    cuts: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray, weight: np.ndarray) -> Levels:
        """Of weighted values; the scores are those of the middles of ranks."""
        ranks = NormalScores.fit(x, weight)
        mass = np.bincount(np.searchsorted(ranks.values, x), weight)
        share = np.cumsum(mass)[:-1] / mass.sum()
        return cls(ranks.values, ranks.scores, ndtri(share))

    def score(self, x: np.ndarray) -> np.ndarray:
        """Scores of values, between those of the levels beside them."""
        return np.interp(x, self.values, self.scores)

    def value(self, z: np.ndarray) -> np.ndarray:
        """The level that a Gaussian value stands for."""
        return self.values[np.searchsorted(self.cuts, z)]

    def mean(self, z: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Mean over a Gaussian."""
        with np.errstate(divide="ignore", invalid="ignore"):
            below = ndtr((self.cuts - z[:, None]) / deviation[:, None])
        below = np.where(deviation[:, None] > 0, below, self.cuts > z[:, None])
        return self.values[-1] - below @ np.diff(self.values)


@dataclass(frozen=True)
class Ranks:
    """A feature with heavy tails: normal scores of its ranks."""

    scores: NormalScores
    limits: tuple[float, float]

    @classmethod
    def fit(cls, x: np.ndarray, weight: np.ndarray) -> Ranks:
        """Of weighted values."""
        scores = NormalScores.fit(x, weight)
        ends = np.interp(ndtri([TAIL, 1.0 - TAIL]), scores.scores, scores.values)
        return cls(scores, (float(ends[0]), float(ends[1])))

    def score(self, x: np.ndarray) -> np.ndarray:
        """Scores of values."""
        return self.scores(x)

    def value(self, z: np.ndarray) -> np.ndarray:
        """Values of scores, within those seen."""
        return np.interp(z, self.scores.scores, self.scores.values)

    def mean(self, z: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Mean over a Gaussian, of values within the limits."""
        values = self.value(z[:, None] + deviation[:, None] * NODES)
        return np.clip(values, *self.limits) @ SHARES


@dataclass
class Margins:
    """The features of one block: linear, but for those with heavy tails or few values.

    Linear ones are divided by their deviation. All arrays are float64 of shape
    (n, n_features).
    """

    center: np.ndarray
    deviation: np.ndarray
    other: dict[int, Levels | Ranks] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        x: np.ndarray,
        weight: np.ndarray,
        center: np.ndarray,
        deviation: np.ndarray,
        may_differ: bool,
    ) -> Margins:
        """Of the rows that have the block; NaN is not known."""
        new = cls(center, deviation)
        for j in range(x.shape[1] if may_differ else 0):
            known = ~np.isnan(x[:, j])
            column, w = x[known, j], weight[known]
            if not len(column):
                continue
            n_values = len(np.unique(column))
            # Few rows have few values, without being levels.
            levels = n_values * LEAST_REPEATS <= len(column)
            far = np.abs(column - center[j]).max() > FAR * deviation[j]
            if 2 < n_values <= MOST_LEVELS and levels:
                new.other[j] = Levels.fit(column, w)
            elif n_values > 2 and far:
                new.other[j] = Ranks.fit(column, w)
        return new

    def score(self, x: np.ndarray) -> np.ndarray:
        """Gaussian coordinates of values; NaN stays."""
        out = (x - self.center) / self.deviation
        for j, margin in self.other.items():
            out[:, j] = margin.score(x[:, j])
        return out

    def value(self, z: np.ndarray) -> np.ndarray:
        """Values of coordinates."""
        out = z * self.deviation + self.center
        for j, margin in self.other.items():
            out[:, j] = margin.value(z[:, j])
        return out

    def mean(self, z: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Mean of the values of Gaussian coordinates."""
        out = z * self.deviation + self.center
        for j, margin in self.other.items():
            spread = np.sqrt(np.clip(variance[:, j], 0.0, None))
            out[:, j] = margin.mean(z[:, j], spread)
        return out
