"""Faults in what the documentation says of the papers, of defaults and of limits."""

from __future__ import annotations

import numpy as np
import pytest

from skmissing.dymo._selection import Policy, select

# -- rewards that are no difference of probabilities


def judged(loss_before, loss_after, kind="prob", min_reward=0.0):
    """Whether a second modality is fused that changes the loss of the confidence."""

    def fuse(rows, masks):
        logits = np.tile([1.0, 0.0], (len(rows), 1))
        return logits, masks.sum(axis=1, keepdims=True).astype(float)

    def score(logits, z, masks):
        loss = np.where(z[:, 0] == 1, loss_before, loss_after)
        return loss, np.zeros(len(z))

    present, candidates = np.array([[True, False]]), np.array([[False, True]])
    policy = Policy("iterative", None, kind, min_reward)
    outcome = select(fuse, score, present, candidates, policy)
    return bool(outcome.fused[0, 1]), float(outcome.history[0].reward[0])


@pytest.mark.parametrize("kind", ["prob", "logprob"])
def test_rewards_below_the_resolution_of_probabilities_fuse_nothing(kind):
    fused, reward = judged(1e-30, 1e-54, kind)
    assert not fused
    # What was found stays in the report.
    assert reward == pytest.approx(1e-30)


@pytest.mark.parametrize("kind", ["prob", "logprob"])
def test_rewards_above_the_resolution_of_probabilities_fuse(kind):
    assert judged(1e-14, 1e-54, kind)[0]


def test_rewards_of_a_hair_less_count_as_no_loss_under_a_negative_minimum():
    assert judged(1e-54, 1e-30, min_reward=-1e-3)[0]
    assert not judged(1e-54, 1e-2, min_reward=-1e-3)[0]
