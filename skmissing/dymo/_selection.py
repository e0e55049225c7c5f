"""Which recovered modalities are fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ._judge import Judge, Judged
from ._scores import alphas, rewards

# Rewards closer to 0 than this decide nothing: probabilities near 1 that differ by less
# are the same number.
RESOLUTION = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Policy:
    """How candidates are judged.

    Attributes
    ----------
    selection : {"iterative", "simultaneous", "all", "none"}
        One after the other, all that deserve it at once, all, none.
    calibration : {"log", "ratio", None}
        How plausibility enters the reward.
    reward : {"prob", "logprob"}
        Form of the reward.
    min_reward : float
        A reward has to exceed this.
    temperature : float
        Of the softmax of similarities.
    ics : {"halfnormal", "empirical"}
        The distribution of distances.
    """

    selection: str
    calibration: str | None
    reward: str
    min_reward: float
    temperature: float = 0.1
    ics: str = "empirical"

    def in_short(self) -> Policy:
        """The same; if no reward is enough, without a computation of rewards."""
        if self.min_reward == np.inf and self.selection != "all":
            return replace(self, selection="none")
        return self

    def may_accept(self, loss: np.ndarray) -> np.ndarray:
        """Whether any reward can be enough, given the loss of rows as they are.

        No reward exceeds the doubt that is left (or the loss, of logarithms).
        """
        most = loss if self.reward == "logprob" else -np.expm1(-loss)
        too_small = (most <= self.min_reward) | (most < RESOLUTION)
        return ~(too_small & (self.min_reward >= 0))


class Round(NamedTuple):
    """Candidates judged in one round, in the columns of a selection report.

    Rows, modalities and labels are indices.
    """

    row: np.ndarray
    step: np.ndarray
    modality: np.ndarray
    reward: np.ndarray
    alpha: np.ndarray
    accepted: np.ndarray
    label_before: np.ndarray
    label_after: np.ndarray


class Outcome(NamedTuple):
    """Class scores (n, K) given the modalities that are fused (n, M), and why."""

    logits: np.ndarray
    fused: np.ndarray
    history: Sequence[Round] = ()


def select(
    judge: Judge,
    present: np.ndarray,
    candidates: np.ndarray,
    policy: Policy,
    reports: bool = False,
    known: Judged | None = None,
) -> Outcome:
    """Fuse recovered modalities that raise calibrated confidence.

    Rows are judged once as they are, unless that is ``known``, then with their
    candidates, once for each round.
    Those too sure for any reward to be enough are not, unless a history is asked for.
    """
    fused = present.copy()
    every = np.arange(len(present))
    candidates = candidates & ~present
    if policy.selection == "all":
        fused |= candidates
    if policy.selection in ("all", "none") or not candidates.any():
        logits = judge.logits(every, fused) if known is None else known.logits
        return Outcome(logits, fused)
    # Complete rows have nothing to choose.
    open_rows = np.flatnonzero(candidates.any(axis=1))
    if known is None:
        known = _judge_open(judge, open_rows, fused)
    state = _State(*known, fused, candidates.copy())
    history: list[Round] = []
    while True:
        if not reports:
            open_rows = open_rows[policy.may_accept(state.loss[open_rows])]
        if not len(open_rows):
            break
        history.append(_judge(judge, state, open_rows, len(history), policy))
        if policy.selection == "simultaneous":
            several = np.flatnonzero(state.n_accepted > 1)
            if len(several):
                state.logits[several] = judge.logits(several, fused[several])
            break
        moved = history[-1].row[history[-1].accepted]
        open_rows = moved[state.alive[moved].any(axis=1)]
    return Outcome(state.logits, fused, history)


def _judge_open(judge: Judge, open_rows: np.ndarray, fused: np.ndarray) -> Judged:
    """Rows as they are; of those that are not open, class scores alone."""
    judged = judge(open_rows, fused[open_rows])
    closed = np.setdiff1d(np.arange(len(fused)), open_rows)
    logits = np.empty((len(fused), judged.logits.shape[1]))
    loss, log_p = np.full(len(fused), np.nan), np.full(len(fused), np.nan)
    logits[open_rows], loss[open_rows], log_p[open_rows] = judged
    if len(closed):
        logits[closed] = judge.logits(closed, fused[closed])
    return Judged(logits, loss, log_p)


@dataclass
class _State:
    """Rows in the course of a selection; changed in place, round by round."""

    logits: np.ndarray
    loss: np.ndarray
    log_p: np.ndarray
    fused: np.ndarray
    alive: np.ndarray

    def __post_init__(self) -> None:
        self.n_accepted = np.zeros(len(self.logits), dtype=int)


def _judge(
    judge: Judge, state: _State, open_rows: np.ndarray, step: int, policy: Policy
) -> Round:
    """Judge all candidates of all rows that are not finished, as one batch."""
    which, modality = np.nonzero(state.alive[open_rows])
    rows = open_rows[which]
    masks = state.fused[rows]
    masks[np.arange(len(rows)), modality] = True
    logits, loss, log_p = judge(rows, masks)
    alpha = alphas(state.log_p[rows], log_p, policy.calibration)
    reward = rewards(state.loss[rows], loss, alpha, policy.reward)
    # NaN is no reason to trust a recovery.
    decisive = np.where(np.abs(reward) < RESOLUTION, 0.0, reward)
    accepted = good = decisive > policy.min_reward
    if policy.selection == "iterative":
        accepted = best_of_each(rows, np.where(good, reward, -np.inf)) & good
    before, after = state.logits[rows].argmax(axis=1), logits.argmax(axis=1)
    state.alive[rows[~good], modality[~good]] = False
    state.fused[rows[accepted], modality[accepted]] = True
    state.alive[rows[accepted], modality[accepted]] = False
    # What was "after" is "before" in the next round, and the prediction in the end.
    # Where several modalities are accepted at once, none of these is.
    state.n_accepted = np.bincount(rows[accepted], minlength=len(state.logits))
    last = accepted & (state.n_accepted[rows] == 1)
    state.logits[rows[last]] = logits[last]
    state.loss[rows[last]] = loss[last]
    state.log_p[rows[last]] = log_p[last]
    return Round(
        rows, np.full(len(rows), step), modality, reward, alpha, accepted, before, after
    )


def best_of_each(rows: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """The first largest entry of each row, whose entries are side by side."""
    order = np.lexsort((np.arange(len(rows)), -reward, rows))
    first = np.ones(len(rows), dtype=bool)
    first[1:] = rows[order][1:] != rows[order][:-1]
    out = np.zeros(len(rows), dtype=bool)
    out[order[first]] = True
    return out


def join_outcomes(parts: Sequence[Outcome], size: int) -> Outcome:
    """The outcome of all rows from those of parts of them, of the same size."""
    return Outcome(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.fused for part in parts]),
        [
            judged._replace(row=judged.row + i * size)
            for i, part in enumerate(parts)
            for judged in part.history
        ],
    )


def report_table(
    history: Sequence[Round], rows: np.ndarray, names: list[str], classes: np.ndarray
) -> pd.DataFrame:
    """One row for each candidate and round; empty columns have their types, too."""
    if not history:
        label = classes[:0]
        kinds: list[type] = [int, int, object, float, float, bool]
        empty: list[Any] = [np.empty(0, dtype=kind) for kind in kinds]
        return pd.DataFrame(dict(zip(Round._fields, [*empty, label, label])))
    whole = Round(*(np.concatenate(part) for part in zip(*history)))
    named = whole._replace(
        row=rows[whole.row],
        modality=np.asarray(names, dtype=object)[whole.modality],
        label_before=classes[whole.label_before],
        label_after=classes[whole.label_after],
    )
    table = pd.DataFrame(named._asdict())
    return table.sort_values(["row", "step"], kind="stable", ignore_index=True)
