"""Nets that fuse the codes of several modalities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ._encoder_bank import EncoderBank
from ._store import Batch
from ._task import TaskModule


def head(width: int, hidden: Sequence[int], dropout: float, n_out: int) -> nn.Module:
    """Layers from a code to class scores."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, int(size)), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        width = int(size)
    return nn.Sequential(*layers, nn.Linear(width, n_out))


class EarlyFusion(TaskModule):
    """Codes side by side, zeros for what is missing, then one head."""

    def __init__(
        self,
        bank: EncoderBank,
        n_classes: int,
        hidden: Sequence[int],
        dropout: float,
        columns: list[int],
        use_mask: bool,
    ) -> None:
        super().__init__(bank, n_classes)
        self.columns = columns
        self.use_mask = use_mask
        width = sum(bank.widths) + (len(columns) if use_mask else 0)
        self.head = head(width, hidden, dropout, n_classes)

    def logits(self, batch: Batch):
        like = next(self.head.parameters())
        codes = [
            like.new_zeros((len(batch), width)) if code is None else code
            for code, width in zip(self.bank(batch), self.bank.widths)
        ]
        if self.use_mask:
            codes.append(batch.present[:, self.columns].to(like.dtype))
        return self.head(torch.cat(codes, dim=1))


class LateFusion(TaskModule):
    """One head per modality; the mean of the scores of those that a row has."""

    def __init__(
        self,
        bank: EncoderBank,
        n_classes: int,
        hidden: Sequence[int],
        dropout: float,
        columns: list[int],
    ) -> None:
        super().__init__(bank, n_classes)
        self.columns = columns
        self.heads = nn.ModuleList(
            head(width, hidden, dropout, n_classes) for width in bank.widths
        )

    def logits(self, batch: Batch):
        like = next(self.heads.parameters())
        present = batch.present[:, self.columns].to(like.dtype)
        total = like.new_zeros((len(batch), self.n_classes))
        for m, (code, score) in enumerate(zip(self.bank(batch), self.heads)):
            if code is not None:
                total = total + score(code) * present[:, m : m + 1]
        # Rows with nothing left do not reach the net; the floor only guards the sum.
        return total / present.sum(dim=1, keepdim=True).clamp(min=1.0)
