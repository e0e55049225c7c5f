"""The mean of the scores of one head per modality."""

from __future__ import annotations

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ._fusion import Fusion


@stores_parameters
class LateFusion(Fusion):
    """One head per modality; the mean of the scores of those that a row has.

    No interaction of modalities is learned, such as an XOR.

    See Also
    --------
    ProductOfExperts : The sum of the scores.
    QMFFusion : A mean with weights that depend on the row.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import LateFusion
    >>> FusionClassifier(fusion=LateFusion()).fusion
    LateFusion()
    """

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _MeanScores(widths, n_classes, make_head)


class UnimodalHeads(nn.Module):
    """A head for each modality."""

    def __init__(self, widths, n_classes, make_head) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.heads = nn.ModuleList(make_head(width) for width in widths)

    def scores(self, codes, present):
        """Class scores of each modality alone, (n, M, n_classes), 0 where missing."""
        out = []
        for m, (code, one) in enumerate(zip(codes, self.heads)):
            here = present[:, m : m + 1]
            if here.any():
                out.append(one(code) * here.to(code.dtype))
            else:
                out.append(code.new_zeros((len(code), self.n_classes)))
        return torch.stack(out, dim=1)

    def own_losses(self, scores, present, y, criterion):
        """Sum over the modalities of a row of the loss of each alone."""
        total = scores.new_zeros(len(scores))
        for m in range(present.shape[1]):
            total = total + present[:, m] * criterion(scores[:, m], y)
        return total


class _MeanScores(UnimodalHeads):
    """The mean of the scores that a row has."""

    def forward(self, codes, present):
        weight = present.to(codes[0].dtype)
        scores = self.scores(codes, present)
        total = scores[:, 0]
        for m in range(1, scores.shape[1]):
            total = total + scores[:, m]
        # Rows with nothing left do not reach the net; the floor only guards the sum.
        return total / weight.sum(dim=1, keepdim=True).clamp(min=1.0)

    def modality_weights(self, codes, present):
        weight = present.to(codes[0].dtype)
        return weight / weight.sum(dim=1, keepdim=True)
