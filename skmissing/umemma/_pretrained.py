"""Uni-modal nets that were trained elsewhere."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..modalities._multimodal_data import MultimodalData
from ..nn._base import BaseNetClassifier
from ..nn._fitted_net import FittedNet
from ..nn.encoders._default import default_encoder
from ..nn.encoders._encoder import Encoder
from ..nn.encoders._module_encoder import set_frozen


def read_handed_in(
    unimodal: dict[str, Any] | None,
    data: MultimodalData,
    classes: np.ndarray,
    encoders: dict[str, Encoder],
) -> dict[str, tuple[FittedNet, Encoder]]:
    """Check the estimators handed in and take out their nets."""
    out = {}
    for name, given in (unimodal or {}).items():
        if name not in data.names:
            raise ValueError(
                f"Got an estimator in unimodal for the unknown modality {name!r}, "
                f"expected some of {data.names}."
            )
        # What keeps a fitted estimator fitted under clone.
        estimator = getattr(given, "estimator", given)
        if not isinstance(estimator, BaseNetClassifier):
            raise TypeError(
                f"Got a {type(given).__name__} in unimodal for the modality {name!r}, "
                "expected a fitted classifier of this package with a net."
            )
        kind = type(estimator).__name__
        try:
            check_is_fitted(estimator)
        except NotFittedError as error:
            raise ValueError(
                f"Got a {kind} in unimodal for the modality {name!r} that is not "
                "fitted, expected a fitted one; searches clone what they vary, which "
                "only a FrozenEstimator around it survives."
            ) from error
        net = estimator.unimodal_net(name)
        if net is None:
            raise ValueError(
                f"Got a {kind} in unimodal that has no net of the modality {name!r} "
                "alone, expected a UnimodalEnsemble, a UMEMMAEnsemble or a "
                "FusionClassifier of that modality only."
            )
        if not np.array_equal(estimator.classes_, classes):
            raise ValueError(
                f"Got a {kind} in unimodal for the modality {name!r} fitted on the "
                f"classes {estimator.classes_.tolist()}, expected those of y, "
                f"{classes.tolist()}."
            )
        shape = data.block_shapes[name]
        if estimator.modality_shapes_in_[name] != shape:
            raise ValueError(
                f"Got a {kind} in unimodal for the modality {name!r} fitted on shape "
                f"{estimator.modality_shapes_in_[name]} per row, expected {shape}."
            )
        encoder = dict(estimator.encoders or []).get(name) or default_encoder(shape)
        net = copy.deepcopy(net)
        if name in encoders:
            wanted = encoders[name]
            _check_same_kind(name, wanted, encoder)
            if wanted.frozen != encoder.frozen:
                set_frozen(net.module.bank.encoders[0], wanted.frozen)
            encoder = wanted
        out[name] = net, encoder
    return out


def _check_same_kind(name: str, wanted: Encoder, built: Encoder) -> None:
    """Refuse an encoder that describes another net than the one handed in."""
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
