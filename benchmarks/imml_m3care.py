"""M3Care as imml has it, as a row of the benchmark.

Needs imml with its extra ``deep``. Run with

    python -m skmissing.benchmark run benchmarks/imml_m3care.py

Blocks are flattened and standardised. imml's model looks for similar rows among those
that are predicted with a row, so that an answer depends on its batch: test rows come in
batches of ``batch_size``, in their order. Its trainer, losses and widths are the
defaults of imml; epochs, learning rate and batch size are those of this package's nets.
"""

from __future__ import annotations

import logging

import numpy as np
from imml.classify import M3Care
from imml.load import M3CareDataset
from lightning import Trainer, seed_everything
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader

from skmissing.modalities import tag_multimodal


class ImmlM3Care(ClassifierMixin, BaseEstimator):
    """imml's M3Care on blocks of numbers."""

    def __init__(
        self, max_epochs=50, learning_rate=1e-3, batch_size=64, random_state=0
    ):
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X, y):
        blocks = self._flatten(X)
        self.scalers_ = {
            name: StandardScaler().fit(block) for name, block in blocks.items()
        }
        self.classes_, coded = np.unique(y, return_inverse=True)
        seed_everything(int(self.random_state), verbose=False)
        self.model_ = M3Care(
            input_dim=[block.shape[1] for block in blocks.values()],
            modalities=["tabular"] * len(blocks),
            # Without a vocabulary it asks on the terminal for one.
            vocab=[None],
            output_dim=max(len(self.classes_), 2),
            learning_rate=self.learning_rate,
        )
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        self.trainer_ = Trainer(
            max_epochs=self.max_epochs, accelerator="cpu", logger=False,
            enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        self.trainer_.fit(self.model_, self._load(blocks, coded, shuffle=True))
        return self

    def predict_proba(self, X):
        blocks = self._flatten(X)
        loader = self._load(blocks, np.zeros(len(X), dtype=int), shuffle=False)
        return np.concatenate(
            [p.numpy() for p in self.trainer_.predict(self.model_, loader)]
        )

    def _flatten(self, X):
        """Blocks as tables; rows without a modality are NaN."""
        out = {}
        for m, name in enumerate(X.names):
            block = np.asarray(X[name], dtype=float).reshape(len(X), -1)
            out[name] = np.where(X.present[:, [m]], block, np.nan)
        return out

    def _load(self, blocks, coded, shuffle):
        tables = []
        for name, block in blocks.items():
            z = self.scalers_[name].transform(block)
            gone = np.isnan(z).all(axis=1, keepdims=True)
            # Missing features of a block that is there get their mean.
            tables.append(np.where(np.isnan(z) & ~gone, 0.0, z))
        return DataLoader(
            M3CareDataset(Xs=tables, y=coded), self.batch_size, shuffle=shuffle
        )

    def __sklearn_tags__(self):
        return tag_multimodal(super().__sklearn_tags__())


ESTIMATORS = {"M3Care (imml)": ImmlM3Care()}
