"""Prototypes and spreads of features, for each set of modalities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ._scores import confidence_loss, distances, log_halfnormal, similarities

# Sets of modalities that overall prototypes are averaged over. All of them up to six
# modalities; beyond that a draw.
MAX_OVERALL = 64
# Share of the half-normal distribution in the empirical one: it decides beyond the
# largest distance seen, where ranks are all the same.
TAIL = 0.01
# Spreads are at least this share of the spread of all sets: a class whose few rows
# coincide would find everything else impossible.
SPREAD_FLOOR = 1e-3

Features = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
# Distances, classes and weights.
Measured = tuple[np.ndarray, np.ndarray, np.ndarray]


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
        Sample weights.
    """

    features: Features
    y: np.ndarray
    weight: np.ndarray


@dataclass
class SubsetStatistics:
    """What features given one set of modalities look like, by class.

    Attributes
    ----------
    prototypes : ndarray of shape (K, D)
        Class means; NaN for a class without any.
    sigma : ndarray of shape (K,)
        Root mean squared distance to them.
    ratios : ndarray of shape (r,)
        Sorted distances divided by sigma.
    chances : ndarray of shape (K, r)
        Share of a class at least as far.
    """

    prototypes: np.ndarray
    sigma: np.ndarray
    ratios: np.ndarray
    chances: np.ndarray

    def log_plausibility(
        self, z: np.ndarray, label: np.ndarray, metric: str, ics: str
    ) -> np.ndarray:
        """Log of the chance that a member of a class lies as far from its prototype.

        Parameters
        ----------
        z : ndarray of shape (n, D)
            Features.
        label : ndarray of int of shape (n,)
            Class of each.
        metric : {"cosine", "euclidean"}
            The distance.
        ics : {"halfnormal", "empirical"}
            The distribution of distances.

        Returns
        -------
        ndarray of shape (n,)
            NaN where the class has no prototype.
        """
        d = distances(z, self.prototypes[label], metric)
        ratio = d / self.sigma[label]
        normal = log_halfnormal(ratio)
        if ics == "halfnormal" or not len(self.ratios):
            return normal
        place = np.searchsorted(self.ratios, ratio, side="left")
        # Nothing seen is farther than the last.
        table = np.concatenate([self.chances, np.zeros((len(self.sigma), 1))], axis=1)
        with np.errstate(divide="ignore"):
            ranked = np.log(table[label, place])
        out = np.logaddexp(np.log1p(-TAIL) + ranked, np.log(TAIL) + normal)
        return np.where(np.isnan(normal), np.nan, out)


