"""A weighted mean of codes, with weights that depend on the row."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._fusion import Fusion


@stores_parameters
class GatedFusion(Fusion):
    """Gated multimodal unit: a mean of codes, weighted unit by unit.

    A gate reads all codes of a row and weights each unit of each modality; the weights
    of a unit sum to 1 over the modalities that the row has.

    Parameters
    ----------
    width : int, default=64
        Units of the fused code.

    See Also
    --------
    QMFFusion : One weight per modality, by its confidence.

    Notes
    -----
    The unit of :cite:t:`gmu`: :math:`h = \\sum_m z_m \\odot \\tanh(W_m h_m)`. There,
    two modalities have the gate :math:`z_1 = \\sigma(V [h_1, h_2])` and
    :math:`z_2 = 1 - z_1`, and more have a sigmoid each. Here it is a softmax over the
    modalities that the row has, which is the same for two, so that what is missing has
    no weight.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import GatedFusion
    >>> FusionClassifier(fusion=GatedFusion(width=32)).get_params()["fusion__width"]
    32
    """

    width: int = 64

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "width": [Interval(Integral, 1, None, closed="left")]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _GatedNet(widths, int(self.width))


class _GatedNet(nn.Module):
    """Gates and values of each modality."""

    def __init__(self, widths, width: int) -> None:
        super().__init__()
        self.out_features = width
        self.values = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.gate = nn.Linear(sum(widths), len(widths) * width)

    def gates(self, codes, present):
        """Weights, (n, M, width); they sum to 1 over the modalities of a row."""
        raw = self.gate(torch.cat(codes, dim=1))
        raw = raw.view(len(present), len(codes), -1)
        return raw.masked_fill(~present[:, :, None], -torch.inf).softmax(dim=1)

    def forward(self, codes, present):
        values = [torch.tanh(layer(c)) for layer, c in zip(self.values, codes)]
        return (self.gates(codes, present) * torch.stack(values, dim=1)).sum(dim=1)

    def modality_weights(self, codes, present):
        return self.gates(codes, present).mean(dim=2)
