"""A log-linear pool of several classifiers, with weights that depend on the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

# Total weight of the rows, whatever their number: a weight of 2 is then two rows, and
# only ratios of weights matter.
MASS = 1000.0
# Precision of the prior of the effects of modalities on weights: none with the first,
# effects of about 2 with the last.
SHRINKAGES = (np.inf, 300.0, 30.0, 3.0, 0.3)
# Precision of the prior of the common weights, whose mean is an equal share: it counts
# where the labels say almost nothing, as with members that never err.
COMMON = 1.0


@dataclass(frozen=True)
class HeldOutRatios:
    """What members say of rows that they were not fitted on.

    Attributes
    ----------
    ratios : ndarray of shape (n, n_members, n_classes)
        Logarithm of the probability by each member over the prior.
    present : ndarray of bool of shape (n, n_modalities)
        What the members saw of each row.
    y : ndarray of int of shape (n,)
        Indices of classes.
    weight : ndarray of shape (n,)
        Weights.
    fold : ndarray of int of shape (n,)
        Rows of one fold are predicted by the same fits.
    """

    ratios: np.ndarray
    present: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    fold: np.ndarray

    def take(self, rows: np.ndarray) -> HeldOutRatios:
        """Some rows."""
        return HeldOutRatios(*(values[rows] for values in vars(self).values()))


class PatternPool:
    """Prior times ratios to the power of weights that depend on what is present.

    The weight of a member is a sum of terms that are not negative: a common one, and
    one for each modality that is present, and for each that is missing. Every sum of
    effects of modalities that is never negative is of this form, and the loss is
    convex in the terms.
    """

    terms: np.ndarray
    shrinkage: float

    def __init__(self, log_prior: np.ndarray) -> None:
        self.log_prior = log_prior

    def fit(self, rows: HeldOutRatios) -> PatternPool:
        """Choose the shrinkage towards common weights by folds, and then the terms."""
        varied = (rows.present != rows.present[0]).any()
        self.shrinkage = np.inf
        if varied and len(np.unique(rows.fold)) > 1:
            self.shrinkage = self._choose(rows)
        self.terms = self._least_loss(rows, self.shrinkage)
        return self

    def weights(self, present: np.ndarray) -> np.ndarray:
        """Weight of each member for rows, shape (n, n_members)."""
        return _design(present) @ self.terms.T

    def __call__(self, ratios: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Log-probabilities (n, n_classes)."""
        pooled = np.einsum("nm,nmc->nc", self.weights(present), ratios)
        return log_softmax(self.log_prior + pooled, axis=1)

    def _choose(self, rows: HeldOutRatios) -> float:
        """The strongest shrinkage within a standard error of the least loss."""
        share = rows.weight / rows.weight.sum()
        losses = [self._held_out_losses(rows, s) for s in SHRINKAGES]
        best = min(losses, key=lambda loss: float(share @ loss))
        for shrinkage, loss in zip(SHRINKAGES, losses):
            more = loss - best
            # Over folds: a weight of 2 is two rows.
            off = np.bincount(rows.fold, share * (more - share @ more))
            if share @ more <= np.sqrt(off @ off):
                return shrinkage
        return SHRINKAGES[-1]

    def _held_out_losses(self, rows: HeldOutRatios, shrinkage: float) -> np.ndarray:
        """Loss of each row with the terms of the other folds."""
        loss = np.empty(len(rows.y))
        for k in np.unique(rows.fold):
            other = PatternPool(self.log_prior)
            other.terms = self._least_loss(rows.take(rows.fold != k), shrinkage)
            held = rows.take(rows.fold == k)
            found = other(held.ratios, held.present)
            loss[rows.fold == k] = -found[np.arange(len(held.y)), held.y]
        return loss

    def _least_loss(self, rows: HeldOutRatios, shrinkage: float) -> np.ndarray:
        """Terms (n_members, 1 + 2 n_modalities) with the least penalised loss."""
        n_members = rows.ratios.shape[1]
        design = _design(rows.present)
        own = np.take_along_axis(rows.ratios, rows.y[:, None, None], axis=2)
        gaps = rows.ratios - own
        offset = self.log_prior - self.log_prior[rows.y][:, None]
        free = np.isfinite(shrinkage)
        n_terms = design.shape[1] if free else 1
        design = design[:, :n_terms]
        start = np.zeros((n_members, n_terms))
        start[:, 0] = 1.0 / n_members
        weight = rows.weight * (MASS / rows.weight.sum())
        precision = np.full(n_terms, shrinkage if free else 0.0)
        precision[0] = COMMON

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            terms = flat.reshape(start.shape)
            score = offset + np.einsum("nm,nmc->nc", design @ terms.T, gaps)
            total = logsumexp(score, axis=1)
            share = np.exp(score - total[:, None]) * weight[:, None]
            slope = np.einsum("nmc,nc->nm", gaps, share).T @ design
            off = precision * (terms - start)
            value = weight @ total + 0.5 * (off * (terms - start)).sum()
            return float(value), (slope + off).ravel()

        found: Any = minimize(
            loss,
            start.ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, None)] * start.size,
            # Tight, so that a weight of 2 and two rows find the same.
            options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9},
        )
        terms = np.zeros((n_members, 1 + 2 * rows.present.shape[1]))
        terms[:, :n_terms] = found.x.reshape(start.shape)
        return terms


def _design(present: np.ndarray) -> np.ndarray:
    """A column of ones, and columns for what is present and what is missing."""
    ones = np.ones((len(present), 1))
    return np.concatenate([ones, present, ~present], axis=1)
