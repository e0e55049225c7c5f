"""Prototypes and spreads of features, for each set of modalities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._scores import confidence_loss, distances, log_halfnormal, similarities
from ._typicality import Measured, SubsetStatistics, Survival, log_empirical

# Sets of modalities that overall prototypes are averaged over. All of them up to six
# modalities; beyond that a draw.
MAX_OVERALL = 64
# Statistics of sets that are kept; those of further ones are computed again.
MAX_KEPT = 4096
# Spreads are at least this share of the spread of all sets: a class whose few rows
# coincide would find everything else impossible.
SPREAD_FLOOR = 1e-3

Features = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass
class Rows:
    """Rows that statistics are taken from.

    Attributes
    ----------
    features : callable
        Takes a set of modalities as a bool array (M,); returns features (r, D) of the
        rows that have them all, and which rows (r,) these are.
    y : ndarray of int of shape (n,)
        Class indices.
    weight : ndarray of shape (n,)
        Sample weights; positive.
    present : ndarray of bool of shape (n, M)
        What the rows have.
    """

    features: Features
    y: np.ndarray
    weight: np.ndarray
    present: np.ndarray


class StatisticsTable:
    """Statistics of sets of modalities: some at once, others when first met.

    Rare ones are drawn towards more common ones, the more the fewer rows they have:
    prototypes of a class towards its overall prototype, spreads and distributions of
    distances towards those of all classes of the set, and these towards those of sets
    of the same size. The only row of a set lies on its own mean, and would find every
    other row impossible.

    Parameters
    ----------
    n_modalities, n_classes : int
        Sizes.
    metric : {"cosine", "euclidean"}
        The metric.
    shrinkage : float
        Rows of the average class, as a share of their number, that the spread pooled
        over classes counts for.
    min_rows : int
        Rows from which on a class is not drawn further towards others.
    """

    def __init__(
        self,
        n_modalities: int,
        n_classes: int,
        metric: str,
        shrinkage: float,
        min_rows: int = 1,
    ) -> None:
        self.n_modalities = n_modalities
        self.n_classes = n_classes
        self.metric = metric
        self.shrinkage = shrinkage
        self.min_rows = min_rows
        self._known: dict[bytes, SubsetStatistics] = {}
        self._rows: tuple[Rows, Rows] | None = None

    def fit(
        self, centers: Rows, spreads: Rows, rng: np.random.RandomState
    ) -> StatisticsTable:
        """Compute overall prototypes, and what comes with them.

        Parameters
        ----------
        centers : Rows
            Where prototypes come from.
        spreads : Rows
            Where spreads come from, best rows that the net was not trained on.
        rng : RandomState
            Draws sets where there are too many.

        Returns
        -------
        self
        """
        subsets = overall_subsets(self.n_modalities, rng, centers.present, centers.y)
        means: list[np.ndarray] = []
        trusts: list[np.ndarray] = []
        at_once: list[Measured | None] = []
        for subset in subsets:
            found = centers.features(subset)
            mean, trust = self._means(centers, *found)
            means.append(mean)
            trusts.append(trust)
            # Most sets have prototypes of their own, and features are dear.
            own = spreads is centers and bool((trust == 1).all())
            at_once.append(self._distances(centers, *found, mean) if own else None)
        share = np.stack(trusts)[:, :, None]
        total = (share * np.nan_to_num(np.stack(means))).sum(axis=0)
        count = share.sum(axis=0)
        self.overall = np.where(
            count > 0, total / np.where(count > 0, count, 1), np.nan
        )
        measured: list[tuple[np.ndarray, Measured]] = []
        squares, mass, number = np.zeros((3, self.n_modalities + 1))
        for subset, mean, trust, parts in zip(subsets, means, trusts, at_once):
            prototypes = self._drawn(mean, trust)
            if parts is None:
                parts = self._apart(spreads, centers, subset, prototypes)
            d, _, weight = parts
            squares[subset.sum()] += weight @ (d * d)
            mass[subset.sum()] += weight.sum()
            number[subset.sum()] += len(d)
            measured.append((prototypes, parts))
        enough = mass.sum() > 0 and squares.sum() > 0
        self.pooled_ = float(squares.sum() / mass.sum()) if enough else 1.0
        share = np.minimum(number / (self.min_rows * self.n_classes), 1.0)
        own_size = squares / np.where(mass > 0, mass, 1.0)
        self._by_size = share * own_size + (1.0 - share) * self.pooled_
        sigmas = [self._spread(*parts, s.sum()) for s, (_, parts) in
                  zip(subsets, measured)]  # fmt: skip
        every = [(d / sigma[y], weight) for sigma, (_, (d, y, weight)) in
                 zip(sigmas, measured)]  # fmt: skip
        ratio, weight = (np.concatenate(part) for part in zip(*every))
        self._common = Survival.of(ratio, np.zeros(len(ratio), dtype=int), weight, 1)
        for subset, sigma, (prototypes, parts) in zip(subsets, sigmas, measured):
            self._known[subset.tobytes()] = SubsetStatistics(
                prototypes, sigma, self._survival(*parts, sigma)
            )
        if len(subsets) < 2**self.n_modalities - 1:
            # Others are computed when they are met.
            self._rows = (centers, spreads)
        return self

    def __getitem__(self, subset: np.ndarray) -> SubsetStatistics:
        key = np.ascontiguousarray(subset, dtype=bool).tobytes()
        if key in self._known:
            return self._known[key]
        assert self._rows is not None
        centers, spreads = self._rows
        prototypes = self._drawn(*self._means(centers, *centers.features(subset)))
        parts = self._apart(spreads, centers, subset, prototypes)
        sigma = self._spread(*parts, int(np.sum(subset)))
        out = SubsetStatistics(prototypes, sigma, self._survival(*parts, sigma))
        if len(self._known) < MAX_KEPT:
            self._known[key] = out
        return out

    def score(
        self,
        logits: np.ndarray,
        z: np.ndarray,
        masks: np.ndarray,
        temperature: float,
        ics: str,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Confidence and plausibility of features.

        Parameters
        ----------
        logits, z : ndarray of shape (n, K) and (n, D)
            What the net says.
        masks : ndarray of bool of shape (n, M)
            Given which modalities.
        temperature : float
            Of the softmax of similarities.
        ics : {"halfnormal", "empirical"}
            The distribution of distances.

        Returns
        -------
        loss, log_p : ndarray of shape (n,)
            Negative log-confidence, log-plausibility.
        """
        loss = confidence_loss(similarities(z, self.overall, self.metric) / temperature)
        label = logits.argmax(axis=1)
        # What depends on the set is looked up set by set, and the rest done at once: a
        # single row meets as many sets as it has candidates.
        sets = [(self[kind], rows) for kind, rows in _by_kind(masks)]
        centers, sigma = np.empty_like(z), np.empty(len(z))
        for one, rows in sets:
            centers[rows] = one.prototypes[label[rows]]
            sigma[rows] = one.sigma[label[rows]]
        ratio = distances(z, centers, self.metric) / sigma
        if ics == "halfnormal":
            return loss, log_halfnormal(ratio)
        share = np.empty(len(z))
        for one, rows in sets:
            share[rows] = one.survival(ratio[rows], label[rows])
        return loss, log_empirical(ratio, share)

    # -- parts -------------------------------------------------------------------------

    def _trust(self, y: np.ndarray) -> np.ndarray:
        """From 0 to 1 by the number of rows of each class, shape (K,)."""
        return np.minimum(np.bincount(y, minlength=self.n_classes) / self.min_rows, 1.0)

    def _means(
        self, rows: Rows, z: np.ndarray, index: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Class means of the features of some rows, and how far to trust them."""
        y, weight = rows.y[index], rows.weight[index]
        out = np.full((self.n_classes, z.shape[1]), np.nan)
        for k in np.unique(y):
            here = y == k
            out[k] = weight[here] @ z[here] / weight[here].sum()
        return out, self._trust(y)

    def _drawn(self, mean: np.ndarray, trust: np.ndarray) -> np.ndarray:
        """Class means, drawn towards overall prototypes where rows are few."""
        share = trust[:, None]
        blend = share * np.nan_to_num(mean) + (1.0 - share) * self.overall
        return np.where(share == 1, mean, blend)

    def _distances(
        self, rows: Rows, z: np.ndarray, index: np.ndarray, prototypes: np.ndarray
    ) -> Measured:
        """Distances of rows to the prototypes of their class, classes and weights."""
        y, weight = rows.y[index], rows.weight[index]
        d = distances(z, prototypes[y], self.metric)
        known = ~np.isnan(d)
        return d[known], y[known], weight[known]

    def _apart(
        self, spreads: Rows, centers: Rows, subset: np.ndarray, prototypes: np.ndarray
    ) -> Measured:
        """Distances of the first rows of which some have the whole set."""
        for rows in (spreads, centers):
            z, index = rows.features(subset)
            if len(index):
                break
        return self._distances(rows, z, index, prototypes)

    def _spread(
        self, d: np.ndarray, y: np.ndarray, weight: np.ndarray, size: int
    ) -> np.ndarray:
        """Root mean squared distance of each class, shape (K,)."""
        mass = np.bincount(y, weight, minlength=self.n_classes)
        squares = np.bincount(y, weight * d * d, minlength=self.n_classes)
        pooled = self._by_size[size]
        if len(d):
            whole = min(len(d) / self.min_rows, 1.0)
            pooled = whole * squares.sum() / mass.sum() + (1.0 - whole) * pooled
        extra = self.shrinkage * mass.sum() / self.n_classes
        count = np.where(mass + extra > 0, mass + extra, 1.0)
        trust = self._trust(y)
        variance = trust * (squares + extra * pooled) / count + (1.0 - trust) * pooled
        return np.sqrt(np.maximum(variance, SPREAD_FLOOR**2 * self.pooled_))

    def _survival(
        self, d: np.ndarray, y: np.ndarray, weight: np.ndarray, sigma: np.ndarray
    ) -> Survival:
        """The same mixtures of distributions as of spreads."""
        ratio = d / sigma[y]
        whole = min(len(d) / self.min_rows, 1.0)
        # As far as what it is mixed with.
        top = float(self._common.at[-1]) if whole < 1 else 1.0
        own = Survival.of(ratio, y, weight, self.n_classes, top)
        everyone = np.zeros(len(own.at), dtype=int)
        pooled = self._common(own.at, everyone) if whole < 1 else np.zeros(len(own.at))
        if len(d):
            of_set = Survival.of(ratio, np.zeros_like(y), weight, 1, top).shares[0]
            pooled = whole * of_set + (1.0 - whole) * pooled
        mass = np.bincount(y, weight, minlength=self.n_classes)
        extra = self.shrinkage * mass.sum() / self.n_classes
        count = np.where(mass + extra > 0, mass + extra, 1.0)[:, None]
        trust = self._trust(y)[:, None]
        mixed = (mass[:, None] * np.nan_to_num(own.shares) + extra * pooled) / count
        own.shares = trust * mixed + (1.0 - trust) * pooled
        return own


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

    Parameters
    ----------
    n_modalities : int
        Number of modalities.
    rng : RandomState
        Draws :data:`MAX_OVERALL` of them where there are more.
    present : ndarray of bool of shape (n, n_modalities), default=None
        What rows have; at least one modality each. Sets drawn are parts of it, every
        part of a row as likely. None: complete rows.
    y : ndarray of int of shape (n,), default=None
        Their classes, which take turns, so that each has a part in some set.

    Returns
    -------
    ndarray of bool of shape (n_subsets, n_modalities)
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
