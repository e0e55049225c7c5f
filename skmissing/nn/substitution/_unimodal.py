"""Nets of single modalities, each trained as a job of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.utils.validation import check_is_fitted

from ..._estimation._rows import LabelledRows
from ..._utils._random import local_random_state
from ...modalities._multimodal_data import MultimodalData
from ...modalities._validation import check_multimodal
from .._fitted_net import FittedNet
from .._fusion import FusionModule
from .._fusion import Head as MakeHead
from .._runtime import torch_threads
from .._training import TrainingPlan, train_net
from ..encoders._encoder import Encoder
from ..fusion._early_fusion import EarlyFusion


class Head(NamedTuple):
    """Layers between a code and its class scores."""

    hidden: Sequence[int]
    dropout: float


def unimodal_seeds(data: MultimodalData, rng: np.random.RandomState) -> list[int]:
    """Seed of the net of each modality; none depends on which nets are trained."""
    return rng.randint(np.iinfo(np.int32).max, size=len(data.names)).tolist()


def train_unimodals(
    params: dict[str, Any],
    rows: LabelledRows,
    encoders: dict[str, Encoder],
    head: Head,
    rng: np.random.RandomState,
    n_jobs: int | None,
    *,
    warm: dict[str, FittedNet] | None = None,
    held_out: np.ndarray | None = None,
) -> dict[str, FittedNet]:
    """Train a net for each modality in ``encoders``, on the rows that have it.

    The net of a modality does not depend on which others are trained. ``held_out``
    are rows that are not trained on but stop the training.
    """
    names = rows.data.names
    if effective_n_jobs(n_jobs) > 1:
        # Callbacks of scikit-learn follow one net after the other.
        params = {**params, "reports": None}
    seeds = unimodal_seeds(rows.data, rng)
    trained = Parallel(n_jobs=n_jobs)(
        delayed(_train)(
            params,
            replace(rows, data=rows.data.select(name)),
            encoder,
            head,
            seeds[names.index(name)],
            warm=None if warm is None else warm.get(name),
            held_out=held_out,
        )
        for name, encoder in encoders.items()
    )
    return dict(zip(encoders, trained))


def _train(
    params: dict[str, Any],
    rows: LabelledRows,
    encoder: Encoder,
    head: Head,
    seed: int,
    *,
    warm: FittedNet | None,
    held_out: np.ndarray | None,
) -> FittedNet:
    (name,) = rows.data.names
    make_head = MakeHead(*head, len(rows.classes))
    return train_net(
        params,
        rows,
        {name: encoder},
        lambda bank: FusionModule(bank, EarlyFusion(), make_head, [0]),
        local_random_state(seed),
        TrainingPlan(label=name, held_out=held_out),
        warm=warm,
    )


def unimodal_log_proba(
    nets: dict[str, FittedNet], data: MultimodalData, n_classes: int
) -> dict[str, np.ndarray]:
    """Log-probabilities of each net on its own, NaN in rows without its modality."""
    out = {}
    for name, fitted in nets.items():
        here = data.present[:, data.names.index(name)]
        part = np.full((len(data), n_classes), np.nan)
        if here.any():
            chosen = data.select(name)
            part[here] = fitted.log_proba(chosen if here.all() else chosen[here])
        out[name] = part
    return out


class UnimodalNets:
    """Mixin for net classifiers with a net of its own for each modality."""

    modalities: Any
    n_threads: int | None
    classes_: np.ndarray
    _nets: dict[str, FittedNet]

    def unimodal_proba(self, X) -> dict[str, np.ndarray]:
        """Class probabilities of the net of each modality alone.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        dict of str to ndarray of float64 of shape (n_samples, n_classes)
            NaN in rows where the modality is missing.
        """
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False)
        with torch_threads(self.n_threads):
            logs = unimodal_log_proba(self._nets, data, len(self.classes_))
        return {name: np.exp(part) for name, part in logs.items()}
