"""Models that predict from any set of modalities, with features beside class scores."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from ..modalities._multimodal_data import MultimodalData
from ..nn._fitted_net import PREDICT_BATCH, FittedNet
from ._recoverer import add_absent
from ._scores import unit_length

# Log-probabilities are cut off here, the rounding error of a probability: the features
# of a model that predicts 0 would be infinite.
LOG_FLOOR = float(np.log(np.finfo(np.float64).eps))


class Fused(NamedTuple):
    """Class scores (r, K) and features (r, D), both float64."""

    logits: np.ndarray
    z: np.ndarray


class Encoded(Protocol):
    """Rows that can be fused for any set of their modalities."""

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Fused:
        """Fuse rows (r,), which may come more than once, given modalities (r, M)."""


class SubsetModel(Protocol):
    """A model of some modalities; of ``integers`` among them it takes integers only."""

    names: list[str]
    distance: str
    integers: frozenset[str]

    def encode(self, data: MultimodalData) -> Encoded:
        """Encode each present block of the modalities of the model once."""


class NetModel:
    """The net of a selector.

    ``shapes`` has all modalities of the net, where some are absent in the rows;
    ``columns`` are the classes of the net to predict, None for all.
    """

    def __init__(
        self,
        fitted: FittedNet,
        names: list[str],
        integers: frozenset[str],
        *,
        shapes: dict[str, tuple[int, ...]] | None = None,
        columns: np.ndarray | None = None,
    ) -> None:
        self.fitted = fitted
        self.names = names
        self.integers = integers
        self.shapes = shapes
        self.columns = columns
        self.distance = str(fitted.module.distance)

    def encode(self, data: MultimodalData) -> TokenRows:
        if self.shapes is None or data.names == list(self.shapes):
            places = None
        else:
            places = [list(self.shapes).index(name) for name in data.names]
            data = add_absent(data, self.shapes)
        tokens = self.fitted.apply(data, _tokens)
        return TokenRows(self.fitted.module, tokens, places, self.columns)


def kept_integers(fitted: FittedNet, data: MultimodalData) -> frozenset[str]:
    """Modalities of training rows that go to a net as the integers they are."""
    return frozenset(
        name
        for name, scaler in fitted.scalers.items()
        if scaler.keeps_integers
        and not scaler.scales
        and data[name].dtype.kind in "iub"
    )


def _tokens(module, batch):
    return module.tokens(batch)


class TokenRows:
    """Rows as tokens (n, M, token_dim): encoders have no part in fusing them.

    ``places`` are the modalities that masks are about, None for all.
    """

    def __init__(
        self,
        module,
        tokens: np.ndarray,
        places: list[int] | None,
        columns: np.ndarray | None,
    ) -> None:
        self.module = module
        self.places = places
        self.columns = columns
        self.tokens = torch.from_numpy(tokens).to(module.cls.device)

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Fused:
        device = self.tokens.device
        if self.places is not None:
            wide = np.zeros((len(masks), self.tokens.shape[1]), dtype=bool)
            wide[:, self.places] = masks
            masks = wide
        index = torch.from_numpy(np.asarray(rows)).to(device)
        kept = torch.from_numpy(np.array(masks)).to(device)
        parts: tuple[list[Any], list[Any]] = ([], [])
        with torch.inference_mode():
            for part in torch.arange(len(index), device=device).split(PREDICT_BATCH):
                pair = self.module.fuse(
                    self.tokens.index_select(0, index[part]), kept[part]
                )
                parts[0].append(pair[0])
                parts[1].append(pair[1])
            logits, z = (torch.cat(part).double().cpu().numpy() for part in parts)
        if self.module.distance == "cosine":
            z = unit_length(z)
        return Fused(logits if self.columns is None else logits[:, self.columns], z)


class WrappedModel:
    """A fitted classifier that predicts rows of any pattern, given its modalities."""

    integers: frozenset[str] = frozenset()

    def __init__(
        self,
        estimator,
        names: list[str],
        distance: str,
        *,
        classes: np.ndarray,
        shapes: dict[str, tuple[int, ...]],
    ) -> None:
        self.estimator = estimator
        self.names = names
        self.distance = distance
        self.columns = np.searchsorted(estimator.classes_, classes)
        self.shapes = shapes

    def encode(self, data: MultimodalData) -> BlockRows:
        return BlockRows(self, data)

    def log_proba(self, data: MultimodalData) -> np.ndarray:
        """Log-probabilities of the classes, float64 of shape (n, K)."""
        whole = add_absent(data, self.shapes)
        logits = np.asarray(self.estimator.predict_log_proba(whole), dtype=np.float64)
        return np.maximum(logits[:, self.columns], LOG_FLOOR)


class BlockRows:
    """Rows as blocks, for a model without tokens."""

    def __init__(self, model: WrappedModel, data: MultimodalData) -> None:
        self.model = model
        self.data = data

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Fused:
        part = self.data[np.asarray(rows)]
        logits = self.model.log_proba(part.hide(part.present & ~masks))
        z = logits - logits.mean(axis=1, keepdims=True)
        return Fused(logits, unit_length(z) if self.model.distance == "cosine" else z)
