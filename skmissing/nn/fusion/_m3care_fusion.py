"""Transformer over tokens, of which missing ones are those of similar rows."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._attention_fusion import AttentionFusion, TokenNet

# Similarity, summed over the shares of rows, below which a token is shrunk to zero.
LITTLE = 1e-6


@stores_parameters
class M3CareFusion(AttentionFusion):
    """Missing tokens imputed from those of similar training rows, and a transformer.

    The token of a missing modality is the mean over rows that have it, weighted by how
    similar they are in the modalities that both have. A present one is mixed with such
    a mean. Similar rows are from the batch in training, and from stored training rows
    in prediction, so that no prediction depends on the other rows.

    Parameters
    ----------
    memory_rows : int, default=512
        Training rows that are kept: all, if there are no more, else some at random.
    %(parameters)s

    See Also
    --------
    MUSEFusion : Modalities, not rows, pass on what they have in common.
    skmissing.recovery.NeighborRecovery : Recovery of blocks by similar rows.

    Notes
    -----
    The method of :cite:t:`m3care`. The similarity in a modality is the mean of two
    Gaussian kernels with learned shares, of tokens and of what a perceptron makes of
    them; a learned threshold is subtracted from its mean over modalities. There, rows
    beside it in the batch impute a row also in prediction, kernels are as wide as the
    batch is spread, and two graph convolutions with weights transform the tokens of
    similar rows. Here kernels compare directions, with learned widths, and there is one
    step without weights, so that an imputed token is a mean of tokens. The loss that
    holds the perceptron close to the tokens is left out. The memory is part of the
    model: its files contain codes of training rows.

    The published code for ODIR has Adam, a learning rate of 1e-4, a weight decay of
    1e-4, batches of 512 rows, the best of 100 epochs, tokens of 128 units, two layers
    of attention with four heads and one, a dropout of 0.5, and a weight of 1e-7 for the
    loss that is left out here. For OV it has a weight decay of 1e-5, batches of 32,
    tokens of 256 units and a weight of 1e-8. Nearest to the former is:

    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import M3CareFusion
    >>> paper = FusionClassifier(
    ...     fusion=M3CareFusion(token_dim=128, n_heads=4, n_layers=2, memory_rows=512),
    ...     optimizer="adam", lr=1e-4, weight_decay=1e-4, batch_size=512,
    ...     max_epochs=100, early_stopping=True, n_iter_no_change=100,
    ...     head_hidden=(256,), head_dropout=0.5, modality_dropout=0.0,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import M3CareFusion
    >>> FusionClassifier(fusion=M3CareFusion(memory_rows=256)).fusion
    M3CareFusion(memory_rows=256)
    """

    memory_rows: int = 512

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "memory_rows": [Interval(Integral, 1, None, closed="left")]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _SimilarRows(widths, self, make_head)


class _SimilarRows(TokenNet):
    """Similarities of rows, a memory of some, and a transformer."""

    def __init__(self, widths, fusion: M3CareFusion, make_head) -> None:
        super().__init__(widths, fusion)
        n, dim = len(widths), int(fusion.token_dim)
        self.memory_rows = int(fusion.memory_rows)
        self.compared = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
            for _ in widths
        )
        self.log_width = nn.Parameter(torch.zeros(n))
        self.plain_share = nn.Parameter(torch.full((n,), 2.0))
        self.threshold = nn.Parameter(torch.zeros(()))
        self.trust = nn.ModuleList(nn.Linear(dim, 1) for _ in range(2))
        self.head = make_head(dim)
        self.memory: Any
        self.memory_share: Any
        self.register_buffer("memory", torch.zeros(self.memory_rows, n, dim))
        # Of the weight of all rows kept; 0 where a modality or a row is missing.
        self.register_buffer("memory_share", torch.zeros(self.memory_rows, n))

    def remember(self, codes, present, y, weight):
        """Keep the tokens of training rows."""
        n = len(present)
        self.memory.zero_()
        self.memory_share.zero_()
        self.memory[:n] = self.projected(codes)
        self.memory_share[:n] = self._share(present, weight)

    @staticmethod
    def _share(present, weight):
        return present * (weight / weight.sum())[:, None]

    def similarity(self, projected, present, others, share):
        """Of rows and others, 0 for those that are not similar enough, (n, N)."""
        total: Any = 0.0
        count: Any = 0.0
        for m, net in enumerate(self.compared):
            mine, theirs = projected[:, m], others[:, m]
            plain = torch.sigmoid(self.plain_share[m])
            scale = torch.exp(-self.log_width[m])
            alike = plain * _kernel(mine, theirs, scale)
            alike = alike + (1.0 - plain) * _kernel(net(mine), net(theirs), scale)
            both = (present[:, m, None] & (share[:, m] > 0)).to(alike.dtype)
            total, count = total + both * alike, count + both
        return torch.relu(total / count.clamp(min=1.0) - torch.sigmoid(self.threshold))

    def imputed(self, projected, present, others, share):
        """Mean tokens of similar rows, (n, M, token_dim)."""
        alike = self.similarity(projected, present, others, share)
        n, dim = len(projected), projected.shape[2]
        total = (alike @ (share[:, :, None] * others).flatten(1)).view(n, -1, dim)
        return total / (alike @ share + LITTLE)[:, :, None]

    def _fused(self, projected, present, others, share):
        found = self.imputed(projected, present, others, share)
        trust, own = (
            torch.sigmoid(f(x)) for f, x in zip(self.trust, (found, projected))
        )
        mixed = (trust * found + own * projected) / (trust + own)
        tokens = torch.where(present[:, :, None], mixed, found) + self.kind
        return self.attend(self.class_token(present), tokens, torch.ones_like(present))

    def _code(self, codes, present):
        projected = self.projected(codes)
        return self._fused(projected, present, self.memory, self.memory_share)

    def features(self, codes, present):
        return self.head[:-1](self._code(codes, present))

    def forward(self, codes, present):
        return self.head(self._code(codes, present))

    def row_losses(self, codes, present, y, weight, criterion):
        if not self.training:
            return criterion(self(codes, present), y)
        projected = self.projected(codes)
        share = self._share(present, weight)
        return criterion(
            self.head(self._fused(projected, present, projected, share)), y
        )


def _kernel(a, b, scale):
    """Gaussian kernel of directions, (n, N)."""
    a, b = nn.functional.normalize(a, dim=1), nn.functional.normalize(b, dim=1)
    return torch.exp(-2.0 * scale * (1.0 - a @ b.T))
