"""Late fusion with weights by predicted confidence."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._fusion import Fusion
from ._late_fusion import UnimodalHeads

# Predicted probabilities are kept from 0 and 1, whose logs are divided.
EDGE = 1e-4


@stores_parameters
class PDFFusion(Fusion):
    """Predictive dynamic fusion: late fusion, weighted by predicted confidence.

    Each modality has a head, and a net that predicts the probability which that head
    gives to the true class. A modality has a large weight where its own prediction is
    high and those of the others are low. In prediction, weights of modalities whose
    class probabilities are flatter than those of the others are lowered.

    Parameters
    ----------
    confidence_weight : float, default=1.0
        Weight of the loss of the predicted probabilities.

    See Also
    --------
    QMFFusion : The energy of class scores as confidence.

    Notes
    -----
    The method of :cite:t:`pdf`. With :math:`c_m` the predicted probability of the true
    class, the belief in a modality is :math:`b_m = c_m + \\sum_{k \\ne m} \\log c_k /
    \\sum_k \\log c_k`, and the relative calibration :math:`r_m = \\min(1, u_m / \\bar
    u_{-m})`, where :math:`u_m` is the mean distance of the class probabilities from
    flat ones and :math:`\\bar u_{-m}` its mean over the other modalities. Weights are
    the softmax of b in training, of :math:`b r` in prediction. All sums are over the
    modalities of a row. The nets of confidence have no influence on the encoders.
    There, they are linear in three layers; here they have one hidden layer.

    The published code trains on Food-101 with Adam, a learning rate of 5e-5 that decays
    without gain, batches of 32 rows and at most 100 epochs, linear heads on codes of
    BERT and a ResNet, and a weight of 1 for the absolute error of the predicted
    probabilities. One layer of each net of confidence has a weight decay of 1, which
    cannot be set here for them alone. For MVSA-Single it has a learning rate of 1e-5
    and batches of 16. Nearest to the former is, with a constant rate:

    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import PDFFusion
    >>> paper = FusionClassifier(
    ...     fusion=PDFFusion(confidence_weight=1.0), optimizer="adam", lr=5e-5,
    ...     batch_size=32, max_epochs=100, n_iter_no_change=10, head_hidden=(),
    ...     modality_dropout=0.0,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import PDFFusion
    >>> FusionClassifier(fusion=PDFFusion(confidence_weight=0.5)).fusion
    PDFFusion(confidence_weight=0.5)
    """

    confidence_weight: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "confidence_weight": [Interval(Real, 0, None, closed="left")]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _PredictedConfidence(widths, n_classes, make_head, self)


class _PredictedConfidence(UnimodalHeads):
    """Heads, and nets that predict how right they are."""

    def __init__(self, widths, n_classes, make_head, fusion: PDFFusion) -> None:
        super().__init__(widths, n_classes, make_head)
        self.confidence_weight = float(fusion.confidence_weight)
        self.confidence_nets = nn.ModuleList(
            nn.Sequential(nn.Linear(w, w), nn.ReLU(), nn.Linear(w, 1)) for w in widths
        )

    def confidence(self, codes):
        """Predicted probability of the true class by each head, (n, M)."""
        raw = [
            one(code.detach()) for one, code in zip(self.confidence_nets, codes)
        ]  # no gradient to the encoders
        return torch.sigmoid(torch.cat(raw, dim=1)).clamp(EDGE, 1.0 - EDGE)

    @staticmethod
    def belief(confidence, present):
        """Confidence of a modality, and lack of it of the others, (n, M)."""
        logs = torch.log(confidence) * present
        total = logs.sum(dim=1, keepdim=True)
        return confidence + (total - logs) / total.clamp(max=-EDGE)

    @staticmethod
    def calibration(scores, present):
        """At most 1, less for flatter class probabilities than others', (n, M)."""
        here = present.to(scores.dtype)
        shares = scores.softmax(dim=2)
        sure = (shares - 1.0 / scores.shape[2]).abs().mean(dim=2) * here
        n_others = (here.sum(dim=1, keepdim=True) - 1.0).clamp(min=1.0)
        others = (sure.sum(dim=1, keepdim=True) - sure) / n_others
        return (sure / others.clamp(min=1e-8)).clamp(max=1.0)

    def _weights(self, codes, scores, present):
        belief = self.belief(self.confidence(codes), present)
        if not self.training:
            belief = belief * self.calibration(scores, present)
        return belief.masked_fill(~present, -torch.inf).softmax(dim=1)

    def forward(self, codes, present):
        scores = self.scores(codes, present)
        weights = self._weights(codes, scores, present)
        return (weights[:, :, None] * scores).sum(dim=1)

    def modality_weights(self, codes, present):
        return self._weights(codes, self.scores(codes, present), present)

    def row_losses(self, codes, present, y, weight, criterion):
        scores = self.scores(codes, present)
        weights = self._weights(codes, scores, present).detach()
        loss = criterion((weights[:, :, None] * scores).sum(dim=1), y)
        loss = loss + self.own_losses(scores, present, y, criterion)
        if not self.training:
            return loss
        index = y[:, None, None].expand(-1, scores.shape[1], 1)
        truth = scores.detach().softmax(dim=2).gather(2, index).squeeze(2)
        gaps = (self.confidence(codes) - truth).abs() * present
        return loss + self.confidence_weight * gaps.sum(dim=1)
