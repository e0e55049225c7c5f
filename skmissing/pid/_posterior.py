"""Decomposition through posteriors, which are sufficient statistics of the sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans

from ._decomposition import (
    Draw,
    Evaluation,
    count_table,
    decompose,
    make_job,
    plain_terms,
)
from ._sources import Pair, Source, union
from ._stacking import calibrate, mean_error, tilt

MAX_BINS = 40
# Classes times bins of a source: the decomposition of a table solves systems of so many
# equations, in half a gigabyte and some seconds a step at most.
MAX_POTENTIALS = 2_000


class Calibrated(NamedTuple):
    """Posteriors of every source, and the weights that they are calibrated for.

    Logarithms (n, K) are ``-inf`` for classes without weight. ``weight`` and ``prior``
    sum to 1, ``nats`` are informations about held-out rows, ``errors`` their standard
    errors.
    """

    log_posterior: dict[Source, np.ndarray]
    nats: dict[Source, float]
    weight: np.ndarray
    prior: np.ndarray
    errors: dict[Source, float]

    @property
    def bits(self) -> dict[Source, float]:
        """Held-out information in bits."""
        return {s: float(nats / np.log(2.0)) for s, nats in self.nats.items()}


@dataclass(eq=False, repr=False)
class HeldOutTables:
    """Logarithm of posterior over prior (n, K) of every source, by models of folds."""

    log_ratio: dict[Source, np.ndarray]
    folds: np.ndarray
    pairs: list[Pair]
    groups: np.ndarray | None

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return next(iter(self.log_ratio.values())).shape[1]

    def calibrate(self, codes: np.ndarray, weight: np.ndarray) -> Calibrated:
        """Posteriors of all rows; those that are not drawn have weight 0."""
        weight = weight / weight.sum()
        prior = np.bincount(codes, weight, minlength=self.n_classes)
        with np.errstate(divide="ignore"):
            log_prior = np.log(prior)
        drawn = np.flatnonzero(weight > 0)
        found = Calibrated({}, {}, weight, prior, {})
        for source, ratio in self.log_ratio.items():
            exponent = calibrate(ratio, self.folds, codes, weight, log_prior)
            posterior = tilt(ratio, exponent[self.folds, None], log_prior)
            gain = posterior[drawn, codes[drawn]] - log_prior[codes[drawn]]
            found.log_posterior[source] = posterior
            found.nats[source] = float(weight[drawn] @ gain)
            groups = None if self.groups is None else self.groups[drawn]
            found.errors[source] = mean_error(gain, weight[drawn], groups)
        return found


@dataclass(eq=False, repr=False)
class PosteriorTables(HeldOutTables):
    """Calibrates, quantises and decomposes held-out posteriors."""

    n_bins: int | str

    def evaluate(self, codes: np.ndarray, weight: np.ndarray) -> Evaluation:
        """Decompose every pair; rows that are not drawn have weight 0."""
        found, states, tables = self._count(codes, weight)
        held_out = found.bits
        out = [decompose(pair, tables, held_out[union(pair)]) for pair in self.pairs]
        n_states = {s: int(v.max()) + 1 for s, v in states.items()}
        error = found.errors[union(self.pairs[0])] / np.log(2.0)
        return Evaluation(out, held_out, n_states, states, error)

    def plain_terms(self, draws: list[Draw]) -> np.ndarray:
        """Plain terms of all pairs for several labels and weights."""
        jobs = []
        for codes, weight in draws:
            found, _, tables = self._count(codes, weight)
            held_out = found.bits
            jobs.append(
                [make_job(pair, tables, held_out[union(pair)]) for pair in self.pairs]
            )
        return plain_terms(jobs)

    def _count(self, codes: np.ndarray, weight: np.ndarray):
        """Held-out posteriors, and states and table of each source."""
        found = self.calibrate(codes, weight)
        states, tables = {}, {}
        for source in dict.fromkeys(s for pair in self.pairs if pair[1] for s in pair):
            n_bins = self._count_bins(found.nats[source], found.weight)
            states[source] = quantise(found.log_posterior[source], found.weight, n_bins)
            tables[source] = count_table(
                codes, states[source], found.weight, self.n_classes
            )
        return found, states, tables

    def _count_bins(self, nats: float, weight: np.ndarray) -> int:
        """Bins that balance what quantising loses against the bias of a table.

        With b bins of a K-class posterior the loss falls about as information / b^2
        and the bias rises as b (K - 1) / (2 n), so that the sum is smallest for b
        proportional to the cube root of n times the information over K - 1. The
        factor was chosen for smooth posteriors whose bias is corrected. A source
        without information about held-out rows gets two bins, and so do all of many
        hundred classes, for which a table of more would take too long.
        """
        if self.n_bins != "auto":
            return int(self.n_bins)
        n = 1.0 / float(weight @ weight)
        size = 2.5 * np.cbrt(n * max(nats, 0.0) / (self.n_classes - 1))
        most = min(MAX_BINS, MAX_POTENTIALS // self.n_classes)
        return int(np.clip(np.ceil(size), 2, max(2, most)))


def quantise(log_posterior: np.ndarray, weight: np.ndarray, n_bins: int) -> np.ndarray:
    """States of about equal weight (two classes) or clusters, from 0 without gaps."""
    if log_posterior.shape[1] == 2:
        odds = log_posterior[:, 1] - log_posterior[:, 0]
        states = _equal_weight(odds, weight, n_bins)
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
