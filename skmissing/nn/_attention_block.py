"""A layer of a transformer over few tokens."""

from __future__ import annotations

from torch import nn


class AttentionBlock(nn.Module):
    """Attention and a perceptron, each after a norm and beside a shortcut."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.norm_2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
        )

    def forward(self, x, seen, only_first: bool):
        n, _, dim = x.shape
        h = self.norm_1(x)
        if only_first:
            weight = self.qkv.weight
            q = h[:, :1] @ weight[:dim].T
            k, v = (h @ weight[dim:].T).chunk(2, dim=2)
            x = x[:, :1]
        else:
            q, k, v = self.qkv(h).chunk(3, dim=2)
        q, k, v = (
            part.reshape(n, -1, self.n_heads, dim // self.n_heads).transpose(1, 2)
            for part in (q, k, v)
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, -1, dim))
        return x + self.mlp(self.norm_2(x))
