"""The nets behind couplings, and their training. The only part of pid with torch."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..._utils._threads import single_thread
from ...nn._runtime import inference, plain_torch, seeded_torch, torch_threads
from ._sinkhorn import Scaled, objective, sinkhorn, slope
from ._support import Marginal

HIDDEN = 32
# Dimensions of the inner product of each class.
RANK = 10
N_RESTARTS = 3
N_STEPS = 125
LEARNING_RATE = 0.03
# Problems that the nets are trained on, and that choose among restarts and steps.
# Every problem stands for all rows, so more of them add little.
N_TRAIN, N_HELD_OUT = 12, 4
CHECK_EVERY = 25
# Violation up to which a coupling is scaled in training.
TRAINING_TOLERANCE, TRAINING_ROUNDS = 1e-5, 60

Problem = tuple[Marginal, Marginal]


class PairNet(nn.Module):
    """Kernel of a pair of sources: for each class an inner product of two nets.

    The kernel of class y is ``scale_y <f1(x1)_y, f2(x2)_y>`` with vectors of ``RANK``
    entries. Additive terms of either source would be absorbed by the scaling to the
    marginals, hence the scale is all that the class has of its own. Nothing is
    normalised over a batch: the kernel of two rows depends on these two rows.
    """

    def __init__(self, n_inputs: tuple[int, int], n_classes: int) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.sides = nn.ModuleList(
            nn.Sequential(
                nn.Linear(size, HIDDEN),
                nn.SiLU(),
                nn.Linear(HIDDEN, HIDDEN),
                nn.SiLU(),
                nn.Linear(HIDDEN, RANK * n_classes),
            )
            for size in n_inputs
        )
        self.log_scale = nn.Parameter(torch.zeros(n_classes))

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Logarithm of the unscaled coupling."""
        a, b = (
            net(x).view(len(x), self.n_classes, RANK).transpose(0, 1)
            for net, x in zip(self.sides, (first, second))
        )
        scale = self.log_scale.exp()[:, None, None] * RANK**-0.5
        return scale * (a @ b.transpose(1, 2))


def kernel_of(net: PairNet, problem: Problem) -> np.ndarray:
    """Kernel of one problem, shape (K, n1, n2)."""
    # The result must not depend on the number of threads.
    with torch_threads(1), inference():
        return net(*(torch.from_numpy(side.inputs) for side in problem)).numpy()


def train_coupling(problems: list[Problem], seed: int) -> PairNet:
    """Train the nets of a pair several times; keep the best on held-out problems."""
    n_held_out = min(N_HELD_OUT, len(problems) // 2)
    # A single problem holds every row there is: nothing is left to generalise to.
    held_out = problems[:n_held_out] or problems
    train = problems[n_held_out:][:N_TRAIN]
    inputs = tuple(side.inputs.shape[1] for side in problems[0])
    n_classes, _ = problems[0][0].table.shape
    runs = []
    with torch_threads(1), single_thread(), plain_torch():
        for restart in range(N_RESTARTS):
            with seeded_torch(seed + restart, torch.device("cpu")):
                net = PairNet(inputs, n_classes).double()
            runs.append(_train(net, train, held_out))
    return min(runs, key=lambda run: run.objective).net.eval()


class _Trained(NamedTuple):
    """A net and its mean objective on the held-out problems, nats."""

    objective: float
    net: PairNet


def _train(net: PairNet, train: list[Problem], held_out: list[Problem]) -> _Trained:
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, N_STEPS)
    tensors = [[torch.from_numpy(side.inputs) for side in pair] for pair in train]
    # Where the scaling of each problem ended when it was last met.
    ends: list[np.ndarray | None] = [None] * len(train)
    best, kept = np.inf, copy.deepcopy(net.state_dict())
    for step in range(N_STEPS):
        k = step % len(train)
        optimizer.zero_grad()
        kernel = net(*tensors[k])
        scaled = _scale(kernel.detach().numpy(), train[k], ends[k])
        ends[k] = scaled.g
        kernel.backward(torch.from_numpy(slope(scaled.coupling).kernel))
        optimizer.step()
        schedule.step()
        if (step + 1) % CHECK_EVERY == 0:
            scaled_pairs = [_scale(kernel_of(net, pair), pair) for pair in held_out]
            value = float(np.mean([objective(s.coupling) for s in scaled_pairs]))
            if value < best:
                best, kept = value, copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)
    return _Trained(best, net)


def _scale(kernel: np.ndarray, problem: Problem, g: np.ndarray | None = None) -> Scaled:
    first, second = (side.table for side in problem)
    return sinkhorn(
        kernel, first, second, g, tol=TRAINING_TOLERANCE, max_rounds=TRAINING_ROUNDS
    )
