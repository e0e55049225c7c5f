"""Shared and specific features."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._fusion import Fusion


@stores_parameters
class ShaSpecFusion(Fusion):
    """Shared and specific features of each modality.

    One net computes shared features of every modality, which a loss makes similar;
    another net for each modality computes specific features, which identify the
    modality. Both together are the features of a modality. If it is missing, they are
    replaced by the mean of the shared features of the others.

    Parameters
    ----------
    width : int, default=64
        Length of the shared, and of the specific features.
    alignment_weight : float, default=0.1
        Weight of the distance between the shared features of the modalities of a row.
    domain_weight : float, default=0.02
        Weight of the loss of telling modalities apart by their specific features.

    Notes
    -----
    The method of :cite:t:`shaspec`: with shared features :math:`s_m` and specific ones
    :math:`r_m`, a modality has :math:`s_m + W [s_m, r_m]`, a missing one the mean of
    the shared features, and the head gets all side by side. The loss adds the mean
    absolute difference of the shared features of two modalities, here of all pairs, and
    the cross-entropy of a classifier of modalities. There, both nets read the inputs,
    which must have the same shape; here they read the codes of the encoders, so that
    modalities of any kind can share.

    The published code segments BraTS2018, with features of 256 channels, SGD (Nesterov
    momentum of 0.99), a learning rate of 0.01 that decays, and 180,000 steps of one of
    285 volumes. The last 100,000 see one to four of the four modalities at random. It
    weights the sum of the distances of four pairs by 0.1 and the mean of the
    cross-entropies by 0.02. Here distances are averaged and cross-entropies added, so
    that the same weights are 0.4 and 0.005. Nearest to it is, with a constant rate:

    >>> from functools import partial
    >>> import torch
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import ShaSpecFusion
    >>> paper = FusionClassifier(
    ...     fusion=ShaSpecFusion(width=256, alignment_weight=0.4, domain_weight=0.005),
    ...     optimizer=partial(torch.optim.SGD, momentum=0.99, nesterov=True), lr=1e-2,
    ...     batch_size=1, max_epochs=632, early_stopping=False, modality_dropout=0.375,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import ShaSpecFusion
    >>> FusionClassifier(fusion=ShaSpecFusion(alignment_weight=0.5)).fusion
    ShaSpecFusion(alignment_weight=0.5)
    """

    width: int = 64
    alignment_weight: float = 0.1
    domain_weight: float = 0.02

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "width": [Interval(Integral, 1, None, closed="left")],
        "alignment_weight": [Interval(Real, 0, None, closed="left")],
        "domain_weight": [Interval(Real, 0, None, closed="left")],
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _ShaSpecNet(widths, make_head, self)


class _ShaSpecNet(nn.Module):
    """Specific nets, the shared one, and what composes their features."""

    def __init__(self, widths, make_head, fusion: ShaSpecFusion) -> None:
        super().__init__()
        n, width = len(widths), int(fusion.width)
        self.alignment_weight = float(fusion.alignment_weight)
        self.domain_weight = float(fusion.domain_weight)
        self.inputs = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.shared = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.specific = nn.ModuleList(
            nn.Sequential(nn.Linear(w, width), nn.ReLU()) for w in widths
        )
        self.compose = nn.Linear(2 * width, width)
        self.domain = nn.Linear(width, n)
        self.head = make_head(n * width)

    def parts(self, codes) -> tuple[Any, Any]:
        """Shared and specific features, each (n, M, width)."""
        shared = [self.shared(layer(c)) for layer, c in zip(self.inputs, codes)]
        specific = [layer(c) for layer, c in zip(self.specific, codes)]
        return torch.stack(shared, dim=1), torch.stack(specific, dim=1)

    def _fused(self, shared, specific, present):
        here = present[:, :, None].to(shared.dtype)
        mean = (shared * here).sum(dim=1) / here.sum(dim=1).clamp(min=1.0)
        own = shared + self.compose(torch.cat([shared, specific], dim=2))
        filled = torch.where(present[:, :, None], own, mean[:, None])
        return filled.flatten(1)

    def features(self, codes, present):
        return self.head[:-1](self._fused(*self.parts(codes), present))

    def forward(self, codes, present):
        return self.head(self._fused(*self.parts(codes), present))

    def row_losses(self, codes, present, y, weight, criterion):
        shared, specific = self.parts(codes)
        loss = criterion(self.head(self._fused(shared, specific, present)), y)
        if not self.training:
            return loss
        here = present.to(loss.dtype)
        n = present.shape[1]
        kinds = torch.arange(n, device=y.device).expand(len(y), -1)
        told = nn.functional.cross_entropy(
            self.domain(specific).flatten(0, 1), kinds.flatten(), reduction="none"
        ).view(len(y), n)
        loss = loss + self.domain_weight * (told * here).sum(dim=1)
        gaps = (shared[:, :, None] - shared[:, None]).abs().mean(dim=3)
        both = here[:, :, None] * here[:, None]
        pairs = (both.sum(dim=(1, 2)) - here.sum(dim=1)).clamp(min=1.0)
        return loss + self.alignment_weight * (gaps * both).sum(dim=(1, 2)) / pairs
