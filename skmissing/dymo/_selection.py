"""Which recovered modalities are fused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ._scores import alphas, rewards

Fuse = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
Score = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Policy:
    """How candidates are judged.

    Attributes
    ----------
    selection : {"iterative", "simultaneous", "all", "none"}
        One after the other, all that deserve it at once, everything, nothing.
    calibration : {"log", "ratio", None}
        How plausibility enters the reward.
    reward : {"prob", "logprob"}
        Form of the reward.
    min_reward : float
        A reward has to exceed this.
    """

    selection: str
    calibration: str | None
    reward: str
    min_reward: float


@dataclass
class Outcome:
    """What was fused, and why.

    Attributes
    ----------
    logits : ndarray of shape (n, K)
        Class scores given what was fused.
    fused : ndarray of bool of shape (n, M)
        What was fused.
    history : list of tuple of ndarray
        For every round: row, step, modality, reward, alpha, accepted, and the class
        indices before and after.
    """

    logits: np.ndarray
    fused: np.ndarray
    history: list[tuple[np.ndarray, ...]] = field(default_factory=list)


def select(
    fuse: Fuse,
    score: Score,
    present: np.ndarray,
    candidates: np.ndarray,
    policy: Policy,
) -> Outcome:
    """Fuse recovered modalities that raise calibrated confidence.

    Parameters
    ----------
    fuse : callable
        Takes row numbers and masks of modalities; returns logits and features. Called
        once for all rows as they are, then once for each round.
    score : callable
        Takes logits, features and masks; returns negative log-confidence and
        log-plausibility.
    present : ndarray of bool of shape (n, M)
        What the rows have; at least one modality each.
    candidates : ndarray of bool of shape (n, M)
        What was recovered.
    policy : Policy
        How candidates are judged.

    Returns
    -------
    Outcome
    """
    fused = present.copy()
    every = np.arange(len(present))
    candidates = candidates & ~present
    if policy.selection == "all":
        fused |= candidates
    logits, z = fuse(every, fused)
    if policy.selection in ("all", "none") or not candidates.any():
        return Outcome(logits, fused)
    logits = logits.copy()
    loss, log_p = np.full(len(every), np.nan), np.full(len(every), np.nan)
    # Rows that have everything have nothing to choose.
    open_rows = np.flatnonzero(candidates.any(axis=1))
    loss[open_rows], log_p[open_rows] = score(
        logits[open_rows], z[open_rows], fused[open_rows]
    )
    alive = candidates.copy()
    out = Outcome(logits, fused)
    step = 0
    while len(open_rows):
        # All candidates of all rows that are not finished, as one batch.
        which, modality = np.nonzero(alive[open_rows])
        rows = open_rows[which]
        masks = fused[rows]
        masks[np.arange(len(rows)), modality] = True
        new_logits, new_z = fuse(rows, masks)
        new_loss, new_log_p = score(new_logits, new_z, masks)
        alpha = alphas(log_p[rows], new_log_p, policy.calibration)
        reward = rewards(loss[rows], new_loss, alpha, policy.reward)
        # NaN is no reason to trust a recovery.
        good = reward > policy.min_reward
        alive[rows[~good], modality[~good]] = False
        before = logits[rows].argmax(axis=1)
        after = new_logits.argmax(axis=1)
        if policy.selection == "simultaneous":
            accepted = good
        else:
            accepted = best_of_each(rows, np.where(good, reward, -np.inf)) & good
        out.history.append(
            (rows, np.full(len(rows), step), modality, reward, alpha, accepted, before,
             after)
        )  # fmt: skip
        fused[rows[accepted], modality[accepted]] = True
        alive[rows[accepted], modality[accepted]] = False
        if policy.selection == "simultaneous":
            number = np.bincount(rows[accepted], minlength=len(every))
            single = accepted & (number[rows] == 1)
            logits[rows[single]] = new_logits[single]
            several = np.flatnonzero(number > 1)
            if len(several):
                logits[several] = fuse(several, fused[several])[0]
            break
        # What was "after" is "before" in the next round, and the answer in the end.
        logits[rows[accepted]] = new_logits[accepted]
        loss[rows[accepted]] = new_loss[accepted]
        log_p[rows[accepted]] = new_log_p[accepted]
        moved = rows[accepted]
        open_rows = moved[alive[moved].any(axis=1)]
        step += 1
    return out


def best_of_each(rows: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """The first largest entry of each row.

    Parameters
    ----------
    rows : ndarray of int of shape (p,)
        Row numbers, equal ones side by side.
    reward : ndarray of shape (p,)
        Values, no NaN.

    Returns
    -------
    ndarray of bool of shape (p,)
    """
    order = np.lexsort((np.arange(len(rows)), -reward, rows))
    first = np.ones(len(rows), dtype=bool)
    first[1:] = rows[order][1:] != rows[order][:-1]
    out = np.zeros(len(rows), dtype=bool)
    out[order[first]] = True
    return out
