"""A gate that picks the expert of a row."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._fusion import Fusion


@stores_parameters
class DynMMFusion(Fusion):
    """Dynamic multimodal fusion: a gate picks one expert for each row.

    Experts are a head for each modality and one for all concatenated codes. In training
    their class scores are averaged with the weights of the gate; in prediction the
    expert of the largest weight predicts alone.

    Parameters
    ----------
    gate_hidden : int, default=32
        Units of the gate.
    cost_weight : float, default=0.01
        Weight of the cost of the experts that are used: the share of the modalities
        that they read. With a larger one fewer rows use the joint expert.
    temperature : float, default=1.0
        Of the softmax of the gate.

    See Also
    --------
    GatedFusion : A weight for each unit.

    Notes
    -----
    The modality-level method of :cite:t:`dynmm`. There, experts are trained before the
    gate; here they are trained with it, with the loss of each expert added. The gate
    cannot choose experts of missing modalities; the joint expert gets zeros for them.
    All encoders run before the gate decides, so no time is saved.

    The published code trains the gate for MM-IMDb, with a text expert and a joint one,
    with AdamW, a learning rate of 1e-4, a weight decay of 0.01, batches of 128 rows and
    at most 50 epochs. The gate has 128 units and a temperature of 1, and its default
    weight of the joint expert in the loss is 0.1. The experts have the same optimizer,
    the joint one with a learning rate of 8e-3. With two modalities, a ``cost_weight``
    of 0.2 has the effect of 0.1 there. Nearest to it is:

    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import DynMMFusion
    >>> paper = FusionClassifier(
    ...     fusion=DynMMFusion(gate_hidden=128, cost_weight=0.2, temperature=1.0),
    ...     optimizer="adamw", lr=1e-4, weight_decay=1e-2, batch_size=128,
    ...     max_epochs=50, n_iter_no_change=8, head_hidden=(512,), modality_dropout=0.0,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import DynMMFusion
    >>> FusionClassifier(fusion=DynMMFusion(cost_weight=0.1)).fusion
    DynMMFusion(cost_weight=0.1)
    """

    gate_hidden: int = 32
    cost_weight: float = 0.01
    temperature: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "gate_hidden": [Interval(Integral, 1, None, closed="left")],
        "cost_weight": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _ExpertNet(widths, make_head, self)


class _ExpertNet(nn.Module):
    """Experts, of which the joint one is the last, and their gate."""

    def __init__(self, widths, make_head, fusion: DynMMFusion) -> None:
        super().__init__()
        self.cost_weight = float(fusion.cost_weight)
        self.temperature = float(fusion.temperature)
        self.heads = nn.ModuleList(make_head(w) for w in [*widths, sum(widths)])
        self.gate = nn.Sequential(
            nn.Linear(sum(widths), int(fusion.gate_hidden)),
            nn.ReLU(),
            nn.Linear(int(fusion.gate_hidden), len(widths) + 1),
        )

    def experts(self, codes):
        """Class scores of each expert, (n, M + 1, K)."""
        inputs = [*codes, torch.cat(codes, dim=1)]
        return torch.stack([one(x) for one, x in zip(self.heads, inputs)], dim=1)

    def choices(self, codes, present):
        """Weights of the experts, and which of them a row may use, (n, M + 1)."""
        usable = torch.cat([present, present.new_ones((len(present), 1))], dim=1)
        raw = self.gate(torch.cat(codes, dim=1)) / self.temperature
        return raw.masked_fill(~usable, -torch.inf).softmax(dim=1), usable

    def picked(self, codes, present):
        """The expert that predicts each row, as a one-hot code."""
        weights, _ = self.choices(codes, present)
        best = weights.argmax(dim=1)
        return nn.functional.one_hot(best, weights.shape[1]).to(weights.dtype)

    def forward(self, codes, present):
        if self.training:
            weights, _ = self.choices(codes, present)
        else:
            weights = self.picked(codes, present)
        return (weights[:, :, None] * self.experts(codes)).sum(dim=1)

    def modality_weights(self, codes, present):
        picked = self.picked(codes, present)
        here = present.to(picked.dtype)
        return picked[:, :-1] + picked[:, -1:] * here / here.sum(dim=1, keepdim=True)

    def row_losses(self, codes, present, y, weight, criterion):
        if not self.training:
            return criterion(self(codes, present), y)
        scores = self.experts(codes)
        weights, usable = self.choices(codes, present)
        loss = criterion((weights[:, :, None] * scores).sum(dim=1), y)
        for i in range(scores.shape[1]):
            loss = loss + usable[:, i] * criterion(scores[:, i], y)
        n = present.shape[1]
        cost = weights[:, :-1].sum(dim=1) / n + weights[:, -1]
        return loss + self.cost_weight * cost