class StatisticsTable:
    """Statistics of sets of modalities, computed when first met and kept.

    Parameters
    ----------
    n_modalities, n_classes : int
        Sizes.
    metric : {"cosine", "euclidean"}
        The metric.
    shrinkage : float
        Rows of the average class, as a share of their number, that the spread pooled
        over classes counts for.
    """

    def __init__(
        self, n_modalities: int, n_classes: int, metric: str, shrinkage: float
    ) -> None:
        self.n_modalities = n_modalities
        self.n_classes = n_classes
        self.metric = metric
        self.shrinkage = shrinkage
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
        subsets = overall_subsets(self.n_modalities, rng)
        means: list[np.ndarray] = []
        at_once: list[Measured | None] = []
        for subset in subsets:
            found = centers.features(subset)
            mean = self._means(centers, *found)
            means.append(mean)
            # Most sets have prototypes of their own, and features are dear.
            own = spreads is centers and not np.isnan(mean).any()
            at_once.append(self._distances(centers, *found, mean) if own else None)
        stack = np.stack(means)
        known = ~np.isnan(stack[:, :, 0])
        total = np.where(known[:, :, None], stack, 0.0).sum(axis=0)
        count = known.sum(axis=0)[:, None]
        self.overall = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        squares, mass = 0.0, 0.0
        measured = []
        for subset, mean, parts in zip(subsets, means, at_once):
            prototypes = np.where(np.isnan(mean), self.overall, mean)
            if parts is None:
                parts = self._apart(spreads, centers, subset, prototypes)
            d, _, weight = parts
            squares += float(weight @ (d * d))
            mass += float(weight.sum())
            measured.append((prototypes, *parts))
        self.pooled_ = squares / mass if mass > 0 and squares > 0 else 1.0
        for subset, every in zip(subsets, measured):
            self._known[subset.tobytes()] = self._summarise(*every)
        if len(subsets) < 2**self.n_modalities - 1:
            # Others are computed when they are met.
            self._rows = (centers, spreads)
        return self

    def __getitem__(self, subset: np.ndarray) -> SubsetStatistics:
        key = np.ascontiguousarray(subset, dtype=bool).tobytes()
        if key not in self._known:
            assert self._rows is not None
            centers, spreads = self._rows
            mean = self._means(centers, *centers.features(subset))
            prototypes = np.where(np.isnan(mean), self.overall, mean)
            parts = self._apart(spreads, centers, subset, prototypes)
            self._known[key] = self._summarise(prototypes, *parts)
        return self._known[key]

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
        log_p = np.empty(len(z))
        label = logits.argmax(axis=1)
        kinds, member = np.unique(masks, axis=0, return_inverse=True)
        member = member.reshape(-1)
        for k, kind in enumerate(kinds):
            rows = member == k
            log_p[rows] = self[kind].log_plausibility(
                z[rows], label[rows], self.metric, ics
            )
        return loss, log_p

    # -- parts -------------------------------------------------------------------------

    def _means(self, rows: Rows, z: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Class means of the features of some rows."""
        y, weight = rows.y[index], rows.weight[index]
        out = np.full((self.n_classes, z.shape[1]), np.nan)
        for k in np.unique(y):
            here = y == k
            out[k] = weight[here] @ z[here] / weight[here].sum()
        return out

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

    def _summarise(
        self, prototypes: np.ndarray, d: np.ndarray, y: np.ndarray, weight: np.ndarray
    ) -> SubsetStatistics:
        n_classes = self.n_classes
        mass = np.bincount(y, weight, minlength=n_classes)
        squares = np.bincount(y, weight * d * d, minlength=n_classes)
        total = mass.sum()
        pooled = squares.sum() / total if total > 0 else self.pooled_
        extra = self.shrinkage * total / n_classes
        count = mass + extra
        variance = np.where(
            count > 0,
            (squares + extra * pooled) / np.where(count > 0, count, 1),
            pooled,
        )
        sigma = np.sqrt(np.maximum(variance, SPREAD_FLOOR**2 * self.pooled_))
        ratio = d / sigma[y]
        order = np.argsort(ratio, kind="stable")
        ratio, y, weight = ratio[order], y[order], weight[order]
        own = np.zeros((n_classes, len(ratio)))
        own[y, np.arange(len(ratio))] = weight
        farther = np.cumsum(own[:, ::-1], axis=1)[:, ::-1]
        # The same mixture of own and pooled rows as for the spread.
        share = extra / total if total > 0 else 0.0
        chances = farther + share * farther.sum(axis=0)
        alone = count == 0
        chances[alone] = farther.sum(axis=0) / total if total > 0 else 0.0
        chances[~alone] /= count[~alone, None]
        return SubsetStatistics(prototypes, sigma, ratio, chances)


def overall_subsets(n_modalities: int, rng: np.random.RandomState) -> np.ndarray:
    """Non-empty sets of modalities, by size and then in lexicographic order.

    Parameters
    ----------
    n_modalities : int
        Number of modalities.
    rng : RandomState
        Draws :data:`MAX_OVERALL` of them where there are more.

    Returns
    -------
    ndarray of bool of shape (n_subsets, n_modalities)
    """
    if 2**n_modalities - 1 <= MAX_OVERALL:
        codes = np.arange(1, 2**n_modalities)
        bits = (codes[:, None] >> np.arange(n_modalities) & 1).astype(bool)
    else:
        # Every set as likely.
        drawn = rng.uniform(size=(4 * MAX_OVERALL, n_modalities)) < 0.5
        bits = np.unique(drawn[drawn.any(axis=1)], axis=0)
        bits = bits[np.sort(rng.permutation(len(bits))[:MAX_OVERALL])]
    places = [tuple(np.flatnonzero(b)) for b in bits]
    order = sorted(range(len(bits)), key=lambda i: (len(places[i]), places[i]))
    return np.ascontiguousarray(bits[order])
