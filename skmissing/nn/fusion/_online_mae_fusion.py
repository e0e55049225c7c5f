"""Transformer over tokens, of which missing ones are reconstructed."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from .._attention_block import AttentionBlock
from .._random_subsets import random_part
from ._attention_fusion import INITIAL, AttentionFusion, TokenNet


@stores_parameters
class OnlineMAEFusion(AttentionFusion):
    """Masked autoencoder of tokens, trained together with the classifier.

    A small transformer predicts the tokens of missing modalities from those of the
    present ones, and a second transformer fuses all tokens. In training, modalities are
    hidden, and the predicted tokens are compared with the true ones.

    Parameters
    ----------
    n_recovery_layers : int, default=1
        Layers of the transformer that reconstructs.
    recovery_weight : float, default=1.0
        Weight of the loss of reconstruction.
    %(parameters)s

    See Also
    --------
    AttentionFusion : Missing tokens are masked out.
    M3CareFusion : Missing tokens are those of similar rows.

    Notes
    -----
    The method of :cite:t:`actionmae`, with which :cite:t:`dymo` compare by this name. A
    batch is trained on a random part of what its rows have, and on all of it. There,
    rows are complete in training, an encoder and a decoder with tokens of memory
    reconstruct, and as many modalities are dropped in each row of a batch. Here, one
    transformer with a mask token for each modality reconstructs, and the tokens to be
    reconstructed, normalised, have no gradient, so that encoders cannot make the task
    easy.

    The code of :cite:t:`actionmae` for NTU RGB+D 60 has AdamW, a learning rate of 1e-4
    times the batch size over 32, a weight decay of 1e-4, 200 epochs, tokens of 512
    units, two layers of 8 heads in encoder and decoder, 4 tokens of memory, and a
    weight of 1 for both losses. That of :cite:t:`dymo` for PolyMNIST has Adam, a
    learning rate of 1e-3, batches of 256 rows, at most 100 epochs, tokens of 128 units,
    two layers of 4 heads in encoder, decoder and fusion, 6 tokens of memory, the same
    weights, and encoders that were trained before. Nearest to the latter is:

    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import OnlineMAEFusion
    >>> paper = FusionClassifier(
    ...     fusion=OnlineMAEFusion(
    ...         token_dim=128, n_heads=4, n_layers=2, n_recovery_layers=4,
    ...         recovery_weight=1.0,
    ...     ),
    ...     optimizer="adam", lr=1e-3, batch_size=256, max_epochs=100,
    ...     n_iter_no_change=20, head_hidden=(), modality_dropout=0.0,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import OnlineMAEFusion
    >>> FusionClassifier(fusion=OnlineMAEFusion(recovery_weight=0.5)).fusion
    OnlineMAEFusion(recovery_weight=0.5)
    """

    n_recovery_layers: int = 1
    recovery_weight: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_recovery_layers": [Interval(Integral, 1, None, closed="left")],
        "recovery_weight": [Interval(Real, 0, None, closed="left")],
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _ReconstructedTokens(widths, self, make_head)


class _ReconstructedTokens(TokenNet):
    """A transformer that fills in tokens before another one fuses them."""

    def __init__(self, widths, fusion: OnlineMAEFusion, make_head) -> None:
        super().__init__(widths, fusion)
        dim = int(fusion.token_dim)
        self.recovery_weight = float(fusion.recovery_weight)
        self.mask_tokens = nn.Parameter(torch.empty(len(widths), dim))
        nn.init.normal_(self.mask_tokens, std=INITIAL)
        self.recovery: Any = nn.ModuleList(
            AttentionBlock(dim, int(fusion.n_heads))
            for _ in range(int(fusion.n_recovery_layers))
        )
        self.written = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))
        self.head = make_head(dim)

    def recovered(self, projected, kept):
        """What the tokens of missing modalities are, given those kept."""
        x = torch.where(kept[:, :, None], projected + self.kind, self.mask_tokens)
        # Mask tokens read, and are not read.
        for block in self.recovery:
            x = block(x, kept, only_first=False)
        return self.written(x)

    def _fused(self, projected, kept):
        filled = torch.where(
            kept[:, :, None], projected, self.recovered(projected, kept)
        )
        every = torch.ones_like(kept)
        return self.attend(self.class_token(kept), filled + self.kind, every)

    def features(self, codes, present):
        return self.head[:-1](self._fused(self.projected(codes), present))

    def forward(self, codes, present):
        return self.head(self._fused(self.projected(codes), present))

    def row_losses(self, codes, present, y, weight, criterion):
        projected = self.projected(codes)
        loss = criterion(self.head(self._fused(projected, present)), y)
        if not self.training:
            return loss
        kept = random_part(present, shared=True)
        loss = 0.5 * (loss + criterion(self.head(self._fused(projected, kept)), y))
        hidden = (present & ~kept).to(loss.dtype)
        gaps = (self.recovered(projected, kept) - target(projected)) ** 2
        error = (gaps.mean(dim=2) * hidden).sum(dim=1)
        return loss + self.recovery_weight * error / hidden.sum(dim=1).clamp(min=1.0)


def target(projected):
    """Tokens to be reconstructed: normalised, without a gradient."""
    return nn.functional.layer_norm(projected.detach(), projected.shape[2:])
