"""From rows to a trained net and back to probabilities."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from .._estimation._folds import split_validation
from .._estimation._rows import LabelledRows, check_some_modality
from .._utils._random import draw_seed
from ._callbacks import Attributes, EpochReports, drop_reports
from ._criterion import make_criterion
from ._encoder_bank import EncoderBank
from ._engine import make_net
from ._fitted_net import PREDICT_BATCH, Feed, FittedNet, NetStart
from ._runtime import (
    DTYPES,
    load_compiler,
    plain_torch,
    resolve_device,
    seeded_torch,
    torch_threads,
)
from ._task import TaskModule
from .encoders._encoder import Encoder
from .encoders._module_encoder import refreeze

# Rows for early stopping, as the net will meet them.
Expand = Callable[[LabelledRows], LabelledRows]
# A tenth of fewer rows is too noisy to stop on. From here on it is far better than
# training to the end: nets that overfit 150 patients have three times the log-loss.
AUTO_STOPPING_ROWS = 100


def stops_early(params: dict[str, Any], n: int) -> bool:
    """Whether a training on n rows holds some of them out to stop early."""
    if params["early_stopping"] == "auto":
        return n >= AUTO_STOPPING_ROWS
    return bool(params["early_stopping"])


def resolve_batch_size(batch_size, n: int) -> int:
    """Rows in a batch: "auto" makes about 16 to 32 steps an epoch, at most 128 rows."""
    if batch_size is None:
        return n
    if batch_size != "auto":
        return min(int(batch_size), n)
    size = 8
    while size < 128 and size * 32 <= n:
        size *= 2
    return min(size, n)


@dataclass(frozen=True)
class TrainingPlan:
    """How a training differs from a plain one.

    Attributes
    ----------
    label : str
        Stands beside the progress bar.
    augment : callable or None
        Hides blocks in training.
    held_out : ndarray of bool of shape (n,) or None
        Rows that are not trained on, in place of a split of its own, unless they are
        all. They stop the training if ``early_stopping`` asks for that, "auto" by the
        number of rows of this training.
    expand : callable or None
        Changes the rows for early stopping, such as into copies with missing blocks.
    frozen : collection of str
        Modalities whose encoder stays as it is, beside frozen ones.
    """

    label: str = ""
    augment: Any = None
    held_out: np.ndarray | None = None
    expand: Expand | None = None
    frozen: Collection[str] = ()
    # Gives settings of the loss that may have changed to a net that goes on.
    retune: Callable[[Any], None] | None = None
    # What the estimator would have learnt from the net so far, for its callbacks.
    attributes: Attributes | None = None


PLAIN = TrainingPlan()


class TrainingTask(NamedTuple):
    """What an estimator fits: rows, an encoder for each modality, random numbers."""

    rows: LabelledRows
    encoders: dict[str, Encoder]
    rng: np.random.RandomState
    # Whether to go on from the former fit.
    warm: bool


def train_net(
    params: dict[str, Any],
    rows: LabelledRows,
    encoders: dict[str, Encoder],
    build: Callable[[EncoderBank], TaskModule],
    rng: np.random.RandomState,
    plan: TrainingPlan = PLAIN,
    *,
    warm: FittedNet | NetStart | None = None,
) -> FittedNet:
    """Train a net."""
    device = resolve_device(params["device"])
    load_compiler()
    split_seed, init_seed, train_seed = (draw_seed(rng) for _ in range(3))
    # Here and not around the whole fit of an estimator: whoever holds the number of
    # threads must not wait for other threads that train.
    with torch_threads(params["n_threads"]), plain_torch():
        rows, plan = _usable_rows(rows, plan, warm)
        training, held_out = _split(params, rows, plan, split_seed)
        feed = _fit_feed(params, training, encoders) if warm is None else warm
        with seeded_torch(init_seed, device):
            if warm is None:
                used = {n: encoders[n].for_input(feed.scalers[n]) for n in feed.used}
                shapes = rows.data.block_shapes
                inputs = {n: feed.scalers[n].input_shape(shapes[n]) for n in used}
                module = build(EncoderBank(used, inputs))
            else:
                module = copy.deepcopy(warm.module)
                _freeze_as_given(module.bank, encoders)
                if plan.retune is not None:
                    plan.retune(module)
        module.criterion = make_criterion(params.get("criterion", "cross_entropy"))
        module.prepare(feed.scalers, np.dtype(params["dtype"]))
        module = module.to(DTYPES[params["dtype"]])
        net = make_net(
            module,
            {
                **params,
                "batch_size": resolve_batch_size(params["batch_size"], len(training)),
            },
            device,
            stops_early=held_out is not None,
            augment=plan.augment,
            seed=train_seed,
            label=plan.label,
            lr_factors={
                f"bank.encoders.{module.bank.names.index(n)}.*": encoders[n].lr_factor
                for n in feed.used
                if encoders[n].lr_factor != 1
            },
        )
        fitted = FittedNet(
            rows.data.names, feed.used, feed.scalers, feed.series, params["dtype"], net
        )
        reports = params.get("reports")
        if reports is not None:
            follow = EpochReports(reports, fitted, plan.label, plan.attributes)
            net.callbacks.append(("epoch_reports", follow))
        _run(fitted, training, held_out, encoders, plan, train_seed)
        # They know the estimator, and would be written with it.
        drop_reports(net)
    finite = all(torch.isfinite(p).all() for p in net.module_.parameters())
    if held_out is None and len(net.history):
        # With held-out rows the best weights are back, whatever came after them.
        finite = finite and bool(np.isfinite(net.history[-1, "train_loss"]))
    if not finite:
        raise ValueError(
            f"Got weights or a loss that are not finite after training with "
            f"lr={params['lr']}, expected a smaller learning rate to keep them finite."
        )
    return fitted


def _freeze_as_given(bank: EncoderBank, encoders: dict[str, Encoder]) -> None:
    """Modules of the user's are frozen or not, whatever they were before."""
    for name, module in zip(bank.names, bank.encoders):
        refreeze(module, encoders[name].frozen)


