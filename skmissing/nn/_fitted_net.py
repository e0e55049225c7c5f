"""What it takes to feed rows to a net, before and after its training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..modalities._multimodal_data import MultimodalData
from ..modalities._scaling import BlockScaler
from ._engine import SkmissingNet
from ._runtime import DTYPES, inference
from ._store import TensorStore
from ._task import TaskModule

# Rows made into tensors at once, and rows that go through the net at once: small
# enough for the activations of a convolution to stay in the cache.
PREDICT_ROWS = 2048
PREDICT_BATCH = 256


@dataclass
class Feed:
    """What it takes to feed rows to a module.

    Attributes
    ----------
    names : list of str
        Modalities in the order of the data.
    used : list of str
        Those that training rows had; the others are ignored.
    scalers : dict of str to BlockScaler
        Statistics of the training rows.
    series : frozenset of str
        Blocks whose trailing all-NaN steps are padding.
    dtype : str
        Arithmetic of the net.
    """

    names: list[str]
    used: list[str]
    scalers: dict[str, BlockScaler]
    series: frozenset[str]
    dtype: str

    def usable(self, data: MultimodalData) -> np.ndarray:
        """Present mask without the modalities that were never seen in training."""
        return data.present & np.array([name in self.used for name in data.names])


@dataclass
class NetStart(Feed):
    """Where a training starts from, if not from random weights.

    Attributes
    ----------
    module : TaskModule
        Copied, never changed.
    """

    module: TaskModule


@dataclass
class FittedNet(Feed):
    """A trained net with what it takes to feed it.

    Attributes
    ----------
    net : SkmissingNet
        The skorch net.
    """

    net: SkmissingNet

    @property
    def module(self) -> TaskModule:
        """The trained module."""
        return self.net.module_

    def store(
        self,
        data: MultimodalData,
        y: np.ndarray | None = None,
        weight: np.ndarray | None = None,
    ) -> TensorStore:
        """Rows as tensors, scaled with the statistics of training."""
        return TensorStore(
            data,
            self.usable(data),
            scalers=self.scalers,
            series=self.series,
            dtype=DTYPES[self.dtype],
            device=torch.device(self.net.device),
            y=y,
            weight=weight,
        )

    def apply(
        self, data: MultimodalData, function: Callable[[TaskModule, Any], Any]
    ) -> np.ndarray:
        """Run a function of the module over all rows, some thousand at a time."""
        module = self.module
        if module.training:
            # Going through all layers takes as long as a small net does for one row.
            module.eval()
        parts: list[np.ndarray] = []
        with inference():
            for start in range(0, len(data), PREDICT_ROWS):
                store = self.store(data[start : start + PREDICT_ROWS])
                all_rows = torch.arange(len(store), device=store.present.device)
                parts.extend(
                    function(module, store.batch(rows)).cpu().numpy()
                    for rows in all_rows.split(PREDICT_BATCH)
                )
        return np.concatenate(parts)

    def log_proba(self, data: MultimodalData) -> np.ndarray:
        """Log-probabilities of the classes, float64 of shape (n, n_classes)."""
        return self.apply(data, lambda module, batch: module.log_proba(batch))
