"""Statistics of features, for each set of modalities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ._scores import confidence_loss, distances, log_halfnormal, similarities
from ._subset_statistics import (
    ClassMeans,
    FeatureRows,
    Measured,
    PooledVariance,
    Shrinkage,
    SubsetStatistics,
    Survival,
    log_empirical,
)

# Sets of modalities that overall prototypes are averaged over. All of them up to six
# modalities; beyond that a draw.
MAX_OVERALL = 64
# As many more of other sizes: what the statistics of all other sets are found from.
MAX_FURTHER = 64
# Smoothness of statistics as functions of the set: the variance of their level, how
# fast sets become unlike one another, and the noise of the statistics of a set.
SET_LEVEL, SETS_ALIKE, SET_NOISE = 10.0, 4.0, 0.01
# Different sets, and where each stands in a table of them.
Kinds = list[tuple[np.ndarray, Any]]


class Sources(NamedTuple):
    """Rows of the prototypes, and rows of the distances, best not trained on."""

    prototypes: FeatureRows
    distances: FeatureRows

    def of_distances(
        self, shrinkage: Shrinkage, subset: np.ndarray, prototypes: np.ndarray
    ) -> Measured:
        """Distances of the first rows of which any has the whole set."""
        features = self.distances.features(subset)
        if not len(features.z):
            features = self.prototypes.features(subset)
        return shrinkage.measure(features, prototypes)


class Pooled(NamedTuple):
    """Statistics of all sets together, which those of rare sets are shrunk towards."""

    prototypes: np.ndarray
    variance: PooledVariance


class KnownSets:
    """Statistics of all sets of few modalities."""

    def __init__(self, subsets: np.ndarray, statistics: list[SubsetStatistics]) -> None:
        self._known = {s.tobytes(): one for s, one in zip(subsets, statistics)}

    def __getitem__(self, subset: np.ndarray) -> SubsetStatistics:
        return self._known[np.ascontiguousarray(subset, dtype=bool).tobytes()]

    def at(
        self, kinds: Kinds, label: np.ndarray, n_features: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Prototypes (r, D) and standard deviations (r,) of sets and classes."""
        centers, sigma = np.empty((len(label), n_features)), np.empty(len(label))
        for kind, rows in kinds:
            one = self[kind]
            centers[rows] = one.prototypes[label[rows]]
            sigma[rows] = one.sigma[label[rows]]
        return centers, sigma

    def share(self, kinds: Kinds, ratio: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Share of the class of each row that is farther."""
        out = np.empty(len(ratio))
        for kind, rows in kinds:
            out[rows] = self[kind].survival(ratio[rows], label[rows])
        return out


class InterpolatedSets:
    """Statistics of any set of many modalities, from those of some sets.

    Prototypes and logarithms of standard deviations are smooth functions of the set:
    a sum over its members, and what sets with nearly the same members have in common.
    One distribution of distances, divided by standard deviations, serves for all sets.
    """

    def __init__(
        self,
        subsets: np.ndarray,
        statistics: list[SubsetStatistics],
        trust: np.ndarray,
        survival: Survival,
    ) -> None:
        self.subsets, self.survival = subsets, survival
        prototypes = np.stack([one.prototypes for one in statistics])
        self.center = prototypes.mean(axis=0)
        log_sigma = np.log(np.stack([one.sigma for one in statistics]))
        self.level = log_sigma.mean(axis=0)
        noise = np.diag(SET_NOISE / np.maximum(trust, SET_NOISE) ** 2)
        inverse = np.linalg.inv(set_kernel(subsets, subsets) + noise)
        # By class: a batch needs the products of its own classes only.
        gap = np.nan_to_num(prototypes - self.center).transpose(1, 0, 2)
        self.pull = inverse @ gap
        self.log_pull = inverse @ (log_sigma - self.level)

    def __getitem__(self, subset: np.ndarray) -> SubsetStatistics:
        close = set_kernel(np.asarray(subset)[None], self.subsets)
        prototypes = self.center + (close @ self.pull)[:, 0]
        sigma = np.exp(self.level + (close @ self.log_pull)[0])
        return SubsetStatistics(prototypes, sigma, self.survival)

    def at(
        self, kinds: Kinds, label: np.ndarray, n_features: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Prototypes (r, D) and standard deviations (r,) of sets and classes."""
        close = set_kernel(np.stack([kind for kind, _ in kinds]), self.subsets)
        log_sigma = self.level + close @ self.log_pull
        place = np.empty(len(label), dtype=int)
        for i, (_, rows) in enumerate(kinds):
            place[rows] = i
        centers = np.empty((len(label), n_features))
        for k in np.unique(label):
            rows = np.flatnonzero(label == k)
            centers[rows] = self.center[k] + (close @ self.pull[k])[place[rows]]
        return centers, np.exp(log_sigma[place, label])

    def share(
        self,
        kinds: Kinds,  # noqa: ARG002
        ratio: np.ndarray,
        label: np.ndarray,
    ) -> np.ndarray:
        """Share of the class of each row that is farther."""
        return self.survival(ratio, label)


def set_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Covariance of a smooth function at sets of modalities (u, M) and (v, M)."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    m, common = x.shape[1], x @ y.T
    differing = x.sum(axis=1)[:, None] + y.sum(axis=1) - 2.0 * common
    return SET_LEVEL + common / m + np.exp(-differing * SETS_ALIKE / m)


class Measurements(NamedTuple):
    """What a fit takes of each set: class means, prototypes and distances."""

    means: list[ClassMeans]
    overall: np.ndarray
    prototypes: list[np.ndarray]
    measured: list[Measured]

    @classmethod
    def of(
        cls, shrinkage: Shrinkage, sources: Sources, subsets: np.ndarray, n_overall: int
    ) -> Measurements:
        """Of some sets; overall prototypes are the mean over the first ones."""
        centers = sources.prototypes
        means, at_once = [], []
        for subset in subsets:
            features = centers.features(subset)
            means.append(shrinkage.means(features))
            # Most sets have prototypes of their own, and features are dear.
            own = sources.distances is centers and bool((means[-1].trust == 1).all())
            at_once.append(shrinkage.measure(features, means[-1].mean) if own else None)
        first = means[:n_overall]
        share = np.stack([m.trust for m in first])[:, :, None]
        total = (share * np.nan_to_num(np.stack([m.mean for m in first]))).sum(axis=0)
        count = share.sum(axis=0)
        overall = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
        prototypes = [shrinkage.prototypes(m, overall) for m in means]
        measured = [
            sources.of_distances(shrinkage, subset, center) if own is None else own
            for subset, center, own in zip(subsets, prototypes, at_once)
        ]
        return cls(means, overall, prototypes, measured)


@dataclass(eq=False)
class StatisticsTable:
    """Overall prototypes, and statistics by set of modalities."""

    shrinkage: Shrinkage
    pooled: Pooled
    sets: KnownSets | InterpolatedSets

    @classmethod
    def fit(
        cls, shrinkage: Shrinkage, sources: Sources, rng: np.random.RandomState
    ) -> StatisticsTable:
        """All sets of few modalities, or sets that are drawn."""
        present, y = sources.prototypes.present, sources.prototypes.y
        n_modalities = present.shape[1]
        subsets = overall_subsets(n_modalities, rng, present, y)
        n_overall, complete = len(subsets), len(subsets) == 2**n_modalities - 1
        if not complete:
            subsets = np.concatenate([subsets, further_subsets(subsets, rng, present)])
        means, overall, prototypes, measured = Measurements.of(
            shrinkage, sources, subsets, n_overall
        )
        sizes = [int(subset.sum()) for subset in subsets]
        variance = shrinkage.pool(sizes, measured, n_modalities)
        sigmas = [
            shrinkage.sigma(parts, size, variance)
            for parts, size in zip(measured, sizes)
        ]
        whole = Measured(
            np.concatenate([p.d / s[p.y] for p, s in zip(measured, sigmas)]),
            np.concatenate([parts.y for parts in measured]),
            np.concatenate([parts.weight for parts in measured]),
        )
        common = Survival.of(whole.d, np.zeros_like(whole.y), whole.weight, 1)
        # Of each set, or of all together where others are interpolated.
        one_sigma = np.ones(shrinkage.n_classes)
        pooled = None if complete else shrinkage.survival(whole, one_sigma, common)
        statistics = [
            SubsetStatistics(
                center, sigma, pooled or shrinkage.survival(parts, sigma, common)
            )
            for center, sigma, parts in zip(prototypes, sigmas, measured)
        ]
        if pooled is None:
            known: Any = KnownSets(subsets, statistics)
        else:
            trust = np.array([m.trust.mean() for m in means])
            known = InterpolatedSets(subsets, statistics, trust, pooled)
        return cls(shrinkage, Pooled(overall, variance), known)

    def __getitem__(self, subset: np.ndarray) -> SubsetStatistics:
        return self.sets[subset]

    def score(
        self,
        logits: np.ndarray,
        z: np.ndarray,
        masks: np.ndarray,
        temperature: float,
        ics: str,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Negative log-confidence and log-plausibility of features given masks."""
        distance = self.shrinkage.distance
        scores = similarities(z, self.pooled.prototypes, distance) / temperature
        loss = confidence_loss(scores)
        label = logits.argmax(axis=1)
        # What depends on the set is looked up set by set, and the rest done at once: a
        # single row meets as many sets as it has candidates.
        kinds = _by_kind(masks)
        centers, sigma = self.sets.at(kinds, label, z.shape[1])
        ratio = distances(z, centers, distance) / sigma
        if ics == "halfnormal":
            return loss, log_halfnormal(ratio)
        return loss, log_empirical(ratio, self.sets.share(kinds, ratio, label))


def _by_kind(masks: np.ndarray) -> Kinds:
    """Different rows of a table of bools, and where each stands."""
    if len(masks) == 1:
        return [(masks[0], slice(None))]
    packed = np.packbits(masks, axis=1)
    # One number, or one string of bytes, for each row.
    key = packed.view(f"V{packed.shape[1]}") if packed.shape[1] > 1 else packed
    _, first, kind = np.unique(key[:, 0], return_index=True, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(kind))[:-1])
    return [(masks[i], rows) for i, rows in zip(first, parts)]


def overall_subsets(
    n_modalities: int,
    rng: np.random.RandomState,
    present: np.ndarray | None = None,
    y: np.ndarray | None = None,
) -> np.ndarray:
    """Non-empty sets of modalities, by size and then in lexicographic order.

    Where there are more than MAX_OVERALL they are drawn, as parts of what rows have,
    every part of a row as likely. Classes take turns, so that each has a part in some
    set.
    """
    if 2**n_modalities - 1 <= MAX_OVERALL:
        codes = np.arange(1, 2**n_modalities)
        bits = (codes[:, None] >> np.arange(n_modalities) & 1).astype(bool)
    else:
        if present is None:
            present = np.ones((1, n_modalities), dtype=bool)
        members = [np.arange(len(present))]
        if y is not None:
            members = [np.flatnonzero(y == k) for k in np.unique(y)]
        found: dict[bytes, np.ndarray] = {}
        for i in range(4 * max(MAX_OVERALL, len(members))):
            if len(found) >= MAX_OVERALL and i >= len(members):
                break
            turn = members[i % len(members)]
            row = present[turn[rng.randint(len(turn))]]
            part = row & (rng.uniform(size=n_modalities) < 0.5)
            if not part.any():
                part = row
            found[part.tobytes()] = part
        bits = np.stack(list(found.values()))
    return _in_order(bits)


def further_subsets(
    subsets: np.ndarray, rng: np.random.RandomState, present: np.ndarray
) -> np.ndarray:
    """Sets beside those given: parts of what rows have, every size as likely.

    As many as asked for, or as there are among a number of draws.
    """
    known = {subset.tobytes() for subset in subsets}
    found: dict[bytes, np.ndarray] = {}
    for _ in range(8 * MAX_FURTHER):
        if len(found) == MAX_FURTHER:
            break
        members = np.flatnonzero(present[rng.randint(len(present))])
        chosen = rng.permutation(members)[: rng.randint(1, len(members) + 1)]
        part = np.isin(np.arange(present.shape[1]), chosen)
        if part.tobytes() not in known:
            found[part.tobytes()] = part
    bits = np.stack(list(found.values())) if found else subsets[:0]
    return _in_order(bits)


def _in_order(bits: np.ndarray) -> np.ndarray:
    """Sets by size, and then in lexicographic order."""
    places = [tuple(np.flatnonzero(b)) for b in bits]
    order = sorted(range(len(bits)), key=lambda i: (len(places[i]), places[i]))
    return np.ascontiguousarray(bits[order])
