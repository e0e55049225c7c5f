"""Nets from a latent vector to one block."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

from torch import nn


def make_decoder(
    shape: tuple[int, ...], latent_dim: int, hidden: Sequence[int]
) -> nn.Module:
    """Decoder by the shape of one row of a block."""
    if len(shape) == 3:
        return _ImageDecoder(shape, latent_dim, int(hidden[-1]) if len(hidden) else 32)
    layers: list[nn.Module] = []
    width = latent_dim
    for size in hidden:
        layers += [nn.Linear(width, int(size)), nn.ReLU()]
        width = int(size)
    return nn.Sequential(
        *layers, nn.Linear(width, prod(shape)), nn.Unflatten(1, tuple(shape))
    )


class _ImageDecoder(nn.Module):
    """A small map that grows fourfold, and is cut to size."""

    def __init__(self, shape: tuple[int, ...], latent_dim: int, width: int) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        small = (width, ceil(self.height / 4), ceil(self.width / 4))
        half = max(width // 2, 1)
        self.body = nn.Sequential(
            nn.Linear(latent_dim, prod(small)),
            nn.ReLU(),
            nn.Unflatten(1, small),
            nn.ConvTranspose2d(width, half, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(half, channels, 4, stride=2, padding=1),
        )

    def forward(self, z):
        return self.body(z)[:, :, : self.height, : self.width]
