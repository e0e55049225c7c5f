"""Models that answer for any set of modalities, with features beside class scores."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from ..modalities._multimodal_data import MultimodalData
from ..nn._fitted_net import PREDICT_BATCH, FittedNet
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
    """The selector's own net, or that of another selector.

    Parameters
    ----------
    fitted : FittedNet
        Around a :class:`~skmissing.dymo._module.DyMoModule`.
    shapes : dict of str to tuple of int, default=None
        All modalities of the net, where rows may lack some of them altogether.
    columns : ndarray of int, default=None
        Classes of the net to answer for. None: all.
    integers : frozenset of str, default=frozenset()
        Modalities that it takes as the integers they are.
    """

    def __init__(
        self,
        fitted: FittedNet,
        shapes: dict[str, tuple[int, ...]] | None = None,
        columns: np.ndarray | None = None,
        integers: frozenset[str] = frozenset(),
    ) -> None:
        self.fitted = fitted
        self.shapes = shapes
        self.columns = columns
        self.integers = integers

    def encode(self, data: MultimodalData) -> Encoded:
        module = self.fitted.module
        if self.shapes is None or data.names == list(self.shapes):
            places = None
        else:
            places = [list(self.shapes).index(name) for name in data.names]
            data = with_hidden(data, self.shapes)
        tokens = self.fitted.apply(data, _tokens)
        return TokenRows(module, tokens, places, self.columns)


def kept_integers(fitted: FittedNet, data: MultimodalData) -> frozenset[str]:
    """Modalities of training rows that go to a net as the integers they are."""
    return frozenset(
        name
        for name, scaler in fitted.scalers.items()
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
    places : list of int or None
        Which of them masks are about. None: all.
    columns : ndarray of int or None
        Classes to answer for. None: all.
    """

    def __init__(
        self,
        module: Any,
        tokens: np.ndarray,
        places: list[int] | None,
        columns: np.ndarray | None,
    ) -> None:
        self.module = module
        self.places = places
        self.columns = columns
        self.tokens = torch.from_numpy(tokens).to(module.cls.device)

    def fuse(self, rows: np.ndarray, masks: np.ndarray) -> Pair:
        device = self.tokens.device
        if self.places is not None:
            wide = np.zeros((len(masks), self.tokens.shape[1]), dtype=bool)
            wide[:, self.places] = masks
            masks = wide
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
        if self.columns is not None:
            out[0] = out[0][:, self.columns]
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


def fuser_of(
    estimator: Any,
    metric: str,
    classes: np.ndarray,
    shapes: dict[str, tuple[int, ...]],
) -> tuple[Fuser, list[str], frozenset[str]]:
    """A fitted classifier as the model of a selector.

    Of another selector it is the net (or the classifier that it wraps): what that one
    recovers and fuses is its own matter.

    Parameters
    ----------
    estimator : fitted classifier
        Of the same modalities and classes.
    metric : {"cosine", "euclidean"}
        Of the features.
    classes : ndarray of shape (K,)
        Classes to answer for.
    shapes : dict of str to tuple of int
        Modalities of the rows.

    Returns
    -------
    fuser : Fuser
        Answers for those of the modalities that are asked for.
    names : list of str
        Modalities that it can look at.
    integers : frozenset of str
        Those of which it takes integers only.
    """
    theirs = getattr(estimator, "_fuser", None)
    while isinstance(theirs, WrappedFuser):
        estimator = theirs.estimator
        theirs = getattr(estimator, "_fuser", None)
    if not isinstance(theirs, NetFuser):
        wrapped = WrappedFuser(estimator, metric, classes, shapes)
        return wrapped, list(shapes), frozenset()
    module = theirs.fitted.module
    if module.metric != metric:
        raise ValueError(
            f"Got metric={metric!r} with an estimator trained for the metric "
            f"{module.metric!r}, expected the same."
        )
    names = theirs.fitted.names
    expected = {name: estimator.modality_shapes_in_[name] for name in names}
    if {name: shapes[name] for name in names} != expected:
        raise ValueError(
            f"Got rows of the shapes {shapes}, expected those that the estimator was "
            f"fitted on, {expected}."
        )
    columns = np.searchsorted(estimator.classes_, classes)
    if theirs.columns is not None:
        columns = theirs.columns[columns]
    fuser = NetFuser(theirs.fitted, expected, columns, theirs.integers)
    return fuser, names, theirs.integers


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
