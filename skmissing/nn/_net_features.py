"""What a trained net makes of rows before it predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._utils._warn import warn_user
from ..exceptions import EmptyRowWarning
from ..modalities._multimodal_data import MultimodalData
from ._fitted_net import FittedNet


class NetFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Mixin for net classifiers: fused features, and a code of each modality."""

    _while_predicting: Any
    _check_rows: Any

    def transform(self, X) -> np.ndarray:
        """Fused features of the rows: the input of the last layer of the net.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities. Rows without a usable modality get
            zeros, with one warning.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_features)
            The last hidden layer. A net whose class scores are made of several heads
            returns the scores, unless its reference says otherwise; one net for each
            modality the layers of all side by side, zeros where it is missing.
        """
        check_is_fitted(self)
        data = self._check_rows(X)
        parts = []
        some = np.zeros(len(data), dtype=bool)
        with self._while_predicting():
            for net in self._fitted_nets():
                chosen = data.select(net.names)
                here = np.asarray(net.usable(chosen).any(axis=1))
                part = np.zeros((len(data), net.module.count_features()))
                if here.any():
                    rows = chosen if here.all() else chosen[here]
                    part[here] = net.apply(rows, _features)
                parts.append(part)
                some |= here
        if not some.all():
            warn_user(
                f"Got {int((~some).sum())} of {len(some)} rows without a usable "
                "modality; their features are zeros.",
                EmptyRowWarning,
            )
        return np.concatenate(parts, axis=1)

    def embed(self, X) -> MultimodalData:
        """The code of each modality, as its encoder makes it.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        MultimodalData with n_samples rows
            A block of shape (n_samples, out_features) of its encoder for each modality
            that training rows had, missing where the modality is.
        """
        check_is_fitted(self)
        data = self._check_rows(X)
        blocks: dict[str, np.ndarray] = {}
        with self._while_predicting():
            for net in self._fitted_nets():
                chosen = data.select(net.names)
                codes = net.apply(chosen, _codes).astype(np.float64)
                widths = net.module.bank.widths
                parts = np.split(codes, np.cumsum(widths)[:-1], axis=1)
                for name, part in zip(net.module.bank.names, parts):
                    here = chosen.present[:, chosen.names.index(name)]
                    blocks[name] = np.where(here[:, None], part, np.nan)
        names = [name for name in data.names if name in blocks]
        columns = [data.names.index(name) for name in names]
        return MultimodalData(
            {name: blocks[name] for name in names}, data.present[:, columns]
        )

    def _fitted_nets(self) -> list[FittedNet]:
        """The net, or those of the modalities."""
        own = vars(self)
        nets = (
            [own["_fitted"]]
            if "_fitted" in own
            else list(own.get("_nets", {}).values())
        )
        if not nets:
            raise ValueError(
                f"Got a {type(self).__name__} without a net of its own, expected one; "
                "its estimator has the features."
            )
        return nets

    @property
    def _n_features_out(self) -> int:
        if not hasattr(self, "classes_"):
            # How scikit-learn finds out that there was no fit.
            raise AttributeError("_n_features_out")
        return sum(net.module.count_features() for net in self._fitted_nets())


def _features(module, batch):
    return module.features(batch).double()


def _codes(module, batch):
    """Codes of all modalities side by side, 0 where missing."""
    like = next(module.parameters())
    return torch.cat(
        [
            like.new_zeros((len(batch), width)) if code is None else code
            for code, width in zip(module.bank(batch), module.bank.widths)
        ],
        dim=1,
    )
