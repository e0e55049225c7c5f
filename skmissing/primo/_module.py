"""Net with a latent variable that stands for what is not there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..nn._encoder_bank import EncoderBank
from ..nn._store import Batch
from ..nn._task import TaskModule

# Logs of variances are kept between these (standard deviations from 0.02 to 7.4): the
# exponential of an unbounded one overflows in the first steps of an untrained net.
LOG_VARIANCE = (-8.0, 4.0)
# Samples of the prior in the loss that stops training, and what callbacks see.
N_VALIDATION = 64
# Hidden values of samples that are worked on at once, 32 MB in float32.
CHUNK = 2**23


class PRIMOModule(TaskModule):
    """Prior, posterior and classifier around one latent vector."""

    def __init__(
        self,
        bank: EncoderBank,
        n_classes: int,
        columns: list[int],
        core: list[bool],
        core_only: bool,
        hidden: Sequence[int],
        latent_dim: int,
        beta: float,
        anchor_weight: float,
        tie_weight: float,
        bn_gamma: float | None,
        dropout: float,
        shared_noise: bool,
    ) -> None:
        super().__init__(bank, n_classes)
        self.columns = columns
        self.latent_dim = latent_dim
        self.beta = beta
        self.anchor_weight = anchor_weight
        self.tie_weight = tie_weight
        self.shared_noise = shared_noise
        self.core_only = core_only and any(core)
        self.core: Any
        self.register_buffer("core", torch.tensor(core))
        width, bits = sum(bank.widths), len(columns)
        self.prior = _mlp(width + bits, hidden, 2 * latent_dim)
        self.posterior = _mlp(width + bits + n_classes, hidden, 2 * latent_dim)
        self.dropout = nn.Dropout(dropout)
        first = int(hidden[0]) if len(hidden) else n_classes
        # One layer in two parts: that of the codes is done once for all samples.
        self.from_codes = nn.Linear(width + bits, first)
        self.from_latent = nn.Linear(latent_dim, first, bias=False)
        self.rest = (
            nn.Sequential(nn.ReLU(), _mlp(first, hidden[1:], n_classes))
            if len(hidden)
            else nn.Identity()
        )
        self.norm: Any = None
        if bn_gamma is not None:
            self.norm = nn.BatchNorm1d(latent_dim)
            nn.init.constant_(self.norm.weight, bn_gamma)
            self.norm.weight.requires_grad_(False)
        self.register_buffer("validation", torch.randn(N_VALIDATION, latent_dim))

    # -- the parts ---------------------------------------------------------------------

    def codes(self, batch: Batch) -> Any:
        """Codes of all modalities side by side, 0 where missing."""
        like = self.from_codes.weight
        return torch.cat(
            [
                like.new_zeros((len(batch), width)) if code is None else code
                for code, width in zip(self.bank(batch), self.bank.widths)
            ],
            dim=1,
        )

    def _spread(self, kept: Any) -> Any:
        """A mask of modalities as one of code values."""
        widths = torch.tensor(self.bank.widths, device=kept.device)
        return kept.repeat_interleave(widths, dim=1)

    def _given(self, codes: Any, kept: Any) -> Any:
        """Codes of some modalities, with bits that say which."""
        return torch.cat(
            [codes * self._spread(kept).to(codes.dtype), kept.to(codes.dtype)], dim=1
        )

    def prior_of(self, codes: Any, kept: Any) -> tuple[Any, Any]:
        """Mean and log-variance of the latent vector given some modalities."""
        return _gaussian(self.prior(self._given(codes, kept)))

    def _shown(self, present: Any) -> Any:
        """Modalities whose codes the classifier gets at prediction."""
        return present & self.core if self.core_only else present

    def _from_codes(self, codes: Any, shown: Any) -> Any:
        return self.from_codes(self._given(self.dropout(codes), shown))

    # -- training ----------------------------------------------------------------------

    def row_losses(self, batch: Batch) -> Any:
        if not self.training:
            # What prediction will do: the negative log of the averaged probability.
            logs = self.mean_log_proba(batch, self.validation)
            chosen = logs.gather(1, batch.y[:, None]).squeeze(1)
            return -chosen.to(self.from_codes.weight.dtype)
        present = batch.present[:, self.columns]
        codes = self.codes(batch)
        part = self._draw_part(present)
        shown = self._draw_shown(present, part)
        one_hot = nn.functional.one_hot(batch.y, self.n_classes).to(codes.dtype)
        given = self._given(codes, present)
        prior = _gaussian(self.prior(given))
        mean, log_var = _gaussian(self.posterior(torch.cat([given, one_hot], dim=1)))
        if self.norm is not None:
            mean = self.norm(mean)
        z = mean + torch.exp(0.5 * log_var) * self._noise(mean)
        logits = self.rest(self._from_codes(codes, shown) + self.from_latent(z))
        loss = nn.functional.cross_entropy(logits, batch.y, reduction="none")
        loss = loss + self.beta * divergence((mean, log_var), prior)
        if self.anchor_weight == 0 and self.tie_weight == 0:
            return loss
        lower = self.prior_of(codes, part)
        standard = (torch.zeros_like(lower[0]), torch.zeros_like(lower[1]))
        loss = loss + self.anchor_weight * divergence(lower, standard)
        # Where nothing was taken away the two are the same and their distance is 0.
        return loss + self.tie_weight * divergence(prior, lower)

    def _uniform(self, present: Any, n_columns: int) -> Any:
        rows = 1 if self.shared_noise else len(present)
        return torch.rand((rows, n_columns), device=present.device)

    def _noise(self, like: Any) -> Any:
        rows = 1 if self.shared_noise else len(like)
        return torch.randn(
            (rows, self.latent_dim), dtype=like.dtype, device=like.device
        )

    def _draw_part(self, present: Any) -> Any:
        """A part of what each row has: less some modalities, never all.

        The core is never taken away; a row with nothing else keeps what it has.
        """
        u = self._uniform(present, present.shape[1] + 1)
        may_go = present & ~self.core
        chance, order = u[:, :1], u[:, 1:].expand(present.shape)
        # From one to all of those that may go, each number as likely.
        n_may = may_go.sum(dim=1, keepdim=True)
        most = torch.where((present & self.core).any(dim=1, keepdim=True),
                           n_may, n_may - 1)  # fmt: skip
        n_gone = torch.floor(chance * most) + 1
        rank = torch.where(may_go, order, 2.0).argsort(dim=1).argsort(dim=1)
        gone = may_go & (rank < n_gone) & (most > 0)
        return present & ~gone

    def _draw_shown(self, present: Any, part: Any) -> Any:
        """Modalities whose codes the classifier gets in training."""
        if self.core_only:
            return present & self.core
        # Half of the time all, as at prediction; half of the time the part, so that
        # the latent vector has something to tell.
        return torch.where(self._uniform(present, 1) < 0.5, present, part)

    # -- prediction --------------------------------------------------------------------

    def samples(self, batch: Batch, noise: Any) -> Any:
        """Iterate over log-probabilities of samples, some rows at a time."""
        present = batch.present[:, self.columns]
        codes = self.codes(batch)
        mean, log_var = self.prior_of(codes, present)
        base = self._from_codes(codes, self._shown(present))
        noise = noise.to(mean.dtype).to(mean.device)
        width = max(base.shape[1], self.n_classes, self.latent_dim)
        step = max(CHUNK // (len(noise) * width), 1)
        # Linear in the noise: z enters as mean and as noise times deviation.
        shift = base + self.from_latent(mean)
        weight = self.from_latent.weight
        for rows in torch.arange(len(batch), device=mean.device).split(step):
            deviation = torch.exp(0.5 * log_var[rows])
            scaled = noise[None] * deviation[:, None]
            first = shift[rows][:, None] + scaled @ weight.T
            yield torch.log_softmax(self.rest(first).double(), dim=2)

    def mean_log_proba(self, batch: Batch, noise: Any) -> Any:
        """Log of the probabilities averaged over samples, float64."""
        k = math.log(len(noise))
        parts = [torch.logsumexp(p, dim=1) - k for p in self.samples(batch, noise)]
        return torch.cat(parts)

    def logits(self, batch: Batch) -> Any:
        return self.mean_log_proba(batch, self.validation)

    def log_proba(self, batch: Batch) -> Any:
        return self.logits(batch)


def divergence(p: tuple[Any, Any], q: tuple[Any, Any]) -> Any:
    """KL(p || q) of diagonal Gaussians given by mean and log-variance, per row.

    Summed over dimensions: a mean would divide the weights of the loss by their
    number.
    """
    gap = q[1] - p[1]
    square = (torch.exp(p[1]) + (p[0] - q[0]) ** 2) / torch.exp(q[1])
    return 0.5 * (gap + square - 1.0).sum(dim=1)


def summarise(logs: Any) -> Any:
    """Mean prediction and spread of samples."""
    p = logs.exp()
    mean = p.mean(dim=1)
    distance = 0.5 * (p - mean[:, None]).abs().sum(dim=2)
    v = distance.mean(dim=1)
    error = torch.full_like(v, float("nan"))
    if logs.shape[1] > 1:
        error = distance.std(dim=1) / math.sqrt(logs.shape[1])
    # 0 log 0 is 0.
    entropy = -torch.xlogy(mean, mean).sum(dim=1)
    conditional = -torch.where(p > 0, p * logs, 0.0).sum(dim=2).mean(dim=1)
    information = entropy - conditional
    return torch.cat([torch.stack([v, error, information], dim=1), mean], dim=1)


def make_noise(seed: int, n_samples: int, latent_dim: int) -> Any:
    """Standard normal draws; more of them begin with the fewer."""
    draws = np.random.RandomState(seed).standard_normal((n_samples, latent_dim))
    return torch.from_numpy(draws)


def _gaussian(out: Any) -> tuple[Any, Any]:
    mean, log_var = out.chunk(2, dim=1)
    return mean, log_var.clamp(*LOG_VARIANCE)


def _mlp(width: int, hidden: Sequence[int], n_out: int) -> nn.Module:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, int(size)), nn.ReLU()]
        width = int(size)
    return nn.Sequential(*layers, nn.Linear(width, n_out))
