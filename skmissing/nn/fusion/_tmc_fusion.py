"""Evidence for each class, combined by Dempster's rule."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._fusion import Fusion
from ._late_fusion import UnimodalHeads

# Logs of combined evidence are kept below this: float32 ends at e^88.
MAX_LOG = 60.0


@stores_parameters
class TMCFusion(Fusion):
    """Trusted multi-view classification: evidential late fusion.

    Each modality has a head whose outputs are evidence for the classes. Evidence makes
    a belief in each class, and little evidence leaves uncertainty. The beliefs of the
    modalities of a row are combined by Dempster's rule; a missing one has no evidence,
    and changes nothing. The fusion has a loss of its own and ignores ``criterion``,
    which must be the default.

    Parameters
    ----------
    annealing_epochs : int, default=10
        Epochs over which the loss that takes evidence from wrong classes gets its full
        weight.

    See Also
    --------
    QMFFusion : Confidence as weights of a mean.

    Notes
    -----
    The method of :cite:t:`tmc`. With evidence :math:`e_{mk} \\ge 0` for the K classes,
    Dempster's rule gives the evidence :math:`K (\\prod_m (1 + e_{mk} / K) - 1)`, which
    is how it is computed, whatever the order of the modalities. The probability of a
    class is the mean of a Dirichlet distribution,
    :math:`(e_k + 1) / \\sum_j (e_j + 1)`, and the weight of a modality its certainty,
    :math:`1 - K / \\sum_j (e_{mj} + 1)`, which does not sum to 1. The loss of every
    modality and of the combination is the expected cross-entropy and a divergence from
    no evidence for wrong classes. There, annealing takes 50 of 500 epochs.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import TMCFusion
    >>> FusionClassifier(fusion=TMCFusion(annealing_epochs=5)).fusion
    TMCFusion(annealing_epochs=5)
    """

    annealing_epochs: int = 10

    counts_epochs = True
    takes_criterion = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "annealing_epochs": [Interval(Integral, 1, None, closed="left")]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _EvidenceNet(widths, n_classes, make_head, self.annealing_epochs)


class _EvidenceNet(UnimodalHeads):
    """Heads whose scores are made evidence."""

    def __init__(self, widths, n_classes, make_head, annealing_epochs) -> None:
        super().__init__(widths, n_classes, make_head)
        self.annealing_epochs = int(annealing_epochs)
        self.epoch = 0

    def evidence(self, codes, present):
        """Of each modality for each class, 0 where missing, (n, M, K)."""
        positive = nn.functional.softplus(self.scores(codes, present))
        return positive * present[:, :, None].to(positive.dtype)

    def combine(self, evidence):
        """Dempster's rule, (n, K)."""
        logs = torch.log1p(evidence / self.n_classes).sum(dim=1)
        return self.n_classes * torch.expm1(logs.clamp(max=MAX_LOG))

    def forward(self, codes, present):
        # Class scores whose softmax are the means of the Dirichlet distribution.
        return torch.log1p(self.combine(self.evidence(codes, present)))

    def modality_weights(self, codes, present):
        total = self.evidence(codes, present).sum(dim=2)
        return total / (total + self.n_classes)

    def row_losses(self, codes, present, y, weight, criterion):
        evidence = self.evidence(codes, present)
        loss = self._loss(self.combine(evidence), y)
        for m in range(present.shape[1]):
            loss = loss + present[:, m] * self._loss(evidence[:, m], y)
        return loss

    def _loss(self, evidence, y):
        """Expected cross-entropy, and evidence for wrong classes."""
        alpha = evidence + 1.0
        own = alpha.gather(1, y[:, None]).squeeze(1)
        loss = torch.digamma(alpha.sum(dim=1)) - torch.digamma(own)
        truth = nn.functional.one_hot(y, self.n_classes).to(alpha.dtype)
        wrong = 1.0 + evidence * (1.0 - truth)
        # The loss that stops the training early is the same in all epochs: the first
        # ones would seem best.
        share = min(1.0, self.epoch / self.annealing_epochs) if self.training else 1.0
        return loss + share * _divergence(wrong)

    def end_epoch(self) -> None:
        """Count the epochs of training."""
        self.epoch += 1


def _divergence(alpha):
    """KL of Dirichlet distributions from the flat one, (n,)."""
    total = alpha.sum(dim=1)
    shift = torch.digamma(alpha) - torch.digamma(total)[:, None]
    flat = math.lgamma(alpha.shape[1])
    return (
        torch.lgamma(total)
        - torch.lgamma(alpha).sum(dim=1)
        - flat
        + ((alpha - 1.0) * shift).sum(dim=1)
    )
