"""Torch modules that the engine can train."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..modalities._scaling import BlockScaler
from ._criterion import make_criterion
from ._encoder_bank import EncoderBank
from ._store import Batch, TensorStore


class TaskModule(nn.Module):
    """A net with its loss. Subclasses define :meth:`logits`."""

    def __init__(self, bank: EncoderBank, n_classes: int) -> None:
        super().__init__()
        self.bank = bank
        self.n_classes = n_classes
        # Loss of class scores for each row; training sets that of the user.
        self.criterion = make_criterion("cross_entropy")

    def prepare(self, scalers: dict[str, BlockScaler], dtype: np.dtype) -> None:
        """Learn how the blocks are scaled, before training."""

    def freeze(self, names: Sequence[str]) -> None:
        """Prepare for training with the codes of some modalities kept as they are."""

    @abstractmethod
    def logits(self, batch: Batch):
        """Class scores of shape (n, n_classes) of the rows of a batch."""

    def forward(self, batch: Batch):
        return self.logits(batch)

    def row_losses(self, batch: Batch):
        """Loss of every row of a batch, before weighting."""
        return self.criterion(self.logits(batch), batch.y)

    def remember(self, store: TensorStore) -> None:
        """Keep of the training rows what prediction needs, after each epoch."""

    def features(self, batch: Batch):
        """What the class scores are made of, shape (n, n_features)."""
        return self.logits(batch)

    def count_features(self) -> int:
        """Width of the features, without a row at hand."""
        return self.n_classes

    def log_proba(self, batch: Batch):
        """Log-probabilities of the classes, float64, shape (n, n_classes)."""
        return torch.log_softmax(self.logits(batch).double(), dim=1)
