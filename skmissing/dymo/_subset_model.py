"""Models that predict from any set of modalities, with features beside class scores."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._estimation._inner_estimators import fit_weighted, takes_multimodal
from .._estimation._rows import LabelledRows
from .._utils._random import draw_seed
from ..modalities._multimodal_data import MultimodalData
from ..nn._fitted_net import FittedNet
from ..nn._runtime import inference
from ._scores import unit_length

# Log-probabilities are cut off here, the rounding error of a probability: the features
# of a model that predicts 0 would be infinite.
LOG_FLOOR = float(np.log(np.finfo(np.float64).eps))
# Rows that are fused at once.
FUSE_BATCH = 512


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

    def encode_recovered(
        self,
        encoded: Any,
        rows: np.ndarray,
        filled: MultimodalData,
        recovered: np.ndarray,
    ) -> Encoded:
        """Some rows of those that are encoded, with their recovered blocks.

        ``filled`` and ``recovered`` (r, M) are about ``rows`` (r,).
        """


@dataclass(eq=False)
class NetModel:
    """The net of a selector.

    ``shapes`` has all modalities of the net, where some are absent in the rows;
    ``columns`` are the classes of the net to predict, None for all.
    """

    fitted: FittedNet
    names: list[str]
    integers: frozenset[str]
    _: KW_ONLY
    shapes: dict[str, tuple[int, ...]] | None = None
    columns: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.distance = str(self.fitted.module.distance)

    def encode(self, data: MultimodalData) -> TokenRows:
        if self.shapes is None or data.names == list(self.shapes):
            places = None
        else:
            places = [list(self.shapes).index(name) for name in data.names]
            data = data.reindex(self.shapes)
        read = self.fitted.apply(data, _read)
        module: Any = self.fitted.module
        on_device = torch.from_numpy(read).to(module.cls.device)
        return TokenRows(module, on_device, places, self.columns)

    def encode_recovered(
        self,
        encoded: TokenRows,
        rows: np.ndarray,
        filled: MultimodalData,
        recovered: np.ndarray,
    ) -> TokenRows:
        """Tokens of known blocks are taken over."""
        new = self.encode(filled.hide(~recovered))
        old = encoded.read[torch.from_numpy(rows).to(encoded.read.device)]
        # The class token first.
        where = np.insert(encoded.widen(recovered), 0, False, axis=1)
        new_here = torch.from_numpy(where[:, :, None]).to(old.device)
        new.read = torch.where(new_here, new.read, old)
        return new


def kept_integers(fitted: FittedNet, data: MultimodalData) -> frozenset[str]:
    """Modalities of training rows that go to a net as the integers they are."""
    return frozenset(
        name
        for name, scaler in fitted.scalers.items()
        if scaler.keeps_integers
        and not scaler.scales
        and data[name].dtype.kind in "iub"
    )


def _read(module, batch):
    return module.read(module.tokens(batch))


@dataclass(eq=False)
class TokenRows:
    """Rows as tokens, with what the first layer reads of them.

    Neither encoders nor this part of the layer have a part in fusing them. ``places``
    are the modalities that masks are about, None for all.
    """

    module: Any
    read: torch.Tensor
    places: list[int] | None
    columns: np.ndarray | None

    def widen(self, masks: np.ndarray) -> np.ndarray:
        """Masks of all modalities of the net."""
        if self.places is None:
            return masks
        wide = np.zeros((len(masks), self.read.shape[1] - 1), dtype=bool)
        wide[:, self.places] = masks
        return wide

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Fused:
        device = self.read.device
        masks = self.widen(masks)
        # Rows with as many tokens side by side: a batch is as long as its longest.
        order = np.argsort(masks.sum(axis=1), kind="stable")
        index = torch.from_numpy(np.asarray(rows)[order]).to(device)
        kept = torch.from_numpy(masks[order]).to(device)
        with inference():
            pairs = [
                self.module.fuse_rows(self.read, part, mask)
                for part, mask in zip(index.split(FUSE_BATCH), kept.split(FUSE_BATCH))
            ]
            parts = [torch.cat(p).double().cpu().numpy() for p in zip(*pairs)]
        logits, z = (np.empty_like(part) for part in parts)
        logits[order], z[order] = parts
        if self.module.distance == "cosine":
            z = unit_length(z)
        return Fused(logits if self.columns is None else logits[:, self.columns], z)


@dataclass(eq=False)
class WrappedModel:
    """A fitted classifier that predicts rows of any pattern, given its modalities.

    ``columns`` are its classes to predict.
    """

    estimator: Any
    names: list[str]
    distance: str
    shapes: dict[str, tuple[int, ...]]
    columns: np.ndarray
    integers: frozenset[str] = frozenset()

    def encode(self, data: MultimodalData) -> BlockRows:
        return BlockRows(self, data)

    def encode_recovered(
        self,
        encoded: BlockRows,  # noqa: ARG002
        rows: np.ndarray,  # noqa: ARG002
        filled: MultimodalData,
        recovered: np.ndarray,  # noqa: ARG002
    ) -> BlockRows:
        """Nothing is encoded before it is fused."""
        return BlockRows(self, filled)

    def log_proba(self, data: MultimodalData) -> np.ndarray:
        """Log-probabilities of the classes, float64 of shape (n, K)."""
        whole = data.reindex(self.shapes)
        logits = np.asarray(self.estimator.predict_log_proba(whole), dtype=np.float64)
        return np.maximum(logits[:, self.columns], LOG_FLOOR)


@dataclass(eq=False)
class BlockRows:
    """Rows as blocks, for a model without tokens."""

    model: WrappedModel
    data: MultimodalData

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Fused:
        part = self.data[np.asarray(rows)]
        logits = self.model.log_proba(part.hide(part.present & ~masks))
        z = logits - logits.mean(axis=1, keepdims=True)
        return Fused(logits, unit_length(z) if self.model.distance == "cosine" else z)


def fit_estimator(estimator, rows: LabelledRows, rng: np.random.RandomState):
    """A clone of the template that is fitted on the rows, or the frozen one itself."""
    out = clone(estimator)
    if isinstance(out, FrozenEstimator):
        check_is_fitted(out)
        return out
    if not takes_multimodal(out):
        raise TypeError(
            f"Got estimator={estimator!r}, expected a classifier that takes a "
            "MultimodalData, such as those of this package."
        )
    seed = draw_seed(rng)
    if out.get_params().get("random_state", seed) is None:
        out.set_params(random_state=seed)
    rows, labels = rows.normalised(), rows.classes[rows.y]
    return fit_weighted(out, rows.data, labels, rows.weight, rows.groups)


def check_estimator(estimator, rows: LabelledRows) -> None:
    """Refuse a classifier that was fitted on other modalities or classes."""
    names = rows.data.names
    fitted_names = list(getattr(estimator, "modality_names_in_", names))
    if fitted_names != names:
        raise ValueError(
            f"Got an estimator with the modalities {fitted_names}, expected {names}."
        )
    # A rare class may be missing in a split of the rows.
    if not np.isin(rows.classes, estimator.classes_).all():
        raise ValueError(
            f"Got an estimator with the classes "
            f"{np.asarray(estimator.classes_).tolist()}, expected "
            f"{rows.classes.tolist()}."
        )


def model_of(estimator, distance: str, rows: LabelledRows) -> SubsetModel:
    """A fitted classifier as a model of the modalities that some rows have.

    Of a selector it is the net, or the classifier that it wraps: what that selector
    recovers and fuses does not matter.
    """
    theirs = _model_inside(estimator)
    while isinstance(theirs, WrappedModel):
        estimator = theirs.estimator
        theirs = _model_inside(estimator)
    shapes = rows.data.block_shapes
    if not isinstance(theirs, NetModel):
        names = _seen(rows, list(shapes))
        columns = np.searchsorted(estimator.classes_, rows.classes)
        return WrappedModel(estimator, names, distance, shapes, columns)
    if theirs.distance != distance:
        raise ValueError(
            f"Got distance={distance!r} with an estimator trained for the distance "
            f"{theirs.distance!r}, expected the same."
        )
    known = theirs.fitted.names
    expected = {name: estimator.modality_shapes_in_[name] for name in known}
    if {name: shapes[name] for name in known} != expected:
        raise ValueError(
            f"Got rows of the shapes {shapes}, expected those that the estimator was "
            f"fitted on, {expected}."
        )
    columns = np.searchsorted(estimator.classes_, rows.classes)
    if theirs.columns is not None:
        columns = theirs.columns[columns]
    names = _seen(rows, known)
    return NetModel(
        theirs.fitted, names, theirs.integers, shapes=expected, columns=columns
    )


def _model_inside(estimator):
    return getattr(getattr(estimator, "fusion_", None), "model", None)


def _seen(rows: LabelledRows, known: list[str]) -> list[str]:
    """Modalities that some row has, of those that a model knows."""
    seen = np.asarray(rows.data.present.any(axis=0))
    names = [name for name, s in zip(rows.data.names, seen) if s and name in known]
    if not names:
        raise ValueError(
            f"Got no row with any of the modalities {known} that the estimator "
            "knows, expected at least one."
        )
    return names
