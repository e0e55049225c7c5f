"""From rows to a trained net and back to probabilities."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch

from .._estimation._folds import split_validation
from .._utils._random import draw_seed
from ..modalities._multimodal_data import MultimodalData
from ._encoder_bank import EncoderBank
from ._engine import make_net
from ._fitted_net import PREDICT_BATCH, FittedNet, NetStart
from ._runtime import DTYPES, resolve_device, seeded_torch, torch_threads
from ._scaling import fit_scaler
from ._task import TaskModule
from .encoders._encoder import Encoder

Expand = Callable[
    [MultimodalData, np.ndarray, np.ndarray],
    tuple[MultimodalData, np.ndarray, np.ndarray],
]
# Fewer rows than this and a tenth of them says too little to stop on.
AUTO_STOPPING_ROWS = 1000


def stops_early(params: dict[str, Any], n: int) -> bool:
    """Whether a training on n rows holds some of them out to stop early."""
    if params["early_stopping"] == "auto":
        return n >= AUTO_STOPPING_ROWS
    return bool(params["early_stopping"])


def resolve_batch_size(batch_size: Any, n: int) -> int:
    """Rows in a batch: "auto" makes about 16 to 32 steps an epoch, at most 128 rows.

    Parameters
    ----------
    batch_size : int, "auto" or None
        None takes all rows.
    n : int
        Training rows.

    Returns
    -------
    int
    """
    if batch_size is None:
        return n
    if batch_size != "auto":
        return min(int(batch_size), n)
    size = 8
    while size < 128 and size * 32 <= n:
        size *= 2
    return min(size, n)


def train_net(
    params: dict[str, Any],
    data: MultimodalData,
    y: np.ndarray,
    weight: np.ndarray,
    groups: np.ndarray | None,
    encoders: dict[str, Encoder],
    build: Callable[[EncoderBank], TaskModule],
    rng: np.random.RandomState,
    *,
    augment: Any = None,
    warm: FittedNet | NetStart | None = None,
    label: str = "",
    held_out: np.ndarray | None = None,
    expand: Expand | None = None,
    frozen: Collection[str] = (),
) -> FittedNet:
    """Train a net.

    Parameters
    ----------
    params : dict
        The common training parameters of an estimator.
    data : MultimodalData of n rows
        Training rows. Rows without any block take no part.
    y : ndarray of int64 of shape (n,)
        Class indices.
    weight : ndarray of float64 of shape (n,)
        Sample weights.
    groups : ndarray of shape (n,) or None
        Kept together in the validation split.
    encoders : dict of str to Encoder
        One for each modality of the data.
    build : callable
        Makes the module around a bank of encoders.
    rng : RandomState
        Source of every random number.
    augment : callable, default=None
        Hides blocks in training.
    warm : FittedNet or NetStart, default=None
        Start from its weights and keep its statistics.
    label : str, default=""
        Stands beside the progress bar.
    held_out : ndarray of bool of shape (n,), default=None
        Rows that are not trained on, in place of a split of its own, unless they are
        all. They stop the training if ``early_stopping`` asks for that, "auto" by the
        number of rows of this training.
    expand : callable, default=None
        Takes and returns data, y and weight of the rows for early stopping.
    frozen : collection of str, default=()
        Modalities whose encoder stays as it is, beside those that say so themselves.

    Returns
    -------
    FittedNet
    """
    # Here and not around the whole fit of an estimator: whoever holds the number of
    # threads must not wait for other threads that train.
    with torch_threads(params["n_threads"]):
        return _train_net(
            params, data, y, weight, groups, encoders, build, rng, augment, warm,
            label, held_out, expand, frozen,
        )  # fmt: skip


def _train_net(
    params: dict[str, Any],
    data: MultimodalData,
    y: np.ndarray,
    weight: np.ndarray,
    groups: np.ndarray | None,
    encoders: dict[str, Encoder],
    build: Callable[[EncoderBank], TaskModule],
    rng: np.random.RandomState,
    augment: Any,
    warm: FittedNet | NetStart | None,
    label: str,
    given: np.ndarray | None,
    expand: Expand | None,
    frozen: Collection[str],
) -> FittedNet:
    device = resolve_device(params["device"])
    split_seed, init_seed, train_seed = (draw_seed(rng) for _ in range(3))
    usable = data.present if warm is None else warm.usable(data)
    something = usable.any(axis=1)
    if not something.any():
        raise ValueError(
            "Got only rows without any modality in fit, expected at least one row with "
            "one."
        )
    if not something.all():
        data, y, weight = data[something], y[something], weight[something]
        groups = None if groups is None else groups[something]
        given = None if given is None else given[something]
    weight = weight / weight.mean()
    stopping = stops_early(params, len(y))
    rows, held_out = np.arange(len(y)), None
    if given is not None:
        # All of them: nothing would be left to train on.
        apart = bool(given.any() and not given.all())
        if apart:
            rows = np.flatnonzero(~given)
            held_out = np.flatnonzero(given) if stopping else None
        stopping = apart and stopping
    elif stopping:
        rows, held_out = split_validation(
            y, groups, params["validation_fraction"], np.random.RandomState(split_seed)
        )
    training = data if len(rows) == len(y) else data[rows]

    shapes = data.block_shapes
    if warm is None:
        used = [
            name for m, name in enumerate(data.names) if training.present[:, m].any()
        ]
        scalers = {
            name: fit_scaler(
                training[name],
                training.present[:, training.names.index(name)],
                weight[rows],
                encoders[name].statistics_axes(shapes[name]),
                bool(encoders[name].scale_inputs),
                encoders[name].keeps_integers,
            )
            for name in used
        }
        series = frozenset(n for n in used if encoders[n].is_series(shapes[n]))
    else:
        used, scalers, series = warm.used, warm.scalers, warm.series
    with seeded_torch(init_seed, device):
        if warm is None:
            module = build(EncoderBank({n: encoders[n] for n in used}, shapes))
        else:
            module = copy.deepcopy(warm.module)
    module.prepare(scalers, np.dtype(params["dtype"]))
    module = module.to(DTYPES[params["dtype"]])
    batch_size = resolve_batch_size(params["batch_size"], len(rows))
    net = make_net(
        module,
        optimizer=params["optimizer"],
        lr=params["lr"],
        weight_decay=params["weight_decay"],
        max_epochs=params["max_epochs"],
        batch_size=batch_size,
        device=device,
        n_iter_no_change=params["n_iter_no_change"] if stopping else None,
        augment=augment,
        seed=train_seed,
        callbacks=params["callbacks"],
        verbose=params["verbose"],
        label=label,
        lr_factors={
            f"bank.encoders.{module.bank.names.index(n)}.*": encoders[n].lr_factor
            for n in used
            if encoders[n].lr_factor != 1
        },
    )
    fitted = FittedNet(data.names, used, scalers, series, params["dtype"], net)
    store = fitted.store(training, y[rows], weight[rows])
    stores = [store]
    if held_out is not None:
        kept = data[held_out], y[held_out], weight[held_out]
        net.valid_store = fitted.store(*(kept if expand is None else expand(*kept)))
        stores.append(net.valid_store)
    module.to(device)
    fixed = [name for name in used if encoders[name].frozen or name in frozen]
    module.eval()
    module.freeze(fixed)
    for name in fixed:
        for part in stores:
            part.replace_by_codes(
                name, lambda v, k, n=name: module.bank.encode(n, v, k), PREDICT_BATCH
            )
    with seeded_torch(train_seed, device):
        net.fit(store)
    # The rows are not part of the model; neither are the weights kept for stopping.
    net.valid_store = None
    net.module_.eval()
    net.module_.freeze([])
    if not all(torch.isfinite(p).all() for p in net.module_.parameters()):
        raise ValueError(
            f"Got weights that are not finite after training with lr={params['lr']}, "
            "expected a smaller learning rate to keep them finite."
        )
    return fitted
