"""Training of the net of one modality, as a job of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._random import local_random_state
from ..modalities._multimodal_data import MultimodalData
from ._encoder import Encoder
from ._fusion import EarlyFusion
from ._training import FittedNet, train_net


def train_unimodal(
    params: dict[str, Any],
    data: MultimodalData,
    y: np.ndarray,
    weight: np.ndarray,
    groups: np.ndarray | None,
    n_classes: int,
    encoder: Encoder,
    seed: int,
    hidden: Sequence[int],
    dropout: float,
    warm: FittedNet | None,
) -> tuple[FittedNet, np.ndarray]:
    """Train the net of one modality on the rows that have it.

    Parameters
    ----------
    params : dict
        The common training parameters of an estimator.
    data : MultimodalData of n rows, one modality
        The block.
    y, weight, groups : as in :func:`~skmissing.nn._training.train_net`
        What goes with the rows.
    n_classes : int
        Number of classes.
    encoder : Encoder
        Encoder of the block.
    seed : int
        Seeds everything that is random.
    hidden, dropout : as in :func:`~skmissing.nn._fusion.head`
        The head.
    warm : FittedNet or None
        Start from its weights.

    Returns
    -------
    fitted : FittedNet
        The trained net.
    log_share : ndarray of shape (n_classes,)
        Log of the weighted class shares among the rows with the modality; -inf for
        a class that none of them has.
    """
    name = data.names[0]
    fitted = train_net(
        params,
        data,
        y,
        weight,
        groups,
        {name: encoder},
        lambda bank: EarlyFusion(bank, n_classes, hidden, dropout, [0], False),
        local_random_state(seed),
        warm=warm,
        label=name,
    )
    here = data.present[:, 0]
    mass = np.bincount(y[here], weight[here], minlength=n_classes)
    with np.errstate(divide="ignore"):
        return fitted, np.log(mass / mass.sum())
