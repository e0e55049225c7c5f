"""Transformer with a class token and a loss for each set of modalities."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._attention_fusion import AttentionFusion, TokenNet

# Above this many modalities the class token of a set is the sum of its members'.
MAX_LISTED = 8


@stores_parameters
class MTLFusion(AttentionFusion):
    """Multi-task transformer: a class token and a loss for each set of modalities.

    Prediction from each set of modalities is a task. Each has a class token of its own,
    which attends to its modalities alone; everything else is shared. Training uses, for
    each row, all subsets of its modalities.

    Parameters
    ----------
    n_subsets : int, default=15
        Sets that a batch is trained on: all, if there are no more, else as many drawn
        anew for each batch.
    %(parameters)s

    See Also
    --------
    AttentionFusion : One class token and one loss.
    skmissing.baselines.MultitaskFusionClassifier : A loss for each modality alone.

    Notes
    -----
    The multi-task transformer of :cite:t:`ma2022robust`, as :cite:t:`dymo` compare with
    it: the mean of the losses over all sets, for encoders that are trained with it.
    There, only the class token is kept from reading missing modalities, which the
    others read as zeros; here they are masked everywhere. The loss hides modalities
    itself, and ``modality_dropout=0`` leaves it to that. Early stopping looks at the
    rows as they are.

    The code of :cite:t:`dymo` for PolyMNIST, with five views, has Adam, a learning rate
    of 1e-3, batches of 256 rows, at most 100 epochs, tokens of 128 units, two layers of
    4 heads and all 31 sets. For DVM it has a learning rate of 3e-4, batches of 200, at
    most 300 epochs, tokens of 256 units and 8 heads. The setting of
    :cite:t:`ma2022robust` is not stated here. Nearest to that for PolyMNIST is:

    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import MTLFusion
    >>> paper = FusionClassifier(
    ...     fusion=MTLFusion(n_subsets=31, token_dim=128, n_heads=4, n_layers=2),
    ...     optimizer="adam", lr=1e-3, batch_size=256, max_epochs=100,
    ...     n_iter_no_change=20, head_hidden=(), modality_dropout=0.0,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import MTLFusion
    >>> FusionClassifier(fusion=MTLFusion(), modality_dropout=0.0).fusion
    MTLFusion()
    """

    n_subsets: int = 15

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_subsets": [Interval(Integral, 1, None, closed="left")]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _SubsetNet(widths, self, make_head)


class _SubsetNet(TokenNet):
    """A class token for each set of modalities, or for each member of one."""

    def __init__(self, widths, fusion: MTLFusion, make_head) -> None:
        n = len(widths)
        super().__init__(widths, fusion, 2**n if n <= MAX_LISTED else n)
        self.n_subsets = int(fusion.n_subsets)
        self.head = make_head(int(fusion.token_dim))

    def class_token(self, kept):
        n = kept.shape[1]
        if n > MAX_LISTED:
            return kept.to(self.class_tokens.dtype) @ self.class_tokens
        powers = 2 ** torch.arange(n, device=kept.device)
        return self.class_tokens[(kept * powers).sum(dim=1)]

    def features(self, codes, present):
        return self.head[:-1](super().forward(codes, present))

    def forward(self, codes, present):
        return self.head(super().forward(codes, present))

    def subsets(self, n: int):
        """Sets of n modalities that a batch is trained on, (n_sets, n)."""
        if n > MAX_LISTED or 2**n - 1 > self.n_subsets:
            sets = torch.rand((self.n_subsets, n)) < 0.5
            sets[:, 0] |= ~sets.any(dim=1)
            return sets
        return (torch.arange(1, 2**n)[:, None] >> torch.arange(n) & 1).bool()

    def row_losses(self, codes, present, y, weight, criterion):
        if not self.training:
            return criterion(self(codes, present), y)
        members = self.subsets(present.shape[1]).to(present.device)
        # (n, sets): those that a row has whole. Where none was drawn, all that it has.
        own = (present[:, None] | ~members).all(dim=2)
        none = ~own.any(dim=1)
        rows, which = own.nonzero(as_tuple=True)
        rows = torch.cat([rows, none.nonzero().squeeze(1)])
        kept = torch.cat([members[which], present[none]])
        x = self.attend(self.class_token(kept), self.tokens(codes)[rows], kept)
        losses = criterion(self.head(x), y[rows])
        total = losses.new_zeros(len(present)).index_add(0, rows, losses)
        return total / (own.sum(dim=1) + none)
