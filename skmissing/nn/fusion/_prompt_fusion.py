"""Transformer with prompts for each pattern."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._attention_fusion import INITIAL, AttentionFusion, TokenNet
from ._mtl_fusion import MAX_LISTED


@stores_parameters
class PromptFusion(AttentionFusion):
    """Missing-aware prompts: a transformer with learned tokens for each pattern.

    A row has the tokens of its modalities and some that represent its pattern. These
    are the sum of a vector for each missing modality and a vector for the whole
    pattern. For a pattern that no training row had, only the former are used.

    Parameters
    ----------
    n_prompts : int, default=4
        Tokens of a pattern.
    %(parameters)s

    See Also
    --------
    AttentionFusion : Without prompts.
    MTLFusion : A class token and a loss for each set of modalities.

    Notes
    -----
    The input-level prompts of :cite:t:`prompts`. There, they are all that is trained,
    with the head, in a large transformer that was trained before on complete pairs of
    images and texts; a pattern has 16 tokens at each of the first six layers. Here the
    transformer is small and trained with them, and they enter at its first layer. The
    part of a pattern itself starts at zero; there is none with more than 8 modalities.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import PromptFusion
    >>> FusionClassifier(fusion=PromptFusion(n_prompts=2)).fusion
    PromptFusion(n_prompts=2)
    """

    n_prompts: int = 4

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_prompts": [Interval(Integral, 1, None, closed="left")]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        net = _PromptedNet(widths, self)
        net.out_features = int(self.token_dim)
        return net


class _PromptedNet(TokenNet):
    """Tokens of modalities and of the pattern."""

    def __init__(self, widths, fusion: PromptFusion) -> None:
        super().__init__(widths, fusion)
        n, size = len(widths), (int(fusion.n_prompts), int(fusion.token_dim))
        self.complete = nn.Parameter(torch.empty(size))
        self.missing = nn.Parameter(torch.empty(n, *size))
        nn.init.normal_(self.complete, std=INITIAL)
        nn.init.normal_(self.missing, std=INITIAL)
        # Of each pattern, by its presence bits; not trained where no row has it.
        n_patterns = 2**n if n <= MAX_LISTED else 0
        self.own = nn.Parameter(torch.zeros(n_patterns, *size))

    def prompts(self, present):
        """Tokens of the pattern of each row, (n, n_prompts, token_dim)."""
        gone = (~present).to(self.missing.dtype)
        out = self.complete + torch.tensordot(gone, self.missing, dims=1)
        if not len(self.own):
            return out
        powers = 2 ** torch.arange(present.shape[1], device=present.device)
        return out + self.own[(present * powers).sum(dim=1)]

    def forward(self, codes, present):
        prompts = self.prompts(present)
        tokens = torch.cat([prompts, self.tokens(codes)], dim=1)
        seen = torch.cat([present.new_ones(prompts.shape[:2]), present], dim=1)
        return self.attend(self.class_token(present), tokens, seen)
