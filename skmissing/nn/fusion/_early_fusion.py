"""Codes side by side."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ._fusion import Fusion


@stores_parameters
class EarlyFusion(Fusion):
    """Concatenated codes, with zeros for missing modalities, and one head.

    Parameters
    ----------
    use_mask : bool, default=False
        Append one bit per modality that indicates whether it is present. The bits let
        the net use missingness as a feature.

    See Also
    --------
    LateFusion : One head per modality.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import EarlyFusion
    >>> clf = FusionClassifier(fusion=EarlyFusion(use_mask=True))
    >>> clf.get_params()["fusion__use_mask"]
    True
    """

    use_mask: bool = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"use_mask": ["boolean"]}

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _Concat(sum(widths), len(widths) if self.use_mask else 0)


class _Concat(nn.Module):
    """Codes, and the presence bits where there are any."""

    def __init__(self, width: int, n_bits: int) -> None:
        super().__init__()
        self.use_mask = n_bits > 0
        self.out_features = width + n_bits

    def forward(self, codes, present):
        parts = list(codes)
        if self.use_mask:
            parts.append(present.to(parts[0].dtype))
        return torch.cat(parts, dim=1)
