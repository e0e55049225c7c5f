"""From rows to a trained net and back to probabilities."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import GroupShuffleSplit

from .._random import draw_seed
from .._target import warn_unobserved
from ..modalities._multimodal_data import MultimodalData
from ._encoder import Encoder
from ._engine import SkmissingNet, make_net
from ._runtime import (
    DTYPES,
    resolve_device,
    seeded_torch,
    torch_threads,
)
from ._scaling import BlockScaler, fit_scaler
from ._store import TensorStore
from ._task import EncoderBank, TaskModule

# Rows made into tensors at once, and rows that go through the net at once: small
# enough for the activations of a convolution to stay in the cache.
PREDICT_ROWS = 2048
PREDICT_BATCH = 256
# Fewer rows than this and a tenth of them says too little to stop on.
AUTO_STOPPING_ROWS = 1000


@dataclass
class FittedNet:
    """A trained net with what it takes to feed it.

    Attributes
    ----------
    net : SkmissingNet
        The skorch net.
    names : list of str
        Modalities in the order of the data.
    used : list of str
        Those that training rows had; the others are ignored.
    scalers : dict of str to BlockScaler
        Statistics of the training rows.
    series : frozenset of str
        Blocks whose trailing all-NaN steps are padding.
    dtype : str
        Arithmetic of the net.
    """

    net: SkmissingNet
    names: list[str]
    used: list[str]
    scalers: dict[str, BlockScaler]
    series: frozenset[str]
    dtype: str

    def usable(self, data: MultimodalData) -> np.ndarray:
        """Present mask without the modalities that were never seen in training."""
        return data.present & np.array([name in self.used for name in data.names])

    def store(
        self,
        data: MultimodalData,
        y: np.ndarray | None = None,
        weight: np.ndarray | None = None,
    ) -> TensorStore:
        """Rows as tensors, scaled with the statistics of training."""
        return TensorStore(
            data,
            self.usable(data),
            self.scalers,
            self.series,
            DTYPES[self.dtype],
            torch.device(self.net.device),
            y,
            weight,
        )

    def apply(
        self, data: MultimodalData, function: Callable[[TaskModule, Any], Any]
    ) -> np.ndarray:
        """Run a function of the module over all rows, some thousand at a time.

        Parameters
        ----------
        data : MultimodalData of n rows
            The rows.
        function : callable
            Takes the module and a batch; returns a tensor with one row per row.

        Returns
        -------
        ndarray of shape (n, ...)
        """
        module = self.net.module_
        module.eval()
        parts: list[np.ndarray] = []
        with torch.inference_mode():
            for start in range(0, len(data), PREDICT_ROWS):
                store = self.store(data[start : start + PREDICT_ROWS])
                everything = torch.arange(len(store), device=store.present.device)
                parts.extend(
                    function(module, store.batch(rows)).cpu().numpy()
                    for rows in everything.split(PREDICT_BATCH)
                )
        return np.concatenate(parts)

    def log_proba(self, data: MultimodalData) -> np.ndarray:
        """Log-probabilities of the classes, float64 of shape (n, n_classes)."""
        return self.apply(data, lambda module, batch: module.log_proba(batch))


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


def split_validation(
    y: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for early stopping.

    Stratified by class as far as the counts allow; groups stay together.

    Parameters
    ----------
    y : ndarray of int of shape (n,)
        Class indices.
    groups : ndarray of shape (n,) or None
        Group labels.
    fraction : float
        Share of validation rows.
    rng : RandomState
        Source of the draw.

    Returns
    -------
    train, valid : ndarray of int
        Row numbers, sorted.

    Raises
    ------
    ValueError
        If either part would be empty.
    """
    n = len(y)
    if groups is not None:
        groups = pd.factorize(groups, use_na_sentinel=False)[0]
        if len(np.unique(groups)) < 2:
            raise ValueError(
                "Got a single group, expected at least two groups where "
                "early_stopping=True holds some of them out."
            )
        splitter = GroupShuffleSplit(1, test_size=fraction, random_state=rng)
        train, valid = next(splitter.split(np.zeros(n), groups=groups))
        return np.sort(train), np.sort(valid)
    # Every k-th row of a shuffled order sorted by class: counts per class differ from
    # exact shares by less than one, also for classes of one row.
    order = rng.permutation(n)
    order = order[np.argsort(y[order], kind="stable")]
    n_valid = int(np.ceil(fraction * n))
    if n_valid >= n:
        raise ValueError(
            f"Got validation_fraction={fraction} with {n} rows, expected a share that "
            "leaves rows to train on."
        )
    picks = ((np.arange(n_valid) + 0.5) * n / n_valid).astype(int)
    mask = np.zeros(n, dtype=bool)
    mask[order[picks]] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


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
    warm: FittedNet | None = None,
    label: str = "",
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
    warm : FittedNet, default=None
        Start from its weights and keep its statistics.
    label : str, default=""
        Stands beside the progress bar.

    Returns
    -------
    FittedNet
    """
    # Here and not around the whole fit of an estimator: whoever holds the number of
    # threads must not wait for other threads that train.
    with torch_threads(params["n_threads"]):
        return _train_net(
            params, data, y, weight, groups, encoders, build, rng, augment, warm, label
        )


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
    warm: FittedNet | None,
    label: str,
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
    weight = weight / weight.mean()
    stopping = params["early_stopping"]
    if stopping == "auto":
        stopping = len(y) >= AUTO_STOPPING_ROWS
    rows, held_out = np.arange(len(y)), None
    if stopping:
        rows, held_out = split_validation(
            y, groups, params["validation_fraction"], np.random.RandomState(split_seed)
        )
    training = data[rows] if held_out is not None else data

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
    warn_unobserved(data.names, used)
    with seeded_torch(init_seed, device):
        if warm is None:
            module = build(EncoderBank({n: encoders[n] for n in used}, shapes))
        else:
            module = copy.deepcopy(warm.net.module_)
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
    )
    fitted = FittedNet(net, data.names, used, scalers, series, params["dtype"])
    store = fitted.store(training, y[rows], weight[rows])
    stores = [store]
    if held_out is not None:
        net.valid_store = fitted.store(data[held_out], y[held_out], weight[held_out])
        stores.append(net.valid_store)
    module.to(device)
    for name in used:
        if encoders[name].frozen:
            module.eval()
            for part in stores:
                part.replace_by_codes(
                    name,
                    lambda v, k, n=name: module.bank.encode(n, v, k),
                    PREDICT_BATCH,
                )
    with seeded_torch(train_seed, device):
        net.fit(store)
    # The rows are not part of the model; neither are the weights kept for stopping.
    net.valid_store = None
    net.module_.eval()
    if not all(torch.isfinite(p).all() for p in net.module_.parameters()):
        raise ValueError(
            f"Got weights that are not finite after training with lr={params['lr']}, "
            "expected a smaller learning rate to keep them finite."
        )
    return fitted
