"""Uni-modal nets of other estimators."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._estimation._rows import LabelledRows
from .._utils._checks import check_known
from .._utils._named_parts import named_pairs
from ..nn._base import BaseNetClassifier
from ..nn._fitted_net import FittedNet
from ..nn.encoders._default import default_encoder
from ..nn.encoders._encoder import Encoder
from ..nn.encoders._module_encoder import set_frozen


@dataclass(frozen=True)
class Pretrained:
    """An estimator in ``unimodal``: a fitted one, or a template.

    ``built`` is the encoder that its net is built from, ``encoder`` the one that
    describes how it is trained on: the user's where one is listed.
    """

    estimator: BaseNetClassifier
    is_fitted: bool
    built: Encoder
    encoder: Encoder


def read_pretrained(
    unimodal: dict[str, Any] | None,
    rows: LabelledRows,
    listed: dict[str, Encoder],
    resolved: dict[str, Encoder],
) -> dict[str, Pretrained]:
    """The estimators in ``unimodal``, checked, before any is fitted or copied.

    ``resolved`` are the encoders of the ensemble, ``listed`` those that a user gave.
    """
    shapes = rows.data.block_shapes
    defaults = {
        name: default_encoder(shapes[name]) if name in listed else encoder
        for name, encoder in resolved.items()
    }
    out = {}
    check_known("an estimator in unimodal for", unimodal or {}, rows.data.names)
    for name, given in (unimodal or {}).items():
        is_fitted = isinstance(given, FrozenEstimator)
        estimator = given.estimator if is_fitted else given
        if not isinstance(estimator, BaseNetClassifier):
            raise TypeError(
                f"Got a {type(estimator).__name__} in unimodal for the modality "
                f"{name!r}, expected a classifier of this package with a net, or a "
                "FrozenEstimator around a fitted one."
            )
        if is_fitted:
            _check_fitted(name, estimator, rows)
        built = dict(named_pairs(estimator.encoders)).get(name)
        if built is None:
            built = (estimator.encoders_ if is_fitted else defaults)[name]
        if name in listed:
            _check_same_kind(name, listed[name], built)
        out[name] = Pretrained(estimator, is_fitted, built, listed.get(name, built))
    return out


def take_net(name: str, given: Pretrained, rows: LabelledRows, seed: int) -> FittedNet:
    """A copy of a fitted net, or that of a template after its fit on ``rows``."""
    estimator = given.estimator
    if not given.is_fitted:
        # Encoders of other modalities are not its business.
        estimator = clone(estimator).set_params(encoders={name: given.built})
        if estimator.random_state is None:
            estimator.random_state = seed
        part = rows.take(rows.data.present[:, rows.data.names.index(name)])
        labels = part.classes[part.y]
        estimator.fit(part.data.select(name), labels, part.weight, part.groups)
        _check_fitted(name, estimator, rows)
    net: Any = copy.deepcopy(estimator.unimodal_net(name))
    if given.encoder.frozen != given.built.frozen:
        set_frozen(net.module.bank.encoders[0], given.encoder.frozen)
    return net


def _check_fitted(name: str, estimator: BaseNetClassifier, rows: LabelledRows) -> None:
    """Refuse an estimator without a net of the modality for such rows."""
    kind = type(estimator).__name__
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise ValueError(
            f"Got a FrozenEstimator in unimodal for the modality {name!r} around a "
            f"{kind} that is not fitted, expected a fitted one."
        ) from error
    if estimator.unimodal_net(name) is None:
        raise ValueError(
            f"Got a {kind} in unimodal that has no net of the modality {name!r} "
            "alone, expected a UnimodalEnsemble, a UMEMMAEnsemble or a "
            "FusionClassifier of that modality only."
        )
    if not np.array_equal(estimator.classes_, rows.classes):
        raise ValueError(
            f"Got a {kind} in unimodal for the modality {name!r} fitted on the "
            f"classes {estimator.classes_.tolist()}, expected those of y, "
            f"{rows.classes.tolist()}."
        )
    shape = rows.data.block_shapes[name]
    if estimator.modality_shapes_in_[name] != shape:
        raise ValueError(
            f"Got a {kind} in unimodal for the modality {name!r} fitted on shape "
            f"{estimator.modality_shapes_in_[name]} per row, expected {shape}."
        )


def _check_same_kind(name: str, wanted: Encoder, built: Encoder) -> None:
    """Refuse a listed encoder that describes another net than the one in unimodal."""
    free = ("lr_factor", "frozen", "dropout", "module")
    parts = [
        {k: repr(v) for k, v in e.get_params(deep=False).items() if k not in free}
        for e in (wanted, built)
    ]
    if type(wanted) is not type(built) or parts[0] != parts[1]:
        raise ValueError(
            f"Got the encoder {wanted!r} for the modality {name!r}, whose net in "
            f"unimodal has {built!r}; expected the same, with lr_factor and frozen as "
            "you like, or none."
        )
