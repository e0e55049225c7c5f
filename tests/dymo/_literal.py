"""The method written down plainly: slow loops over rows, with no log space."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.stats import norm


def softmax(s):
    e = np.exp(s - s.max())
    return e / e.sum()


def confidence(z, overall, distance, temperature):
    if distance == "cosine":
        s = np.array([z @ c for c in overall])
    else:
        s = np.array([-np.sum((z - c) ** 2) for c in overall])
    return softmax(s / temperature).max()


def plausibility(logits, z, prototypes, sigma, distance):
    k = int(np.argmax(logits))
    if distance == "cosine":
        d = 1 - z @ prototypes[k]
    else:
        d = np.sqrt(np.sum((z - prototypes[k]) ** 2))
    return 2 * (1 - norm.cdf(d / sigma[k]))


def alpha_of(p_before, p_after, calibration, eps=1e-9):
    if calibration is None or p_after >= p_before:
        return 1.0
    if calibration == "log":
        return np.log(p_before) / np.log(p_after + eps)
    return p_after / (p_before + eps)


def statistics(forward, y, n_modalities, n_classes, distance):
    """Prototypes and root mean squared distances of every set, of complete rows."""
    prototypes, sigmas = {}, {}
    for size in range(1, n_modalities + 1):
        for chosen in combinations(range(n_modalities), size):
            mask = np.isin(np.arange(n_modalities), chosen)
            z = [forward(row, mask)[1] for row in range(len(y))]
            means, own = [], []
            for k in range(n_classes):
                members = [one for one, label in zip(z, y) if label == k]
                c = sum(members) / len(members)
                if distance == "cosine":
                    d = [1 - one @ c for one in members]
                else:
                    d = [np.sqrt(np.sum((one - c) ** 2)) for one in members]
                means.append(c)
                own.append(np.sqrt(np.mean(np.square(d))))
            prototypes[chosen], sigmas[chosen] = np.array(means), np.array(own)
    return sum(prototypes.values()) / len(prototypes), prototypes, sigmas


class Literal:
    """The published loop: every pass anew for every row, candidate and round.

    Parameters
    ----------
    forward : callable
        Takes a row number and a mask; returns logits and features.
    overall : ndarray of shape (K, D)
    tables : callable
        Takes a mask; returns the prototypes and sigmas of that set.
    log : bool
        The reward as a difference of logarithms.
    eps : float
        Beside probabilities in the published formulas.
    """

    def __init__(
        self, forward, overall, tables, distance, temperature, *, log=False, eps=1e-9
    ):
        self.forward = forward
        self.overall = overall
        self.tables = tables
        self.distance = distance
        self.temperature = temperature
        self.log, self.eps = log, eps
        self.n_passes = 0

    def run(self, row, mask):
        self.n_passes += 1
        return self.forward(row, mask)

    def reward(self, row, mask, u, calibration):
        after = mask.copy()
        after[u] = True
        values = []
        for m in (mask, after):
            logits, z = self.run(row, m)
            q = confidence(z, self.overall, self.distance, self.temperature)
            p = plausibility(logits, z, *self.tables(m), self.distance)
            values.append((q, p))
        (q0, p0), (q1, p1) = values
        alpha = alpha_of(p0, p1, calibration, self.eps)
        return np.log(alpha * q1) - np.log(q0) if self.log else alpha * q1 - q0

    def select(self, row, present, candidates, selection, calibration):
        """Logits, mask, and rewards as (step, modality, reward)."""
        mask = present.copy()
        history = []
        if selection == "all":
            mask |= candidates
        elif selection == "simultaneous":
            start = mask.copy()
            for u in np.flatnonzero(candidates & ~start):
                r = self.reward(row, start, u, calibration)
                history.append((0, u, r))
                if r > 0:
                    mask[u] = True
        elif selection == "iterative":
            bad = ~candidates
            step = 0
            while True:
                scored = {}
                for u in np.flatnonzero(~mask & ~bad):
                    scored[u] = self.reward(row, mask, u, calibration)
                    history.append((step, u, scored[u]))
                for u, r in scored.items():
                    if not r > 0:
                        bad[u] = True
                good = {u: r for u, r in scored.items() if r > 0}
                if not good:
                    break
                best = max(good.values())
                mask[min(u for u, r in good.items() if r == best)] = True
                step += 1
        return self.run(row, mask)[0], mask, history
