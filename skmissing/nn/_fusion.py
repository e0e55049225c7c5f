"""The net of a fusion: encoders, what fuses their codes, and a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ._encoder_bank import EncoderBank
from ._store import Batch, TensorStore
from ._task import TaskModule
from .fusion._fusion import Fusion

# Rows that are encoded at once to be remembered.
REMEMBERED = 256


@dataclass(frozen=True)
class Head:
    """Layers between a code and class scores; called with its width, makes them."""

    hidden: Sequence[int]
    dropout: float
    n_out: int

    def __call__(self, width: int) -> nn.Sequential:
        return head(width, self.hidden, self.dropout, self.n_out)


def head(
    width: int, hidden: Sequence[int], dropout: float, n_out: int
) -> nn.Sequential:
    """Layers from a code to class scores."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, int(size)), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        width = int(size)
    return nn.Sequential(*layers, nn.Linear(width, n_out))


class FusionModule(TaskModule):
    """Codes of the modalities, fused to features with a head, or to class scores."""

    def __init__(
        self, bank: EncoderBank, fusion: Fusion, make_head: Head, columns: list[int]
    ) -> None:
        super().__init__(bank, make_head.n_out)
        self.columns = columns
        self.kind = type(fusion).__name__
        self.fuser: Any = fusion.build(bank.widths, make_head.n_out, make_head)
        if not isinstance(self.fuser, nn.Module):
            raise TypeError(
                f"Got a {type(self.fuser).__name__} from the build of {self.kind}, "
                "expected a torch module."
            )
        width = getattr(self.fuser, "out_features", None)
        # None where the fusion makes class scores itself.
        self.head: Any = None if width is None else make_head(int(width))
        self._width = self.n_classes if width is None else int(width)
        self.zero: Any
        self.register_buffer("zero", torch.zeros(()), persistent=False)

    def codes(self, batch: Batch) -> tuple[list[Any], Any]:
        """Code of each modality, 0 where missing, and which of them rows have."""
        n = len(batch)
        codes = [
            self.zero.new_zeros((n, width)) if code is None else code
            for code, width in zip(self.bank(batch), self.bank.widths)
        ]
        return codes, batch.present[:, self.columns]

    def fuse(self, codes, present):
        """Features or class scores of the fusion."""
        out = self.fuser(codes, present)
        shape = tuple(out.shape) if isinstance(out, torch.Tensor) else None
        if shape != (len(present), self._width):
            what = type(out).__name__ if shape is None else f"output of shape {shape}"
            raise ValueError(
                f"Got {what} from {self.kind} for {len(present)} rows, expected "
                f"({len(present)}, {self._width})."
            )
        return out

    def logits(self, batch: Batch):
        out = self.fuse(*self.codes(batch))
        return out if self.head is None else self.head(out)

    def row_losses(self, batch: Batch):
        own = getattr(self.fuser, "row_losses", None)
        if own is None:
            return super().row_losses(batch)
        return own(*self.codes(batch), batch.y, batch.weight, self.criterion)

    def remember(self, store: TensorStore) -> None:
        if not hasattr(self.fuser, "remember"):
            return
        rows = torch.arange(len(store))
        if len(rows) > self.fuser.memory_rows:
            # The same rows after every epoch.
            generator = torch.Generator().manual_seed(0)
            drawn = torch.randperm(len(rows), generator=generator)
            rows = drawn[: self.fuser.memory_rows].sort().values
        rows = rows.to(store.present.device)
        self.eval()
        # No inference mode: what is kept takes part in training later.
        with torch.no_grad():
            parts = [self.codes(store.batch(part)) for part in rows.split(REMEMBERED)]
            codes = [torch.cat(part) for part in zip(*(codes for codes, _ in parts))]
            present = torch.cat([present for _, present in parts])
            y: Any = store.y
            weight: Any = store.weight
            self.fuser.remember(codes, present, y[rows], weight[rows])

    def features(self, batch: Batch):
        return self._features(*self.codes(batch))

    def count_features(self) -> int:
        with torch.inference_mode():
            codes = [self.zero.new_zeros((1, width)) for width in self.bank.widths]
            present = torch.ones((1, len(codes)), dtype=torch.bool).to(self.zero.device)
            return int(self._features(codes, present).shape[1])

    def _features(self, codes, present):
        own = getattr(self.fuser, "features", None)
        if own is not None:
            return own(codes, present)
        out = self.fuse(codes, present)
        # What the last layer reads.
        return out if self.head is None else self.head[:-1](out)

    def modality_weights(self, batch: Batch):
        """Share of each modality in the prediction for each row, 0 where missing."""
        weights = self.fuser.modality_weights(*self.codes(batch))
        out = weights.new_zeros(batch.present.shape)
        out[:, self.columns] = weights
        return out

    def begin_training(self) -> None:
        """Nothing: what has been learned stays on a warm start."""

    def end_epoch(self) -> None:
        """Tell a fusion whose loss changes with the epochs."""
        self.fuser.end_epoch()
