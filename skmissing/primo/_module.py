"""Net with a latent variable that stands for what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
# Hidden values of samples that are worked on at once: what fits into a cache.
CHUNK = 2**20


@dataclass(frozen=True)
class PRIMOSettings:
    """What the net and its loss are made of; fields as parameters of the estimator."""

    hidden: Sequence[int]
    latent_dim: int
    beta: float
    anchor_weight: float
    tie_weight: float
    posterior_norm: float | None
    dropout: float
    core_only: bool
    shared_noise: bool


class PRIMOModule(TaskModule):
    """Prior, posterior and classifier around one latent vector."""

    def __init__(
        self,
        bank: EncoderBank,
        n_classes: int,
        columns: list[int],
        core: list[bool],
        settings: PRIMOSettings,
    ) -> None:
        super().__init__(bank, n_classes)
        self.columns = columns
        self.settings = settings
        self.core_only = settings.core_only and any(core)
        self.core: Any
        self.register_buffer("core", torch.tensor(core))
        hidden, latent_dim = settings.hidden, settings.latent_dim
        width, bits = sum(bank.widths), len(columns)
        self.prior = _mlp(width + bits, hidden, 2 * latent_dim)
        self.posterior = _mlp(width + bits + n_classes, hidden, 2 * latent_dim)
        self.dropout = nn.Dropout(settings.dropout)
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
        if settings.posterior_norm is not None:
            self.norm = nn.BatchNorm1d(latent_dim)
            nn.init.constant_(self.norm.weight, settings.posterior_norm)
            self.norm.weight.requires_grad_(False)
        self.register_buffer("validation", torch.randn(N_VALIDATION, latent_dim))

    # -- the parts ---------------------------------------------------------------------

    def codes(self, batch: Batch):
        """Codes of all modalities side by side, 0 where missing."""
        like = self.from_codes.weight
        return torch.cat(
            [
                like.new_zeros((len(batch), width)) if code is None else code
                for code, width in zip(self.bank(batch), self.bank.widths)
            ],
            dim=1,
        )

    def _widen(self, kept):
        """A mask of modalities as one of code values."""
        widths = torch.tensor(self.bank.widths, device=kept.device)
        return kept.repeat_interleave(widths, dim=1)

    def _given(self, codes, kept):
        """Codes of some modalities, with bits that indicate which."""
        return torch.cat(
            [codes * self._widen(kept).to(codes.dtype), kept.to(codes.dtype)], dim=1
        )

    def prior_of(self, codes, kept) -> tuple[Any, Any]:
        """Mean and log-variance of the latent vector given some modalities."""
        return _gaussian(self.prior(self._given(codes, kept)))

    def _shown(self, present):
        """Modalities whose codes the classifier gets at prediction."""
        return present & self.core if self.core_only else present

    def _from_codes(self, codes, shown):
        return self.from_codes(self._given(self.dropout(codes), shown))

    # -- training ----------------------------------------------------------------------

    def row_losses(self, batch: Batch):
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
            mean = self._normed(mean)
        z = mean + torch.exp(0.5 * log_var) * self._noise(mean)
        logits = self.rest(self._from_codes(codes, shown) + self.from_latent(z))
        loss = self.criterion(logits, batch.y)
        loss = loss + self.settings.beta * divergence((mean, log_var), prior)
        anchor, tie = self.settings.anchor_weight, self.settings.tie_weight
        if anchor == 0 and tie == 0:
            return loss
        lower = self.prior_of(codes, part)
        standard = (torch.zeros_like(lower[0]), torch.zeros_like(lower[1]))
        loss = loss + anchor * divergence(lower, standard)
        # Without a removed modality the two are the same and their distance is 0.
        return loss + tie * divergence(prior, lower)

    def _normed(self, mean):
        """Batch norm of posterior means; a single row has no variance of its own."""
        norm = self.norm
        if len(mean) > 1:
            return norm(mean)
        return nn.functional.batch_norm(
            mean, norm.running_mean, norm.running_var, norm.weight, norm.bias,
            eps=norm.eps,
        )  # fmt: skip

    def _uniform(self, present, n_columns: int):
        """Uniform numbers for each row, or for the batch."""
        rows = 1 if self.settings.shared_noise else len(present)
        return torch.rand((rows, n_columns), device=present.device)

    def _noise(self, like):
        """Normal numbers for each row, or for the batch."""
        rows = 1 if self.settings.shared_noise else len(like)
        shape = (rows, self.settings.latent_dim)
        return torch.randn(shape, dtype=like.dtype, device=like.device)

    def _draw_part(self, present):
        """A part of what each row has: without some modalities, but never all.

        The core is never removed; a row that has only one modality keeps it.
        """
        u = self._uniform(present, present.shape[1] + 1)
        removable = present & ~self.core
        chance, order = u[:, :1], u[:, 1:].expand(present.shape)
        # From one to all of those that may be removed, each number as likely.
        n_removable = removable.sum(dim=1, keepdim=True)
        has_core = (present & self.core).any(dim=1, keepdim=True)
        most = torch.where(has_core, n_removable, n_removable - 1)
        n_removed = torch.floor(chance * most) + 1
        rank = torch.where(removable, order, 2.0).argsort(dim=1).argsort(dim=1)
        removed = removable & (rank < n_removed) & (most > 0)
        return present & ~removed

    def _draw_shown(self, present, part):
        """Modalities whose codes the classifier gets in training."""
        if self.core_only:
            return present & self.core
        # Half of the time all, as at prediction; half of the time the part, so that
        # the latent vector has information to add.
        return torch.where(self._uniform(present, 1) < 0.5, present, part)

    # -- prediction --------------------------------------------------------------------

    def samples(self, batch: Batch, noise):
        """Iterate over log-probabilities of samples, some rows at a time."""
        for scores in self._scores(batch, noise):
            yield torch.log_softmax(scores, dim=2)

    def _scores(self, batch: Batch, noise):
        """Iterate over class scores of samples, float64, some rows at a time."""
        present = batch.present[:, self.columns]
        codes = self.codes(batch)
        mean, log_var = self.prior_of(codes, present)
        base = self._from_codes(codes, self._shown(present))
        noise = noise.to(mean.dtype).to(mean.device)
        width = max(base.shape[1], self.n_classes, self.settings.latent_dim)
        step = max(CHUNK // (len(noise) * width), 1)
        # Linear in the noise: z enters as mean and as noise times deviation.
        shift = base + self.from_latent(mean)
        weight = self.from_latent.weight
        for rows in torch.arange(len(batch), device=mean.device).split(step):
            deviation = torch.exp(0.5 * log_var[rows])
            scaled = noise[None] * deviation[:, None]
            first = shift[rows][:, None] + scaled @ weight.T
            yield self.rest(first).double()

    def features(self, batch: Batch):
        # The first layer of the classifier, at the mean of the latent vector.
        present = batch.present[:, self.columns]
        codes = self.codes(batch)
        mean, _ = self.prior_of(codes, present)
        first = self._from_codes(codes, self._shown(present)) + self.from_latent(mean)
        return torch.relu(first)

    def count_features(self) -> int:
        return self.from_latent.out_features

    def mean_log_proba(self, batch: Batch, noise):
        """Log of the probabilities averaged over samples, float64."""
        return torch.cat([_mean_log(part) for part in self._scores(batch, noise)])

    def logits(self, batch: Batch):
        return self.mean_log_proba(batch, self.validation)

    def log_proba(self, batch: Batch):
        return self.logits(batch)


def divergence(p: tuple[Any, Any], q: tuple[Any, Any]):
    """KL(p || q) of diagonal Gaussians given by mean and log-variance, per row.

    Summed over dimensions: a mean would divide the weights of the loss by their
    number.
    """
    gap = q[1] - p[1]
    square = (torch.exp(p[1]) + (p[0] - q[0]) ** 2) / torch.exp(q[1])
    return 0.5 * (gap + square - 1.0).sum(dim=1)


class Summary(NamedTuple):
    """Of the draws of each row: V, its error, information and mean prediction."""

    v: Any
    v_error: Any
    information: Any
    mean: Any

    @staticmethod
    def n_columns(n_classes: int) -> int:
        """Width of a table of summaries."""
        return 3 + n_classes

    def columns(self):
        """One tensor of shape (n, 3 + n_classes)."""
        scalars = torch.stack([self.v, self.v_error, self.information], dim=1)
        return torch.cat([scalars, self.mean], dim=1)

    @classmethod
    def from_columns(cls, table: np.ndarray) -> Summary:
        """Undo :meth:`columns`."""
        return cls(table[:, 0], table[:, 1], table[:, 2], table[:, 3:])


def summarise(logs) -> Summary:
    """Mean prediction of draws, and how far they disagree."""
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
    return Summary(v, error, entropy - conditional, mean)


def _mean_log(scores):
    """Log of the mean over samples (n, n_draws, K) of the softmax of scores.

    One exponential for each score: of many samples and classes they are what costs.
    """
    terms = torch.exp(scores - scores.amax(dim=2, keepdim=True))
    share = 1.0 / (terms.sum(dim=2, keepdim=True) * scores.shape[1])
    mean = (share.transpose(1, 2) @ terms).squeeze(1)
    return mean.clamp(min=torch.finfo(mean.dtype).tiny).log()


def make_noise(seed: int, n_draws: int, latent_dim: int):
    """Standard normal draws; more of them begin with the fewer."""
    draws = np.random.RandomState(seed).standard_normal((n_draws, latent_dim))
    return torch.from_numpy(draws)


def _gaussian(out) -> tuple[Any, Any]:
    """Mean and bounded log-variance from the outputs of a net."""
    mean, log_var = out.chunk(2, dim=1)
    return mean, log_var.clamp(*LOG_VARIANCE)


def _mlp(width: int, hidden: Sequence[int], n_out: int) -> nn.Module:
    """Hidden layers with ReLU, and a linear output."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, int(size)), nn.ReLU()]
        width = int(size)
    return nn.Sequential(*layers, nn.Linear(width, n_out))
