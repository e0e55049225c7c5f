"""Rows that statistics are taken from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._estimation._rows import LabelledRows
from ._subset_model import Encoded, SubsetModel


class Features(NamedTuple):
    """Features (r, D) of some rows, with their class indices and weights (r,)."""

    z: np.ndarray
    y: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class FeatureRows:
    """Rows that are encoded, not their blocks: a fitted selector may keep them."""

    encoded: Encoded
    present: np.ndarray
    y: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, model: SubsetModel, rows: LabelledRows) -> FeatureRows:
        """Encode rows that have the modalities of a model."""
        present = rows.data.present.copy()
        return cls(model.encode(rows.data), present, rows.y, rows.weight)

    def features(self, subset: np.ndarray) -> Features:
        """Features, given a set of modalities, of the rows that have all of it."""
        index = np.flatnonzero(self.present[:, subset].all(axis=1))
        if len(index):
            masks = np.broadcast_to(subset, (len(index), len(subset)))
            z = self.encoded.fuse(index, np.ascontiguousarray(masks)).z
        else:
            # The width of features is known from any row.
            z = self.encoded.fuse(np.zeros(1, dtype=int), self.present[:1]).z[:0]
        return Features(z, self.y[index], self.weight[index])