def _usable_rows(
    rows: LabelledRows, plan: TrainingPlan, warm: FittedNet | NetStart | None
) -> tuple[LabelledRows, TrainingPlan]:
    """Rows with any modality that the net uses, with weights of mean 1."""
    usable = rows.data.present if warm is None else warm.usable(rows.data)
    some = np.asarray(usable.any(axis=1))
    check_some_modality(some)
    if plan.held_out is not None:
        plan = replace(plan, held_out=plan.held_out[some])
    return rows.take(some).normalised(), plan


def _split(
    params: dict[str, Any], rows: LabelledRows, plan: TrainingPlan, seed: int
) -> tuple[LabelledRows, LabelledRows | None]:
    """Rows to train on, and rows that stop the training early, if any."""
    stopping = stops_early(params, len(rows))
    if plan.held_out is None:
        if not stopping:
            return rows, None
        train, valid = split_validation(
            rows.y, rows.groups, params["validation_fraction"],
            np.random.RandomState(seed),
        )  # fmt: skip
        return rows.take(train), rows.take(valid)
    if not plan.held_out.any() or plan.held_out.all():
        # All of them: nothing would be left to train on.
        return rows, None
    training = rows.take(~plan.held_out)
    return training, rows.take(plan.held_out) if stopping else None


def _fit_feed(
    params: dict[str, Any], rows: LabelledRows, encoders: dict[str, Encoder]
) -> Feed:
    """Statistics of the blocks that training rows have."""
    data, shapes = rows.data, rows.data.block_shapes
    used = [name for m, name in enumerate(data.names) if data.present[:, m].any()]
    scalers = {
        name: encoders[name].fit_scaler(
            name, data[name], data.present[:, data.names.index(name)], rows.weight
        )
        for name in used
    }
    series = frozenset(n for n in used if encoders[n].is_series(shapes[n]))
    return Feed(data.names, used, scalers, series, params["dtype"])


def _run(
    fitted: FittedNet,
    training: LabelledRows,
    held_out: LabelledRows | None,
    encoders: dict[str, Encoder],
    plan: TrainingPlan,
    seed: int,
) -> None:
    """The training itself, on rows as tensors."""
    net, device = fitted.net, torch.device(fitted.net.device)
    module: Any = net.module
    stores = [fitted.store(training.data, training.y, training.weight)]
    if held_out is not None:
        held_out = held_out if plan.expand is None else plan.expand(held_out)
        net.valid_store = fitted.store(held_out.data, held_out.y, held_out.weight)
        stores.append(net.valid_store)
    module.to(device)
    module.eval()
    fixed = [n for n in fitted.used if encoders[n].frozen or n in plan.frozen]
    module.freeze(fixed)
    for name in fixed:
        for store in stores:
            store.replace_by_codes(
                name, lambda v, k, n=name: module.bank.encode(n, v, k), PREDICT_BATCH
            )
    with seeded_torch(seed, device):
        net.fit(stores[0])
    # The rows are not part of the model; neither are the weights kept for stopping.
    net.valid_store = None
    net.module_.eval()
    net.module_.freeze([])
