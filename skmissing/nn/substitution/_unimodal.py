"""Nets of single modalities, each trained as a job of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from ..._estimation._rows import TrainingRows
from ..._utils._random import local_random_state
from ...modalities._multimodal_data import MultimodalData
from .._fitted_net import FittedNet
from .._fusion import EarlyFusion
from .._training import train_net
from ..encoders._encoder import Encoder


def train_unimodals(
    params: dict[str, Any],
    rows: TrainingRows,
    names: Sequence[str],
    encoders: dict[str, Encoder],
    hidden: Sequence[int],
    dropout: float,
    rng: np.random.RandomState,
    n_jobs: int | None,
    warm: dict[str, FittedNet] | None = None,
    held_out: np.ndarray | None = None,
) -> dict[str, FittedNet]:
    """Train the net of each modality on the rows that have it.

    Parameters
    ----------
    params : dict
        The common training parameters of an estimator.
    rows : TrainingRows of n rows
        The rows that count.
    names : sequence of str
        Modalities to train; some row must have each.
    encoders : dict of str to Encoder
        Encoders of the modalities.
    hidden, dropout : as in :func:`~skmissing.nn._fusion.head`
        The heads.
    rng : RandomState
        Source of every random number.
    n_jobs : int or None
        Nets trained at once.
    warm : dict of str to FittedNet, default=None
        Start from their weights.
    held_out : ndarray of bool of shape (n,), default=None
        Rows for early stopping, in place of a split by each net.

    Returns
    -------
    dict of str to FittedNet
    """
    data = rows.data
    # Seeds are drawn for all modalities, observed or not, before any is trained: the
    # nets do not depend on each other, nor on the number of jobs.
    seeds = rng.randint(np.iinfo(np.int32).max, size=len(data.names)).tolist()
    trained = Parallel(n_jobs=n_jobs)(
        delayed(_train)(
            params,
            data.select(name),
            # Not the rows as a whole: each job is sent only the block it needs.
            rows.y,
            rows.weight,
            rows.groups,
            len(rows.classes),
            encoders[name],
            seeds[data.names.index(name)],
            tuple(hidden),
            dropout,
            None if warm is None else warm.get(name),
            held_out,
        )
        for name in names
    )
    return dict(zip(names, trained))


def _train(
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
    held_out: np.ndarray | None,
) -> FittedNet:
    name = data.names[0]
    return train_net(
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
        held_out=held_out,
    )


def unimodal_log_proba(
    nets: dict[str, FittedNet], data: MultimodalData, n_classes: int
) -> dict[str, np.ndarray]:
    """Log-probabilities of each net on its own.

    Parameters
    ----------
    nets : dict of str to FittedNet
        The nets of some modalities.
    data : MultimodalData of n rows
        The rows.
    n_classes : int
        Number of classes.

    Returns
    -------
    dict of str to ndarray of float64 of shape (n, n_classes)
        NaN in the rows that lack the modality.
    """
    out = {}
    for name, fitted in nets.items():
        here = data.present[:, data.names.index(name)]
        part = np.full((len(data), n_classes), np.nan)
        if here.any():
            chosen = data.select(name)
            part[here] = fitted.log_proba(chosen if here.all() else chosen[here])
        out[name] = part
    return out
