"""Models that answer for any set of modalities, with features beside class scores."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from ..modalities._multimodal_data import MultimodalData
from ..nn._feed import PREDICT_BATCH, FittedNet
from ._recoverer import with_hidden
from ._scores import unit_length

# Log-probabilities are cut off here, the rounding error of a probability: the features
# of a model that says 0 would be infinite.
LOG_FLOOR = float(np.log(np.finfo(np.float64).eps))

Pair = tuple[np.ndarray, np.ndarray]


class Encoded(Protocol):
    """Rows that can be fused for any set of their modalities."""

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Pair:
        """Class scores (r, K) and features (r, D), both float64.

        Parameters
        ----------
        rows : ndarray of int of shape (r,)
            Row numbers; a row may come more than once.
        masks : ndarray of bool of shape (r, M)
            Modalities to look at.

        Returns
        -------
        tuple of ndarray
        """


class Fuser(Protocol):
    """Makes rows ready."""

    def encode(self, data: MultimodalData) -> Encoded:
        """Encode each block that is there once.

        Parameters
        ----------
        data : MultimodalData
            The modalities of the model, in its order.

        Returns
        -------
        Encoded
        """


class NetFuser:
    """The selector's own net.

    Parameters
    ----------
    fitted : FittedNet
        Around a :class:`~skmissing.dymo._module.DyMoModule`.
    """

    def __init__(self, fitted: FittedNet) -> None:
        self.fitted = fitted

    def encode(self, data: MultimodalData) -> TokenRows:
        tokens = self.fitted.apply(data, _tokens)
        return TokenRows(self.fitted.module, tokens)

    def integers(self, data: MultimodalData) -> frozenset[str]:
        """Modalities of training rows that go to the net as the integers they are."""
        return frozenset(
            name
            for name, scaler in self.fitted.scalers.items()
            if scaler.keeps_integers
            and not scaler.scales
            and data[name].dtype.kind in "iub"
        )


def _tokens(module: Any, batch: Any) -> Any:
    return module.tokens(batch)


class TokenRows:
    """Rows as tokens: encoders have no part in fusing them.

    Parameters
    ----------
    module : DyMoModule
        The net, trained, in evaluation mode.
    tokens : ndarray of shape (n, M, token_dim)
        Tokens of all modalities.
    """

    def __init__(self, module: Any, tokens: np.ndarray) -> None:
        self.module = module
        self.tokens = torch.from_numpy(tokens).to(module.cls.device)

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Pair:
        device = self.tokens.device
        index = torch.from_numpy(np.asarray(rows)).to(device)
        kept = torch.from_numpy(np.array(masks)).to(device)
        logits, features = [], []
        with torch.inference_mode():
            for part in torch.arange(len(index), device=device).split(PREDICT_BATCH):
                pair = self.module.fuse(
                    self.tokens.index_select(0, index[part]), kept[part]
                )
                logits.append(pair[0])
                features.append(pair[1])
            out = [torch.cat(parts).double().cpu().numpy() for parts in
                   (logits, features)]  # fmt: skip
        if self.module.metric == "cosine":
            out[1] = unit_length(out[1])
        return out[0], out[1]


class WrappedFuser:
    """A fitted classifier that answers for any pattern.

    Parameters
    ----------
    estimator : fitted classifier
        Takes a MultimodalData.
    metric : {"cosine", "euclidean"}
        Whether features have unit length.
    classes : ndarray of shape (K,)
        Classes to answer for, some of the classifier's.
    shapes : dict of str to tuple of int
        All modalities of the classifier; rows may lack some of them altogether.
    """

    def __init__(
        self,
        estimator: Any,
        metric: str,
        classes: np.ndarray,
        shapes: dict[str, tuple[int, ...]],
    ) -> None:
        self.estimator = estimator
        self.metric = metric
        self.columns = np.searchsorted(estimator.classes_, classes)
        self.shapes = shapes

    def encode(self, data: MultimodalData) -> BlockRows:
        return BlockRows(self, data)

    def answer(self, data: MultimodalData) -> np.ndarray:
        """Log-probabilities of the classes, float64, shape (n, K)."""
        whole = with_hidden(data, self.shapes)
        logits = np.asarray(self.estimator.predict_log_proba(whole), dtype=np.float64)
        return np.maximum(logits[:, self.columns], LOG_FLOOR)


class BlockRows:
    """Rows as blocks, for a model that does not take codes.

    Parameters
    ----------
    fuser : WrappedFuser
        The model.
    data : MultimodalData
        The rows.
    """

    def __init__(self, fuser: WrappedFuser, data: MultimodalData) -> None:
        self.fuser = fuser
        self.data = data

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Pair:
        part = self.data[np.asarray(rows)]
        logits = self.fuser.answer(part.hide(part.present & ~masks))
        z = logits - logits.mean(axis=1, keepdims=True)
        return logits, unit_length(z) if self.fuser.metric == "cosine" else z


def check_estimator(estimator: Any, names: list[str], classes: np.ndarray) -> None:
    """Refuse a classifier that was fitted on other data.

    Parameters
    ----------
    estimator : classifier
        The one handed in.
    names : list of str
        Modalities of the training rows.
    classes : ndarray
        Their classes.
    """
    check_is_fitted(estimator)
    theirs = list(getattr(estimator, "modality_names_in_", []))
    if theirs != names:
        raise ValueError(
            f"Got an estimator with the modalities {theirs}, expected {names}."
        )
    # A split of the rows may lack a rare one.
    if not np.isin(classes, estimator.classes_).all():
        raise ValueError(
            f"Got an estimator with the classes "
            f"{np.asarray(estimator.classes_).tolist()}, expected {classes.tolist()}."
        )
