"""How a selector chooses between policies: on rows of which parts are hidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from .._estimation._rows import LabelledRows
from ..modalities._multimodal_data import MultimodalData
from ._scores import log_softmax
from ._selection import Outcome, Policy

# Copies of each row that policies are compared on: with up to as many modalities, one
# for each number of them that may be left.
MAX_COPIES = 6
# "ratio" first: of confidence in what is hardly typical it leaves the least. None never
# lowers it. What makes selection safe is given up only where held-out rows show it.
CALIBRATIONS = ("ratio", "log", None)
# From that of the paper on, up to fusing nothing at all.
MIN_REWARDS = (0.0, 0.1, 0.3, np.inf)
# Fewer held-out rows are no basis for a choice, and training rows are none at all: a
# net predicts too well from what is left of rows that it knows, so that any recovery
# seems worse than none. Of many held-out rows, so many are enough.
MIN_HELD_OUT, MAX_HELD_OUT = 30, 1000


class PreparedRows(Protocol):
    """Rows that are recovered and encoded once for all policies."""

    def select(self, policy: Policy, *, remembers: bool) -> Outcome:
        """Select by a policy, and remember what is the same for others."""


Prepare = Callable[[MultimodalData], PreparedRows]


class ChosenPolicy(NamedTuple):
    """Calibration and minimum reward in use; Brier scores of those compared, if any."""

    calibration: str | None
    min_reward: float
    calibration_scores: dict[str | None, float]
    min_reward_scores: dict[float, float]


def choose_policy(
    prepare: Prepare,
    rows: LabelledRows,
    policy: Policy,
    calibrations: Sequence[str | None],
    min_rewards: Sequence[float],
    rng: np.random.RandomState,
) -> ChosenPolicy:
    """The best calibration and then the best minimum reward on held-out rows.

    The first option is kept where rows are few, and
    for the selections "all" and "none", which judge nothing.
    """
    calibration, min_reward = calibrations[0], min_rewards[0]
    unchosen = ChosenPolicy(calibration, min_reward, {}, {})
    judged = policy.selection in ("iterative", "simultaneous")
    open_choice = len(calibrations) > 1 or len(min_rewards) > 1
    if len(rows) < MIN_HELD_OUT or not judged or not open_choice:
        return unchosen
    masked = MaskedRows(rows.take(rng.permutation(len(rows))[:MAX_HELD_OUT]), rng)
    if not len(masked.data):
        return unchosen

    prepared = prepare(masked.data)

    def choose(options: Sequence[Any], policies: list[Policy]) -> tuple[Any, dict]:
        if len(options) == 1:
            return options[0], {}
        logits = [prepared.select(p, remembers=True).logits for p in policies]
        return masked.choose(options, logits)

    calibration, calibration_scores = choose(
        calibrations,
        [replace(policy, calibration=c, min_reward=min_reward) for c in calibrations],
    )
    min_reward, min_reward_scores = choose(
        min_rewards,
        [
            replace(policy, calibration=calibration, min_reward=r).in_short()
            for r in min_rewards
        ],
    )
    return ChosenPolicy(calibration, min_reward, calibration_scores, min_reward_scores)


class MaskedRows:
    """Copies of rows with some of their modalities hidden, to compare policies on."""

    def __init__(self, rows: LabelledRows, rng: np.random.RandomState) -> None:
        self.data, copied = hide_some(rows.data, rng)
        self._y = rows.y[copied]
        # Each row counts once, however many copies there are of it.
        n_copies = np.bincount(copied, minlength=len(rows))
        self._share = rows.weight[copied] / n_copies[copied]
        unit = copied if rows.groups is None else rows.groups[copied]
        self._unit = np.unique(unit, return_inverse=True)[1]

    def choose(
        self, options: Sequence[Any], logits: Sequence[np.ndarray]
    ) -> tuple[Any, dict[Any, float]]:
        """The option with the best predictions, and the Brier score of each.

        The first one, unless a later one has a Brier score that is lower by more than
        the standard error of the difference. The copies of a row, or of the rows of a
        group, are not independent: the error is that of a mean over rows or groups. The
        Brier score, because the log-loss is decided by the few rows that a wrong
        recovery made certain of a wrong class, whatever it did for the others.
        """
        weight = np.bincount(self._unit, self._share)
        losses = {
            option: np.bincount(
                self._unit, self._share * brier_losses(part, self._y)
            ) / weight
            for option, part in zip(options, logits)
        }  # fmt: skip
        chosen = options[0]
        for other in options[1:]:
            gain, error = mean_and_error(losses[chosen] - losses[other], weight)
            # A difference of a single row is as large as its error: no matter of
            # rounding.
            if gain > error * (1.0 + 1e-9):
                chosen = other
        return chosen, {o: mean_and_error(v, weight)[0] for o, v in losses.items()}


def hide_some(
    data: MultimodalData, rng: np.random.RandomState
) -> tuple[MultimodalData, np.ndarray]:
    """Copies of rows with some of their modalities hidden, and the row of each copy.

    How much will be missing in the rows to predict is not known, so each row comes once
    with every number of modalities that it may be left with, or with MAX_COPIES of
    them. Numbers drawn at random would leave it to chance how many of the copies have
    few, and those alone distinguish policies. Of a complete row nothing would be
    recovered, so one modality at least is hidden.
    """
    count = data.present.sum(axis=1)
    most = np.where(data.present.all(axis=1), count - 1, count)
    numbers = {
        m: np.unique(np.linspace(1, m, min(m, MAX_COPIES)).round().astype(int))
        for m in np.unique(most)
    }
    left = [numbers[m] for m in most]
    rows = np.repeat(np.arange(len(data)), [len(part) for part in left])
    n_left = np.concatenate([*left, np.empty(0, dtype=int)])
    present = data.present[rows]
    chance = np.where(present, rng.uniform(size=present.shape), 2.0)
    rank = chance.argsort(axis=1).argsort(axis=1)
    return data[rows].hide(present & (rank >= n_left[:, None])), rows


def mean_and_error(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Weighted mean over rows, and its standard error; infinite for a single row."""
    share = weight / weight.sum()
    mean = float(share @ values)
    # With equal weights, the variance divided by n - 1.
    free = 1.0 - float(share @ share)
    if free <= 0:
        return mean, np.inf
    return mean, float(np.sqrt(np.square(share * (values - mean)).sum() / free))


def brier_losses(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distance of the probabilities from the true class of each row."""
    gap = np.exp(log_softmax(logits))
    gap[np.arange(len(y)), y] -= 1.0
    return np.square(gap).sum(axis=1)
