"""Decomposition through posteriors, which are sufficient statistics of the sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.cluster import KMeans

from ._decomposition import Evaluation, count_table, decompose, decompose_single
from ._sources import Pair, Source, union

# Temperatures: the exponent of posterior over prior. 0 leaves the prior. A step of a
# seventh changes the information by about (1/14)^2 of itself at most.
EXPONENTS = np.concatenate([[0.0], np.geomspace(0.05, 4.0, 33)])
MAX_BINS = 40


@dataclass(eq=False, repr=False)
class PosteriorTables:
    """Calibrates, quantises and decomposes held-out posteriors."""

    log_ratio: dict[Source, np.ndarray]
    folds: np.ndarray
    pairs: list[Pair]
    n_bins: int | str

    def __post_init__(self) -> None:
        self.n_classes = next(iter(self.log_ratio.values())).shape[1]

    def evaluate(self, codes: np.ndarray, weight: np.ndarray) -> Evaluation:
        """Decompose every pair; rows that are not drawn have weight 0."""
        weight = weight / weight.sum()
        prior = np.bincount(codes, weight, minlength=self.n_classes)
        held_out, states, tables = {}, {}, {}
        quantised = {s for pair in self.pairs if pair[1] for s in pair}
        for source, ratio in self.log_ratio.items():
            found = calibrated_posterior(ratio, self.folds, codes, weight, prior)
            held_out[source] = found.bits
            if source in quantised:
                n_bins = self._count_bins(found.nats, weight)
                states[source] = quantise(found.log_posterior, weight, n_bins)
                tables[source] = count_table(
                    codes, states[source], weight, self.n_classes
                )
        out = []
        for pair in self.pairs:
            first, second = pair
            joint = held_out[union(pair)]
            if second:
                out.append(decompose(tables[first], tables[second], joint))
            else:
                out.append(decompose_single(joint))
        n_states = {s: int(v.max()) + 1 for s, v in states.items()}
        return Evaluation(out, held_out, n_states, states)

    def _count_bins(self, nats: float, weight: np.ndarray) -> int:
        """Bins that balance what quantising loses against the bias of a table.

        With b bins of a K-class posterior the loss falls about as information / b^2
        and the bias rises as b (K - 1) / (2 n), so that the sum is smallest for b
        proportional to the cube root of n times the information over K - 1. The
        factor was chosen for smooth posteriors. A source without information about
        held-out rows gets two bins.
        """
        if self.n_bins != "auto":
            return int(self.n_bins)
        n = 1.0 / float(weight @ weight)
        size = 2.0 * np.cbrt(n * max(nats, 0.0) / (self.n_classes - 1))
        return int(np.clip(np.ceil(size), 2, MAX_BINS))


class CalibratedPosterior(NamedTuple):
    """Logarithms (n, K), ``-inf`` for classes without weight, and held-out nats."""

    log_posterior: np.ndarray
    nats: float

    @property
    def bits(self) -> float:
        """Held-out information in bits."""
        return float(self.nats / np.log(2.0))


def calibrated_posterior(
    ratio: np.ndarray,
    folds: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    prior: np.ndarray,
) -> CalibratedPosterior:
    """Calibrate the logarithm of posterior over prior (n, K) of held-out rows.

    Weights and prior sum to 1.
    """
    with np.errstate(divide="ignore"):
        log_prior = np.log(prior)
    exponent = calibrate(ratio, folds, codes, weight, log_prior)
    posterior = tilt(ratio, exponent[folds, None], log_prior)
    drawn = np.flatnonzero(weight > 0)
    gain = posterior[drawn, codes[drawn]] - log_prior[codes[drawn]]
    return CalibratedPosterior(posterior, float(weight[drawn] @ gain))


def tilt(
    ratio: np.ndarray, exponent: np.ndarray | float, log_prior: np.ndarray
) -> np.ndarray:
    """Logarithm of the posterior that is prior times ratio to the exponent."""
    return log_softmax(log_prior + exponent * ratio, axis=1)


def calibrate(
    ratio: np.ndarray,
    folds: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    log_prior: np.ndarray,
) -> np.ndarray:
    """Exponent of each fold, with the least log-loss on held-out rows of the others."""
    n_folds = int(folds.max()) + 1
    drawn = weight > 0
    if not drawn.all():
        ratio, folds = ratio[drawn], folds[drawn]
        codes, weight = codes[drawn], weight[drawn]
    live = np.isfinite(log_prior)
    ratio, log_prior = ratio[:, live], log_prior[live]
    codes = np.cumsum(live)[codes] - 1
    loss = np.empty((n_folds, len(EXPONENTS)))
    rows = np.arange(len(codes))
    for i, exponent in enumerate(EXPONENTS):
        own = tilt(ratio, exponent, log_prior)[rows, codes]
        loss[:, i] = np.bincount(folds, -weight * own, minlength=n_folds)
    others = loss.sum(axis=0) - loss
    return EXPONENTS[np.argmin(others, axis=1)]


def quantise(log_posterior: np.ndarray, weight: np.ndarray, n_bins: int) -> np.ndarray:
    """States of about equal weight (two classes) or clusters, from 0 without gaps."""
    if log_posterior.shape[1] == 2:
        states = _equal_weight(
            log_posterior[:, 1] - log_posterior[:, 0], weight, n_bins
        )
    else:
        states = _clusters(np.exp(0.5 * log_posterior), weight, n_bins)
    return np.unique(states, return_inverse=True)[1]


def _equal_weight(values: np.ndarray, weight: np.ndarray, n_bins: int) -> np.ndarray:
    """Bin by the share of weight below, half of the own value's share included.

    Equal values share a bin, and the reverse order gives the same bins.
    """
    levels, level = np.unique(values, return_inverse=True)
    mass = np.bincount(level, weight, minlength=len(levels))
    place = n_bins * (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    # A value whose middle lies on a border, as happens with integer weights, goes to
    # the bin that is nearer to the centre; on the centre, its sign decides.
    border = np.round(place)
    on_border = np.abs(place - border) < 1e-9
    up = np.where(2 * border == n_bins, levels > 0, 2 * border < n_bins)
    states = np.where(on_border, border - 1 + up, np.floor(place))
    return np.clip(states, 0, n_bins - 1).astype(np.int64)[level]


def _clusters(points: np.ndarray, weight: np.ndarray, n_bins: int) -> np.ndarray:
    """k-means of square roots of posteriors, started without chance.

    Euclidean distances of square roots are Hellinger distances. The start splits the
    cluster with the largest sum of squares at the mean of the coordinate with the
    largest variance, time and again; so the order of the rows does not matter.
    """
    drawn = weight > 0
    x, w = points[drawn], weight[drawn] / weight[drawn].mean()
    states = np.zeros(len(x), dtype=np.int64)
    squares = np.full((n_bins, points.shape[1]), 0.0)
    centre = np.zeros_like(squares)

    def describe(k: int) -> None:
        inside = states == k
        centre[k] = np.average(x[inside], axis=0, weights=w[inside])
        squares[k] = w[inside] @ (x[inside] - centre[k]) ** 2

    describe(0)
    n_states = 1
    # Below this, points differ by rounding only.
    least = len(x) * np.finfo(np.float64).eps
    while n_states < n_bins:
        k = int(squares.sum(axis=1).argmax())
        axis = int(squares[k].argmax())
        if squares[k, axis] <= least:
            break
        states[(states == k) & (x[:, axis] > centre[k, axis])] = n_states
        describe(k)
        describe(n_states)
        n_states += 1
    out = np.zeros(len(points), dtype=np.int64)
    if n_states > 1:
        means = KMeans(n_states, init=centre[:n_states], n_init=1, random_state=0)
        out = means.fit(x, sample_weight=w).predict(points).astype(np.int64)
    return out
