"""Transformer over one token for each modality that is present."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..nn._attention_block import AttentionBlock
from ..nn._encoder_bank import EncoderBank
from ..nn._random_subsets import N_TRIES, first_part
from ..nn._store import Batch
from ..nn._task import TaskModule
from ._token_transformer import TokenTransformer

# Sets of modalities that the loss on held-out rows is averaged over.
MAX_VALIDATION = 12
# How many of them each row is given, where rows take turns. Few: what the next row is
# given tells more than another set of the same row.
VALIDATION_PER_ROW = 3
# Standard deviation of initial embeddings. The published code starts all weights so;
# small nets then take several times as long to learn anything.
INITIAL = 0.02
# Above this many modalities a set is drawn by its members, not out of a list of all.
MAX_LISTED = 12


class DyMoModule(TaskModule):
    """Tokens of modalities, attention between them, class scores and features.

    Its data have the modalities of the bank, in this order.
    """

    # Settings of a training, which a warm start may change.
    n_subsets: int
    subsets_per_row: int | None
    contrastive_weight: float
    contrastive_start: int
    temperature: float

    def __init__(
        self, bank: EncoderBank, n_classes: int, net: TokenTransformer, distance: str
    ) -> None:
        super().__init__(bank, n_classes)
        self.distance = distance
        token_dim, feature_dim = int(net.token_dim), int(net.feature_dim)
        self.projections = nn.ModuleList(
            nn.Linear(width, token_dim) for width in bank.widths
        )
        self.norms = nn.ModuleList(nn.LayerNorm(token_dim) for _ in bank.names)
        # One row for each modality: they must not share any.
        self.kind = nn.Parameter(torch.empty(len(bank.names), token_dim))
        self.cls = nn.Parameter(torch.empty(token_dim))
        self.blocks: Any = nn.ModuleList(
            AttentionBlock(token_dim, int(net.n_heads), int(net.mlp_ratio))
            for _ in range(int(net.n_layers))
        )
        self.head = nn.Linear(token_dim, n_classes)
        self.to_feature = nn.Linear(token_dim, feature_dim)
        nn.init.normal_(self.kind, std=INITIAL)
        nn.init.trunc_normal_(self.cls, std=INITIAL)
        self.epoch = 0
        self.prototypes: Any
        self.sums: Any
        self.counts: Any
        self.validation: Any
        self.register_buffer("prototypes", torch.zeros(n_classes, feature_dim))
        self.register_buffer("sums", torch.zeros(n_classes, feature_dim))
        self.register_buffer("counts", torch.zeros(n_classes))
        self.register_buffer("validation", self._draw_subsets(MAX_VALIDATION))

    # -- forward -----------------------------------------------------------------------

    def tokens(self, batch: Batch):
        """Token of each modality, 0 where missing, (n, M, token_dim).

        A block is encoded without regard to any other, so that its token serves for
        every set of modalities.
        """
        like = self.cls
        out = []
        for m, code in enumerate(self.bank(batch)):
            if code is None:
                out.append(like.new_zeros((len(batch), len(like))))
                continue
            token = self.norms[m](self.projections[m](code)) + self.kind[m]
            present = batch.present[:, m, None]
            out.append(token * present.to(token.dtype))
        return torch.stack(out, dim=1)

    def read(self, tokens):
        """Class token and tokens, each with what the first layer reads of it.

        Shape (n, M + 1, 4 token_dim): the same for every set of modalities.
        """
        x = torch.cat([self.cls.expand(len(tokens), 1, -1), tokens], dim=1)
        return torch.cat([x, self.blocks[0].read(x)], dim=2)

    def fuse(self, tokens, kept) -> tuple[Any, Any]:
        """Class scores (n, K) and features (n, D) given the tokens that are kept."""
        rows = torch.arange(len(tokens), device=tokens.device)
        return self.fuse_rows(self.read(tokens), rows, kept)

    def fuse_rows(self, read, rows, kept) -> tuple[Any, Any]:
        """The same of rows that may come more than once.

        ``rows`` (n,) are numbers of rows of ``read``, ``kept`` is (n, M). Only tokens
        that are kept are worked on, and what fills rows up to the longest.
        """
        n_tokens = kept.sum(dim=1)
        # The class token first; after the last one kept, any others, which are unseen.
        places = kept.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
        places = places[:, : int(n_tokens.max())] + 1
        places = torch.cat([places.new_zeros((len(rows), 1)), places], dim=1)
        seen = torch.arange(places.shape[1], device=kept.device) <= n_tokens[:, None]
        index = (rows[:, None] * read.shape[1] + places).flatten()
        width = len(self.cls)
        x, given = (
            read.flatten(0, 1)
            .index_select(0, index)
            .view(*places.shape, 4 * width)
            .split([width, 3 * width], dim=2)
        )
        last = len(self.blocks) - 1
        for i, block in enumerate(self.blocks):
            # Of the last layer only the class token is needed.
            x = block(x, seen, i == last, None if i else given)
        x = x[:, 0]
        return self.head(x), self.to_feature(x)

    def logits(self, batch: Batch):
        return self.fuse(self.tokens(batch), batch.present)[0]

    def features(self, batch: Batch):
        return self.fuse(self.tokens(batch), batch.present)[1]

    def count_features(self) -> int:
        return self.to_feature.out_features

    # -- training ----------------------------------------------------------------------

    def _draw_subsets(self, n: int):
        """Up to n different non-empty sets of modalities, (n, M)."""
        m = len(self.bank.names)
        if m <= MAX_LISTED:
            codes = torch.randperm(2**m - 1)[:n] + 1
            return (codes[:, None] >> torch.arange(m) & 1).bool()
        bits = torch.rand((n, m)) < 0.5
        bits[:, 0] |= ~bits.any(dim=1)
        return bits

    def _parts(self, subsets, present, per_row: int | None):
        """What rows have of the sets, or of another set if that is nothing.

        Each row is given all, or takes its turn with some; shape (n_given * n, M).
        """
        n_sets, m = subsets.shape
        tries = subsets[:, None]
        if self.training:
            others = torch.rand((n_sets, N_TRIES, m)) < 0.5
            tries = torch.cat([tries, others.to(subsets.device)], dim=1)
        count = n_sets if per_row is None else min(per_row, n_sets)
        row = torch.arange(len(present), device=present.device)
        turns = [row + i * n_sets // count for i in range(count)]
        return torch.cat([first_part(present, tries[turn % n_sets]) for turn in turns])

    def row_losses(self, batch: Batch):
        present = batch.present
        read = self.read(self.tokens(batch))
        n = len(batch)
        if self.training:
            subsets = self._draw_subsets(self.n_subsets).to(present.device)
            kept = self._parts(subsets, present, self.subsets_per_row)
        else:
            few = None if self.subsets_per_row is None else VALIDATION_PER_ROW
            kept = self._parts(self.validation, present, few)
        copies = len(kept) // n
        y = batch.y.repeat(copies)
        rows = torch.arange(n, device=present.device).repeat(copies)
        logits, z = self.fuse_rows(read, rows, kept)
        loss = self.criterion(logits, y)
        if self.training and self.contrastive_weight > 0:
            if self.distance == "cosine":
                z = nn.functional.normalize(z, dim=1)
            self._remember(z.detach(), y, batch.weight.repeat(copies))
            if self.epoch >= self.contrastive_start:
                scores = self._similarities(z) / self.temperature
                extra = nn.functional.cross_entropy(scores, y, reduction="none")
                loss = loss + self.contrastive_weight * extra
        return loss.view(copies, n).mean(dim=0)

    def _similarities(self, z):
        if self.distance == "cosine":
            return z @ self.prototypes.T
        return -((z[:, None] - self.prototypes[None]) ** 2).sum(dim=2)

    def _remember(self, z, y, weight) -> None:
        self.sums.index_add_(0, y, z * weight[:, None])
        self.counts.index_add_(0, y, weight)

    def begin_training(
        self,
        *,
        n_subsets: int,
        subsets_per_row: int | None,
        contrastive_weight: float,
        contrastive_start: int,
        temperature: float,
    ) -> None:
        """Settings of this training; sums of one that was stopped are forgotten."""
        self.n_subsets = n_subsets
        self.subsets_per_row = subsets_per_row
        self.contrastive_weight = contrastive_weight
        self.contrastive_start = contrastive_start
        self.temperature = temperature
        self.sums.zero_()
        self.counts.zero_()

    def end_epoch(self) -> None:
        """Class means of the epoch become the prototypes of the next."""
        seen = (self.counts > 0)[:, None]
        means = (
            self.sums
            / self.counts.clamp(min=torch.finfo(self.counts.dtype).tiny)[:, None]
        )
        # A class without rows in the epoch keeps its old prototype.
        self.prototypes.copy_(torch.where(seen, means, self.prototypes))
        self.sums.zero_()
        self.counts.zero_()
        self.epoch += 1
