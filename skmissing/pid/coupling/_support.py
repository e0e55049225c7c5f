"""Rows as points of small, representative problems with the same class totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp

from .._posterior import quantise

# Points that a problem is made of, about. Time grows as the cube in the adjoint
# equations and as the square elsewhere, for fewer problems in inverse proportion.
N_POINTS = 192
# Layers of equal mass, each of which gives every problem the same share.
N_LAYERS = 64
# Logarithm of the smallest probability. What is less likely adds less to an information
# than rounding does, but zeros would need a support of their own.
SMALLEST = -60.0
# Clusters that order the posteriors of more than two classes.
N_CLUSTERS = 24


@dataclass(frozen=True)
class Points:
    """Distinct rows of one source, in an order where neighbours have like posteriors.

    ``inputs`` (n, n_inputs) are those of the nets, ``log_posterior`` (n, K) is
    calibrated, and ``mass`` sums to 1.
    """

    inputs: np.ndarray
    log_posterior: np.ndarray
    mass: np.ndarray


@dataclass(frozen=True)
class Marginal:
    """One source in one problem: inputs of the nets, positive ``P(y, x)`` (K, n)."""

    inputs: np.ndarray
    table: np.ndarray


class Share(NamedTuple):
    """Points of one problem and their masses, which sum to 1."""

    points: np.ndarray
    mass: np.ndarray


def merge_rows(
    features: np.ndarray,
    log_posterior: np.ndarray,
    weight: np.ndarray,
    live: np.ndarray,
) -> Points:
    """Merge equal rows, and put them in order; ``live`` are the classes with weight.

    The nets see the features and the log-odds: the best coupling is a function of the
    posteriors, which are sufficient statistics, and need not be found in the features.
    """
    drawn = weight > 0
    posterior = np.maximum(log_posterior[np.ix_(drawn, live)], SMALLEST)
    # Posteriors that differ by less do so by rounding.
    odds = np.zeros((len(posterior), log_posterior.shape[1]))
    odds[:, live] = np.round(posterior - posterior[:, :1], 10)
    n_odds = odds.shape[1] - 1
    inputs = np.hstack([odds[:, 1:], features[drawn]])
    rows, first, number = np.unique(
        inputs, axis=0, return_index=True, return_inverse=True
    )
    mass = np.bincount(number.ravel(), weight[drawn], minlength=len(rows))
    posterior = posterior[first]
    order = np.arange(len(rows))
    if len(live) > 2:
        cluster = quantise(posterior, mass, min(N_CLUSTERS, len(rows)))
        order = np.lexsort([posterior[:, -1], cluster])
    # Certain posteriors would dwarf everything else.
    rows[:, :n_odds] = np.arcsinh(rows[:, :n_odds])
    return Points(rows[order], posterior[order], mass[order] / mass.sum())


def deal(mass: np.ndarray, n_problems: int, rng: np.random.RandomState) -> list[Share]:
    """Deal ordered points out so that every problem stands for all of them.

    The order is cut into layers of equal mass and each layer into one part of equal
    mass for each problem; a point on a cut is shared. So all mass is used, problems
    have equal mass whatever the weights are, and their marginals differ by much less
    than those of rows drawn at random would.
    """
    n_cells = N_LAYERS * n_problems
    if n_problems == 1:
        return [Share(np.arange(len(mass)), mass)]
    ends = np.cumsum(mass)
    ends /= ends[-1]
    edges = np.union1d(ends, np.arange(n_cells + 1) / n_cells)
    width, middle = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    point = np.minimum(np.searchsorted(ends, middle), len(mass) - 1)
    layer, part = np.divmod((middle * n_cells).astype(np.intp), n_problems)
    turn = np.argsort(rng.uniform(size=(N_LAYERS, n_problems)), axis=1)
    problem = turn[layer, part]
    out = []
    for k in range(n_problems):
        # Slivers come from rounding where a point ends on a cut.
        mine = (problem == k) & (width > 1e-12)
        points, number = np.unique(point[mine], return_inverse=True)
        share = np.bincount(number, width[mine])
        out.append(Share(points, share / share.sum()))
    return out


def rake(log_posterior: np.ndarray, mass: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Joint probabilities (K, n) with given masses and class totals.

    Among all tables of these marginals the one that is nearest to ``mass * posterior``
    in the Kullback-Leibler divergence: the posteriors times one factor per class,
    normalised. Two different models disagree on the class totals; unless they are made
    to agree no coupling of the two exists. Newton's method on the logarithms of the
    factors, whose potential is convex.
    """
    factor = np.zeros(len(total))

    def potential(c: np.ndarray) -> float:
        return float(mass @ logsumexp(log_posterior + c, axis=1) - total @ c)

    value = potential(factor)
    for _ in range(100):
        p = np.exp(log_softmax(log_posterior + factor, axis=1))
        now = mass @ p
        gradient = now - total
        if np.abs(gradient).max() < 1e-14:
            break
        hessian = np.diag(now) - p.T @ (mass[:, None] * p)
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-13)[0]
        # Where posteriors are all but certain the curvature is tiny and a full step
        # far too long.
        step *= min(1.0, 5.0 / max(np.abs(step).max(), 1e-300))
        while True:
            trial = potential(factor + step)
            if trial <= value or np.abs(step).max() < 1e-14:
                break
            step *= 0.5
        if np.abs(step).max() < 1e-14:
            break
        factor, value = factor + step, trial
    table = mass * np.exp(log_softmax(log_posterior + factor, axis=1)).T
    # What rounding left, and no more than that.
    return table * (total / table.sum(axis=1))[:, None]


def make_problems(
    first: Points, second: Points, total: np.ndarray, rng: np.random.RandomState
) -> list[tuple[Marginal, Marginal]]:
    """Problems that together use every row of both sources.

    A coupling sees its sources only through their marginals with the label: which row
    of one source came with which row of the other does not matter. So each source is
    dealt out by itself.
    """
    size = max(len(first.mass), len(second.mass))
    n_problems = 1 if size <= N_POINTS else -(-size // (2 * N_LAYERS))

    def side(points: Points) -> list[Marginal]:
        out = []
        for rows, mass in deal(points.mass, n_problems, rng):
            table = rake(points.log_posterior[rows], mass, total)
            out.append(Marginal(points.inputs[rows], table))
        return out

    return list(zip(side(first), side(second)))
