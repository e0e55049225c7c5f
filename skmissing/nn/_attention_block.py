"""A layer of a transformer over few tokens."""

from __future__ import annotations

import torch
from torch import nn


class AttentionBlock(nn.Module):
    """Attention and a perceptron, each after a norm and beside a shortcut.

    The perceptron is ``mlp_ratio`` times as wide as tokens are.
    """

    def __init__(self, dim: int, n_heads: int, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.norm_2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Linear(mlp_ratio * dim, dim)
        )

    def read(self, x):
        """Queries, keys and values of tokens, side by side."""
        return self.qkv(self.norm_1(x))

    def forward(self, x, seen, only_first: bool, given=None):
        """Tokens (n, T, dim) after the layer; or the first one.

        ``seen`` (n, T) are the tokens that take part; ``given`` is what was read.
        """
        if only_first:
            q, k, v = self._read_first(x) if given is None else given.chunk(3, dim=2)
            x, mixed = x[:, :1], self._mix_first(q[:, :1], k, v, seen)
        else:
            given = self.read(x) if given is None else given
            q, k, v = given.chunk(3, dim=2)
            mixed = self._mix(q, k, v, seen)
        x = x + self.out(mixed)
        return x + self.mlp(self.norm_2(x))

    def _read_first(self, x):
        """Queries of the first token, keys and values of all."""
        x, dim = self.norm_1(x), x.shape[2]
        weights = self.qkv.weight.split([dim, 2 * dim])
        k, v = nn.functional.linear(x, weights[1]).chunk(2, dim=2)
        return nn.functional.linear(x[:, :1], weights[0]), k, v

    def _mix(self, q, k, v, seen):
        """Attention of all tokens."""
        n, length, dim = q.shape
        q, k, v = (
            part.reshape(n, length, self.n_heads, -1).transpose(1, 2)
            for part in (q, k, v)
        )
        mask = seen[:, None, None, :]
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return mixed.transpose(1, 2).reshape(n, length, dim)

    def _mix_first(self, q, k, v, seen):
        """Attention of the first token; many small products of matrices are slow."""
        n, length, dim = k.shape
        by_head = (n, length, self.n_heads, dim // self.n_heads)
        scores = (q * k).view(by_head).sum(dim=3) * by_head[3] ** -0.5
        share = scores.masked_fill(~seen[:, :, None], -torch.inf).softmax(dim=1)
        return (share[..., None] * v.reshape(by_head)).sum(dim=1).view(n, 1, dim)
