"""How well held-out posteriors predict, and what is best made of several of them.

Choices for a fold are made by the log-loss on the held-out rows of the other folds, so
that no label has a part in the choice of its own prediction. (Through the models of
single sources in a joint one it has: their weights are those of their own folds.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

from .._estimation._folds import Folds
from .._estimation._rows import LabelledRows

# Temperatures: the exponent of posterior over prior. 0 leaves the prior. A step of a
# seventh changes the information by about (1/14)^2 of itself at most.
EXPONENTS = np.concatenate([[0.0], np.geomspace(0.05, 4.0, 33)])


def tilt(
    ratio: np.ndarray, exponent: np.ndarray | float, log_prior: np.ndarray
) -> np.ndarray:
    """Logarithm of the posterior that is prior times ratio to the exponent."""
    return log_softmax(log_prior + exponent * ratio, axis=1)


def fold_losses(
    ratio: np.ndarray,
    folds: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    log_prior: np.ndarray,
) -> np.ndarray:
    """Log-loss of every exponent on each fold, shape (n_folds, n_exponents)."""
    loss = np.empty((int(folds.max()) + 1, len(EXPONENTS)))
    gap = ratio - np.take_along_axis(ratio, codes[:, None], axis=1)
    offset = log_prior - log_prior[codes][:, None]
    for i, exponent in enumerate(EXPONENTS):
        # In place: this is where resamples spend their time.
        score = exponent * gap
        score += offset
        peak = score.max(axis=1)
        score -= peak[:, None]
        own = np.log(np.exp(score, out=score).sum(axis=1)) + peak
        loss[:, i] = np.bincount(folds, weight * own, minlength=len(loss))
    return loss


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
    loss = np.zeros((n_folds, len(EXPONENTS)))
    found = fold_losses(ratio, folds, codes, weight, log_prior)
    loss[: len(found)] = found
    others = loss.sum(axis=0) - loss
    return EXPONENTS[np.argmin(others, axis=1)]


@dataclass(frozen=True)
class Stacked:
    """Several posteriors as one: a product of powers, relative to the prior.

    ``weights`` has the powers of each fold, shape (n_folds, n_learners), ``overall``
    those that all rows choose.
    """

    log_ratio: np.ndarray
    weights: np.ndarray
    overall: np.ndarray


class Choice(NamedTuple):
    """Log ratios (n, K) of the chosen settings; setting and exponent of all rows."""

    log_ratio: np.ndarray
    setting: int
    exponent: float


class HeldOutScores:
    """Compares held-out posteriors of some rows."""

    def __init__(self, rows: LabelledRows, folds: Folds) -> None:
        self.folds, self.codes, self.groups = folds.fold, rows.y, rows.groups
        self.weight = rows.weight / rows.weight.sum()
        self.log_prior = np.log(rows.prior)

    def choose(self, ratios: np.ndarray) -> Choice:
        """The best setting of each fold, and of all rows.

        ``ratios`` has shape (n, n_settings, K). Settings may differ in how confident
        they are: each is raised to an exponent of its own.
        """
        losses = np.array([self._losses(ratio) for ratio in ratios.swapaxes(0, 1)])
        total = losses.sum(axis=1, keepdims=True)
        # By fold, the least loss of each setting on the others, and where it is.
        others = total - losses
        setting = others.min(axis=2).argmin(axis=0)
        exponent = EXPONENTS[others[setting, np.arange(len(setting))].argmin(axis=1)]
        chosen = ratios[np.arange(len(ratios)), setting[self.folds]]
        best = int(total[:, 0].min(axis=1).argmin())
        return Choice(
            exponent[self.folds, None] * chosen,
            best,
            float(EXPONENTS[total[best, 0].argmin()]),
        )

    def _losses(self, ratio: np.ndarray) -> np.ndarray:
        return fold_losses(ratio, self.folds, self.codes, self.weight, self.log_prior)

    def loss(self, ratio: np.ndarray | None) -> np.ndarray:
        """Log-loss of each row after calibration, nats; None stands for the prior."""
        if ratio is None:
            return -self.log_prior[self.codes]
        exponent = calibrate(ratio, self.folds, self.codes, self.weight, self.log_prior)
        posterior = tilt(ratio, exponent[self.folds, None], self.log_prior)
        return -posterior[np.arange(len(self.codes)), self.codes]

    def mean(self, values: np.ndarray) -> float:
        """Weighted mean over rows."""
        return float(self.weight @ values)

    def std_error(self, values: np.ndarray) -> float:
        """Standard error of the weighted mean, over groups where there are some."""
        return mean_error(values, self.weight, self.groups)

    def stack(self, ratios: list[np.ndarray]) -> Stacked:
        """Weights of several log ratios, from 0 to 1, with the least log-loss."""
        gaps = np.stack(
            [r - np.take_along_axis(r, self.codes[:, None], axis=1) for r in ratios]
        )
        offset = self.log_prior - self.log_prior[self.codes][:, None]
        overall = _least_loss(gaps, offset, self.weight, np.zeros(len(gaps)))
        weights = []
        for k in range(int(self.folds.max()) + 1):
            others = self.folds != k
            weights.append(
                _least_loss(
                    gaps[:, others], offset[others], self.weight[others], overall
                )
            )
        found = np.array(weights)
        log_ratio = sum(
            found[self.folds, j, None] * ratio for j, ratio in enumerate(ratios)
        )
        return Stacked(np.asarray(log_ratio), found, overall)


def mean_error(
    values: np.ndarray, weight: np.ndarray, groups: np.ndarray | None
) -> float:
    """Standard error of a weighted mean over rows or groups; weights sum to 1."""
    off = weight * (values - weight @ values)
    if groups is not None:
        off = np.bincount(np.unique(groups, return_inverse=True)[1], off)
    return float(np.sqrt(off @ off))


def _least_loss(
    gaps: np.ndarray, offset: np.ndarray, weight: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Weights (n_learners,) for log ratios relative to those of the own class."""
    weight = weight / weight.sum()

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        score = offset + np.tensordot(w, gaps, axes=1)
        total = logsumexp(score, axis=1)
        share = np.exp(score - total[:, None]) * weight[:, None]
        return float(weight @ total), np.tensordot(gaps, share, axes=2)

    # Each is calibrated by itself, and all together once more. Without an upper bound,
    # weights of nearly certain learners would grow at will, and in one fold more than
    # in another.
    bounds = [(0.0, 1.0)] * len(gaps)
    # Tight, so that a weight of 2 and two rows choose the same temperature later.
    how = {"ftol": 1e-15, "gtol": 1e-10}
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=how
    )
    return np.asarray(found.x)
