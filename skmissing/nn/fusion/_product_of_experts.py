"""Class probabilities multiplied, one factor per modality."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._fusion import Fusion


@stores_parameters
class ProductOfExperts(Fusion):
    """A prior and one factor per modality, multiplied and normalised.

    A missing modality leaves out its factor, and changes no other. No interaction of
    modalities is learned, such as an XOR.

    Parameters
    ----------
    unimodal_weight : float, default=0.0
        Weight of the loss of each factor alone, added to that of the product.

    See Also
    --------
    I2M2Fusion : With factors of several modalities.
    skmissing.baselines.UnimodalEnsemble : The same product, of nets trained apart.

    Notes
    -----
    :math:`p(y | x_S) \\propto \\exp(b_y + \\sum_{m \\in S} f_{m,y}(h_m))` with the
    learned prior b :cite:p:`hinton2002products`.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import ProductOfExperts
    >>> FusionClassifier(fusion=ProductOfExperts()).fusion
    ProductOfExperts()
    """

    unimodal_weight: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "unimodal_weight": [Interval(Real, 0, None, closed="left")]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        sets: list[tuple[int, ...]] = [(m,) for m in range(len(widths))]
        return FactorNet(widths, n_classes, make_head, sets, self.unimodal_weight)


class FactorNet(nn.Module):
    """A factor for each of some sets of modalities; those of one come first."""

    def __init__(
        self,
        widths: Sequence[int],
        n_classes: int,
        make_head,
        sets: list[tuple[int, ...]],
        unimodal_weight: float,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.sets = sets
        self.unimodal_weight = float(unimodal_weight)
        self.prior = nn.Parameter(torch.zeros(n_classes))
        self.heads = nn.ModuleList(
            make_head(sum(widths[m] for m in members)) for members in sets
        )

    def factors(self, codes, present):
        """Scores of each factor, 0 where a modality of it is missing, (n, F, K)."""
        out = []
        for members, one in zip(self.sets, self.heads):
            some = present[:, list(members)].all(dim=1, keepdim=True)
            if some.any():
                code = torch.cat([codes[m] for m in members], dim=1)
                out.append(one(code) * some.to(code.dtype))
            else:
                out.append(codes[0].new_zeros((len(present), self.n_classes)))
        return torch.stack(out, dim=1)

    def forward(self, codes, present):
        return self.prior + self.factors(codes, present).sum(dim=1)

    def row_losses(self, codes, present, y, weight, criterion):
        factors = self.factors(codes, present)
        loss = criterion(self.prior + factors.sum(dim=1), y)
        if self.unimodal_weight == 0:
            return loss
        for m in range(present.shape[1]):
            own = criterion(self.prior + factors[:, m], y)
            loss = loss + self.unimodal_weight * present[:, m] * own
        return loss
