"""Late fusion with weights by confidence."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._fusion import Fusion
from ._late_fusion import UnimodalHeads


@stores_parameters
class QMFFusion(Fusion):
    """Quality-aware fusion: late fusion, weighted by the confidence of each head.

    Each modality has a head. Its confidence is the energy of its class scores; the
    scores are averaged with confidences as weights. An additional loss makes a head
    confident for the rows that it predicts well, so that a modality that is noisy in a
    row has little weight there.

    Parameters
    ----------
    confidence_weight : float, default=1.0
        Weight of the loss that orders confidences.

    See Also
    --------
    LateFusion : All weights alike.
    TMCFusion : Evidence in place of confidence.

    Notes
    -----
    The method of :cite:t:`qmf`. The loss is that of the fused scores, and of each head
    alone, and asks for confidences to fall as the losses of the rows rise. There, pairs
    of neighbours in a batch are ranked by the history of their losses; here it is the
    weighted correlation of confidences and losses within the batch, which does not
    depend on the order of the rows. It is the condition of Theorem 1 there. Weights are
    divided by their sum over the modalities of a row, and the energy is made positive
    (softplus), so that one modality alone is predicted by its own head.

    The published code trains on NYUD2 with Adam, a learning rate of 1e-4 that decays
    without gain, a weight decay of 1e-5, three batches of 256 rows for a step, at most
    500 epochs, linear heads on codes of 512 units, and a weight of 0.1 for the ranking
    loss. For SUN RGB-D it has batches of 128 and a weight of 1, for MVSA-Single a
    learning rate of 5e-5, 40 batches of 16 for a step, at most 100 epochs and a weight
    of 1. A correlation has another scale than the ranking loss, so that the weight is
    only a start. Nearest to the first is, with a constant rate:

    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import QMFFusion
    >>> paper = FusionClassifier(
    ...     fusion=QMFFusion(confidence_weight=0.1), optimizer="adam", lr=1e-4,
    ...     weight_decay=1e-5, batch_size=768, max_epochs=500, n_iter_no_change=20,
    ...     head_hidden=(), modality_dropout=0.0,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import QMFFusion
    >>> FusionClassifier(fusion=QMFFusion(confidence_weight=0.5)).fusion
    QMFFusion(confidence_weight=0.5)
    """

    confidence_weight: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "confidence_weight": [Interval(Real, 0, None, closed="left")]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _ConfidentNet(widths, n_classes, make_head, self.confidence_weight)


class _ConfidentNet(UnimodalHeads):
    """Heads whose confidences weight their scores."""

    def __init__(self, widths, n_classes, make_head, confidence_weight) -> None:
        super().__init__(widths, n_classes, make_head)
        self.confidence_weight = float(confidence_weight)

    @staticmethod
    def confidence(scores, present):
        """Energy of each head, positive; 0 where the modality is missing, (n, M)."""
        energy = nn.functional.softplus(torch.logsumexp(scores, dim=2))
        return energy * present.to(scores.dtype)

    @staticmethod
    def _mean(scores, confidence):
        total = confidence.sum(dim=1, keepdim=True)
        share = confidence / total.clamp(min=torch.finfo(total.dtype).tiny)
        return (share[:, :, None] * scores).sum(dim=1)

    def forward(self, codes, present):
        scores = self.scores(codes, present)
        return self._mean(scores, self.confidence(scores, present))

    def modality_weights(self, codes, present):
        confidence = self.confidence(self.scores(codes, present), present)
        return confidence / confidence.sum(dim=1, keepdim=True)

    def row_losses(self, codes, present, y, weight, criterion):
        scores = self.scores(codes, present)
        confidence = self.confidence(scores, present)
        # Weights are not trained by the fused scores, as in the published code.
        loss = criterion(self._mean(scores, confidence.detach()), y)
        loss = loss + self.own_losses(scores, present, y, criterion)
        if not self.training or self.confidence_weight == 0:
            return loss
        for m in range(present.shape[1]):
            own = criterion(scores[:, m], y).detach()
            mass = weight * present[:, m]
            order = _correlation(confidence[:, m], own, mass)
            loss = loss + self.confidence_weight * order
        return loss


def _correlation(a, b, mass):
    """Weighted correlation of two vectors, 0 if one of them does not vary."""
    share = mass / mass.sum().clamp(min=torch.finfo(mass.dtype).tiny)
    a, b = a - (share * a).sum(), b - (share * b).sum()
    spread = (share * a * a).sum() * (share * b * b).sum()
    return (share * a * b).sum() / torch.sqrt(spread + 1e-12)
