"""Variational auto-encoder over several modalities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ..modalities._scaling import BlockScaler
from ..nn._encoder_bank import EncoderBank
from ..nn._random_subsets import random_part
from ..nn._store import Batch
from ..nn._task import TaskModule


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


# Logs of variances are kept between these (standard deviations from 0.02 to 7.4): the
# exponential of an unbounded one overflows in the first steps of an untrained net.
LOG_VARIANCE = (-8.0, 4.0)


class VAEBlock(NamedTuple):
    """A modality: its column in the mask, its shape, and moments of its features."""

    column: int
    shape: tuple[int, ...]
    mean: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True)
class VAESettings:
    """What the net and its loss are made of; fields as parameters of the estimator."""

    fusion: str
    latent_dim: int
    hidden: Sequence[int]
    beta: float
    likelihood: str
    scale: float
    shared_noise: bool


class VAEModule(TaskModule):
    """One Gaussian expert and one decoder for each modality."""

    def __init__(
        self, bank: EncoderBank, blocks: list[VAEBlock], settings: VAESettings
    ) -> None:
        super().__init__(bank, 1)
        self.blocks = blocks
        self.columns = [block.column for block in blocks]
        self.settings = settings
        # Modalities count the same, and all together as many features as there are.
        self.size = float(np.mean([np.prod(block.shape) for block in blocks]))
        latent_dim = settings.latent_dim
        self.experts = nn.ModuleList(
            nn.Linear(width, 2 * latent_dim) for width in bank.widths
        )
        self.decoders = nn.ModuleList(
            make_decoder(block.shape, latent_dim, settings.hidden) for block in blocks
        )

    def prepare(self, scalers: dict[str, BlockScaler], dtype: np.dtype) -> None:
        # From the scale of encoders to that of decoders.
        for m, (name, block) in enumerate(zip(self.bank.names, self.blocks)):
            scaler = scalers[name]
            known = np.broadcast_to(scaler.factor != 0, block.shape)
            factor = np.where(scaler.factor != 0, scaler.factor, 1.0)
            slope = np.where(known, 1.0 / (factor * block.deviation), 0.0)
            shift = np.where(known, (scaler.center - block.mean) / block.deviation, 0.0)
            self.register_buffer(f"slope_{m}", torch.from_numpy(slope.astype(dtype)))
            self.register_buffer(f"shift_{m}", torch.from_numpy(shift.astype(dtype)))

    # -- the latent vector -------------------------------------------------------------

    def expert_outputs(self, batch: Batch) -> tuple[Any, Any]:
        """Means and log-variances of all experts, each (n, M, latent_dim)."""
        like = next(self.experts.parameters())
        means, logs = [], []
        for code, expert in zip(self.bank(batch), self.experts):
            if code is None:
                mean = log = like.new_zeros((len(batch), self.settings.latent_dim))
            else:
                mean, log = expert(code).chunk(2, dim=1)
            means.append(mean)
            logs.append(log.clamp(*LOG_VARIANCE))
        return torch.stack(means, dim=1), torch.stack(logs, dim=1)

    def combine(self, means, logs, kept) -> tuple[Any, Any]:
        """Mean and log-variance of the product of some experts and the prior."""
        precision = torch.exp(-logs) * kept[:, :, None]
        total = 1.0 + precision.sum(dim=1)
        return (precision * means).sum(dim=1) / total, -torch.log(total)

    def pick(self, means, logs, kept, u) -> tuple[Any, Any]:
        """One of some experts, by a number in [0, 1)."""
        n_kept = kept.sum(dim=1, keepdim=True)
        rank = torch.cumsum(kept.to(torch.int64), dim=1) - 1
        wanted = torch.floor(u * n_kept).to(torch.int64)
        index = (kept & (rank == wanted)).to(torch.int64).argmax(dim=1)
        rows = torch.arange(len(kept), device=kept.device)
        return means[rows, index], logs[rows, index]

    def posterior_mean(self, means, logs, kept):
        """Mean of the latent vector given some modalities."""
        if self.settings.fusion == "moe":
            share = kept.to(means.dtype)[:, :, None]
            return (share * means).sum(dim=1) / share.sum(dim=1)
        return self.combine(means, logs, kept)[0]

    # -- training ----------------------------------------------------------------------

    def row_losses(self, batch: Batch):
        present = batch.present[:, self.columns]
        means, logs = self.expert_outputs(batch)
        if not self.training:
            return self._held_out_losses(batch, means, logs, present)
        rows = 1 if self.settings.shared_noise else len(batch)
        if self.settings.fusion == "moe":
            u = torch.rand((rows, 1), device=means.device)
            mean, log = self.pick(means, logs, present, u)
        else:
            kept = random_part(present, self.settings.shared_noise)
            if self.settings.fusion == "poe":
                # Half of the time all: a product alone is not trained on parts.
                whole = torch.rand((rows, 1), device=means.device) < 0.5
                kept = torch.where(whole, present, kept)
            mean, log = self.combine(means, logs, kept)
        noise = torch.randn((rows, self.settings.latent_dim), dtype=mean.dtype).to(
            mean.device
        )
        z = mean + torch.exp(0.5 * log) * noise
        divergence = 0.5 * (torch.exp(log) + mean**2 - 1.0 - log).sum(dim=1)
        return (
            self.size * self._misfit(batch, z, present)
            + self.settings.beta * divergence
        )

    def _held_out_losses(self, batch: Batch, means, logs, present):
        """Misfit of each block given all others, and of all given all; no noise."""
        z = self.posterior_mean(means, logs, present)
        total = self._misfit(batch, z, present)
        for m in range(present.shape[1]):
            kept = present.clone()
            kept[:, m] = False
            # Rows with no other modality are decoded from the mean of the prior.
            some = kept.any(dim=1, keepdim=True)
            z = self.posterior_mean(means, logs, kept | ~some)
            target = torch.zeros_like(present)
            target[:, m] = present[:, m]
            total = total + self._misfit(batch, z * some, target)
        return self.size * total

    def _misfit(self, batch: Batch, z, wanted):
        """Negative log-likelihood of some blocks per feature, summed over blocks."""
        total = z.new_zeros(len(batch))
        for m, name in enumerate(self.bank.names):
            values = batch.x.get(name)
            if values is None or not wanted[:, m].any():
                continue
            index = batch.index[name]
            guess = self.decoders[m](z if index is None else z.index_select(0, index))
            target = values.to(z.dtype) * getattr(self, f"slope_{m}")
            gap = (target + getattr(self, f"shift_{m}") - guess) / self.settings.scale
            loss = (
                gap.abs() if self.settings.likelihood == "laplace" else 0.5 * gap * gap
            )
            loss = loss.flatten(1) if loss.ndim == 2 else loss.flatten(2).mean(dim=2)
            lengths = batch.lengths.get(name)
            if lengths is None:
                loss = loss.mean(dim=1)
            else:
                # Padding is no data.
                steps = torch.arange(loss.shape[1], device=loss.device)
                real = (steps < lengths[:, None]).to(loss.dtype)
                loss = (loss * real).sum(dim=1) / real.sum(dim=1)
            if index is not None:
                loss = torch.zeros_like(total).index_copy(0, index, loss)
            total = total + torch.where(wanted[:, m], loss, 0.0)
        return total

    def logits(self, batch: Batch):
        return batch.present.new_zeros((len(batch), 1), dtype=torch.float32)

    # -- recovery ----------------------------------------------------------------------

    def latent(self, batch: Batch, noise, u):
        """Latent vectors of the rows of a batch."""
        present = batch.present[:, self.columns]
        means, logs = self.expert_outputs(batch)
        if noise is None:
            return self.posterior_mean(means, logs, present)[:, None]
        out = []
        for eps, chance in zip(noise.to(means), u):
            if self.settings.fusion == "moe":
                mean, log = self.pick(means, logs, present, chance)
            else:
                mean, log = self.combine(means, logs, present)
            out.append(mean + torch.exp(0.5 * log) * eps)
        return torch.stack(out, dim=1)
