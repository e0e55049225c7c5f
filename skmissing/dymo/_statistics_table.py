"""Statistics of features, for each set of modalities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ._scores import confidence_loss, distances, log_halfnormal, similarities
from ._subset_statistics import (
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
# Statistics of sets that are kept; those of further ones are computed again.
MAX_KEPT = 4096


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
    survival: Survival


@dataclass(eq=False)
class StatisticsTable:
    """Statistics by set of modalities: of some at once, of others when first met.

    ``sources`` is None where all sets are known.
    """

    shrinkage: Shrinkage
    pooled: Pooled
    known: dict[bytes, SubsetStatistics]
    sources: Sources | None

    @classmethod
    def fit(
        cls, shrinkage: Shrinkage, sources: Sources, rng: np.random.RandomState
    ) -> StatisticsTable:
        """All sets of few modalities, or sets that are drawn."""
        centers = sources.prototypes
        n_modalities = centers.present.shape[1]
        subsets = overall_subsets(n_modalities, rng, centers.present, centers.y)
        means, at_once = [], []
        for subset in subsets:
            features = centers.features(subset)
            means.append(shrinkage.means(features))
            # Most sets have prototypes of their own, and features are dear.
            own = sources.distances is centers and bool((means[-1].trust == 1).all())
            at_once.append(shrinkage.measure(features, means[-1].mean) if own else None)
        share = np.stack([m.trust for m in means])[:, :, None]
        total = (share * np.nan_to_num(np.stack([m.mean for m in means]))).sum(axis=0)
        count = share.sum(axis=0)
        overall = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
        prototypes = [shrinkage.prototypes(m, overall) for m in means]
        measured = [
            sources.of_distances(shrinkage, subset, centers) if own is None else own
            for subset, centers, own in zip(subsets, prototypes, at_once)
        ]
        sizes = [int(subset.sum()) for subset in subsets]
        variance = shrinkage.pool(sizes, measured, n_modalities)
        sigmas = [
            shrinkage.sigma(parts, size, variance)
            for parts, size in zip(measured, sizes)
        ]
        ratio = np.concatenate([p.d / s[p.y] for p, s in zip(measured, sigmas)])
        weight = np.concatenate([parts.weight for parts in measured])
        common = Survival.of(ratio, np.zeros(len(ratio), dtype=int), weight, 1)
        known = {
            subset.tobytes(): SubsetStatistics(
                centers, sigma, shrinkage.survival(parts, sigma, common)
            )
            for subset, centers, sigma, parts in zip(
                subsets, prototypes, sigmas, measured
            )
        }
        all_known = len(subsets) == 2**n_modalities - 1
        pooled = Pooled(overall, variance, common)
        return cls(shrinkage, pooled, known, None if all_known else sources)

    def __getitem__(self, subset: np.ndarray) -> SubsetStatistics:
        key = np.ascontiguousarray(subset, dtype=bool).tobytes()
        if key in self.known:
            return self.known[key]
        assert self.sources is not None
        means = self.shrinkage.means(self.sources.prototypes.features(subset))
        prototypes = self.shrinkage.prototypes(means, self.pooled.prototypes)
        parts = self.sources.of_distances(self.shrinkage, subset, prototypes)
        sigma = self.shrinkage.sigma(parts, int(np.sum(subset)), self.pooled.variance)
        survival = self.shrinkage.survival(parts, sigma, self.pooled.survival)
        out = SubsetStatistics(prototypes, sigma, survival)
        if len(self.known) < MAX_KEPT:
            self.known[key] = out
        return out

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
        sets = [(self[kind], rows) for kind, rows in _by_kind(masks)]
        centers, sigma = np.empty_like(z), np.empty(len(z))
        for one, rows in sets:
            centers[rows] = one.prototypes[label[rows]]
            sigma[rows] = one.sigma[label[rows]]
        ratio = distances(z, centers, distance) / sigma
        if ics == "halfnormal":
            return loss, log_halfnormal(ratio)
        share = np.empty(len(z))
        for one, rows in sets:
            share[rows] = one.survival(ratio[rows], label[rows])
        return loss, log_empirical(ratio, share)


def _by_kind(masks: np.ndarray) -> list[tuple[np.ndarray, Any]]:
    """Different rows of a table of bools, and where each stands."""
    if len(masks) == 1:
        return [(masks[0], slice(None))]
    packed = np.packbits(masks, axis=1)
    # One number, or one string of bytes, for each row.
    key = packed.view(f"V{packed.shape[1]}") if packed.shape[1] > 1 else packed
    _, first, kind = np.unique(key[:, 0], return_index=True, return_inverse=True)
    return [(masks[i], kind == k) for k, i in enumerate(first)]


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
    places = [tuple(np.flatnonzero(b)) for b in bits]
    order = sorted(range(len(bits)), key=lambda i: (len(places[i]), places[i]))
    return np.ascontiguousarray(bits[order])
