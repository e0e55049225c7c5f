"""The skorch net that trains every model of the package."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer
from torch import nn
from tqdm.auto import tqdm

from ._store import Batches, TensorStore

logger = logging.getLogger("skmissing")

OPTIMIZERS: dict[str, Any] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}
_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class _WeightedMean(nn.Module):
    """mean(w * l): with weights of mean 1 an unbiased estimate of the weighted risk.

    Dividing by the sum of each batch's own weights would not be: the ratio of two
    sums is biased, the more the heavier the tail of the weights.
    """

    def forward(self, losses, weight):
        return torch.dot(losses, weight) / len(losses)


class EpochBar(Callback):
    """One progress bar over the epochs."""

    def __init__(self, total: int, label: str) -> None:
        self.total = total
        self.label = label

    def on_train_begin(self, net, **kwargs) -> None:
        # None: no bar where the output is no terminal, such as a log.
        self.bar_ = tqdm(total=self.total, desc=self.label, unit="epoch", disable=None)

    def on_epoch_end(self, net, **kwargs) -> None:
        last = net.history[-1]
        shown = {k: f"{last[k]:.4f}" for k in ("train_loss", "valid_loss") if k in last}
        self.bar_.set_postfix(shown, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, **kwargs) -> None:
        self.bar_.close()

    def __getstate__(self) -> dict:
        return {k: v for k, v in self.__dict__.items() if k != "bar_"}


class _InterruptedError(BaseException):
    """Carries an interrupt of the user past skorch, which takes it for a stop."""


class ModuleEpochs(Callback):
    """Notifies a module of the start of training, with settings, and of each epoch."""

    def __init__(self, **settings) -> None:
        self.settings = settings

    def on_train_begin(self, net, **kwargs) -> None:
        net.module_.begin_training(**self.settings)

    def on_epoch_end(self, net, **kwargs) -> None:
        net.module_.end_epoch()


class CosineDecay(Callback):
    """Lowers learning rates along a cosine, to nearly 0 in the last epoch.

    Each group of weights keeps its own rate as the first one.
    """

    def __init__(self, max_epochs: int) -> None:
        self.max_epochs = max_epochs

    def on_train_begin(self, net, **kwargs) -> None:
        self.rates_ = [group["lr"] for group in net.optimizer_.param_groups]
        self.epoch_ = 0

    def on_epoch_begin(self, net, **kwargs) -> None:
        factor = (1 + math.cos(math.pi * self.epoch_ / self.max_epochs)) / 2
        for group, rate in zip(net.optimizer_.param_groups, self.rates_):
            group["lr"] = rate * factor
        self.epoch_ += 1


class SkmissingNet(NeuralNet):
    """skorch net over a :class:`TensorStore`, with an epoch loop of its own.

    Epoch hooks of callbacks always fire. Per-batch hooks fire, and skorch's own step
    runs, if a callback defines one; otherwise the loop does nothing per batch but
    gather, forward, backward and step.
    """

    def __init__(
        self,
        *args,
        valid_store: TensorStore | None = None,
        augment=None,
        seed: int = 0,
        **kwargs,
    ) -> None:
        self.valid_store = valid_store
        self.augment = augment
        self.seed = seed
        super().__init__(*args, **kwargs)

    @property
    def _default_callbacks(self) -> list:
        return [("epoch_timer", EpochTimer())]

    def notify(self, method_name: str, **kwargs) -> None:
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt:
            # How callbacks, early stopping among them, end a training.
            self._stopped = True
            raise

    def fit_loop(self, *args, **kwargs):
        self._stopped = False
        try:
            return super().fit_loop(*args, **kwargs)
        except KeyboardInterrupt as error:
            if self._stopped:
                return self
            raise _InterruptedError from error

    def fit(self, *args, **kwargs):
        try:
            return super().fit(*args, **kwargs)
        except _InterruptedError as error:
            # A half-trained net must not pass for a fitted one.
            raise KeyboardInterrupt from error

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        super().on_train_begin(net, X, y, **kwargs)
        for name, callback in self.callbacks_ if self.valid_store is None else ():
            monitor = getattr(callback, "monitor", None)
            if isinstance(monitor, str) and monitor.startswith("valid_"):
                raise ValueError(
                    f"Got {name!r} in callbacks, which monitors {monitor!r}, with no "
                    "validation rows, expected early_stopping=True or a monitor of "
                    "the training, such as 'train_loss_best'."
                )

    def get_split_datasets(self, X, y=None, **kwargs) -> tuple:
        return X, self.valid_store

    def get_iterator(self, dataset, training: bool = False) -> Batches:
        if not training:
            return Batches(dataset, max(self.batch_size, 256))
        generator = torch.Generator().manual_seed(self.seed)
        return Batches(dataset, self.batch_size, generator, self.augment)

    def _batch_hooks_wanted(self) -> bool:
        return any(
            getattr(type(callback), hook, None) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in _BATCH_HOOKS
        )

    def run_single_epoch(
        self, iterator, training: bool, prefix: str, step_fn, **kwargs
    ) -> None:
        if iterator is None:
            return
        if self._batch_hooks_wanted():
            self._run_with_hooks(iterator, training, prefix, step_fn)
        else:
            self._run_plain(iterator, training, prefix)
        if training:
            # Before rows that are held out are looked at, as prediction will.
            self.module_.remember(iterator.store)

    def _run_plain(self, iterator, training: bool, prefix: str) -> None:
        module, optimizer = self.module_, self.optimizer_
        module.train(training)
        total, mass, count = 0.0, 0.0, 0
        with torch.set_grad_enabled(training):
            for batch in iterator:
                loss = self.criterion_(module.row_losses(batch), batch.weight)
                if training:
                    optimizer.zero_grad(set_to_none=True)
                    loss.backward()
                    optimizer.step()
                    mass += len(batch)
                else:
                    # The weighted mean over the whole validation set.
                    mass += batch.weight.sum()
                total += loss.detach() * len(batch)
                count += 1
        self._record_loss(prefix, float(total / mass), count)
        # Some callbacks of skorch look for a batch in the history: the whole epoch.
        self.history.new_batch()
        self.history.record_batch(f"{prefix}_loss", float(total / mass))

    def _run_with_hooks(self, iterator, training: bool, prefix: str, step_fn) -> None:
        total, mass, count = 0.0, 0.0, 0
        for batch in iterator:
            pair = (batch, batch.y)
            self.notify("on_batch_begin", batch=pair, training=training)
            step = step_fn(pair)
            loss = float(step["loss"].detach())
            self.history.record_batch(f"{prefix}_loss", loss)
            self.history.record_batch(f"{prefix}_batch_size", len(batch))
            self.notify("on_batch_end", batch=pair, training=training, **step)
            total += loss * len(batch)
            mass += len(batch) if training else float(batch.weight.sum())
            count += 1
        self._record_loss(prefix, total / mass, count)

    def _record_loss(self, prefix: str, loss: float, n_batches: int) -> None:
        before = [row[f"{prefix}_loss"] for row in self.history[:-1]]
        self.history.record(f"{prefix}_loss", loss)
        # What callbacks look for that keep the best weights.
        self.history.record(f"{prefix}_loss_best", loss < min(before, default=math.inf))
        self.history.record(f"{prefix}_batch_count", n_batches)

    def train_step_single(self, batch, **kwargs) -> dict:
        self._set_training(True)
        losses = self.module_.row_losses(batch[0])
        loss = self.criterion_(losses, batch[0].weight)
        loss.backward()
        return {"loss": loss, "y_pred": self._scores(batch[0])}

    def validation_step(self, batch, **kwargs) -> dict:
        self._set_training(False)
        with torch.no_grad():
            losses = self.module_.row_losses(batch[0])
            loss = self.criterion_(losses, batch[0].weight)
        return {"loss": loss, "y_pred": self._scores(batch[0])}

    def _scores(self, batch):
        """Class scores for callbacks, without dropout and its random numbers."""
        self._set_training(False)
        with torch.no_grad():
            return self.module_.logits(batch)

    def predict(self, X):
        """Class indices, which is what scorers of skorch compare with."""
        return self.predict_proba(X).argmax(axis=1)


def make_net(
    module: nn.Module,
    params: dict[str, Any],
    device: torch.device,
    *,
    stops_early: bool,
    augment,
    seed: int,
    label: str,
    lr_factors: dict[str, float],
) -> SkmissingNet:
    """Put a module into a net that is ready to be fitted.

    ``params`` are the training parameters of an estimator, with ``batch_size`` a
    number of rows; ``lr_factors`` multiply the learning rate by pattern of the
    parameters' names; ``label`` stands beside the progress bar.
    """
    optimizer, lr = params["optimizer"], params["lr"]
    options: dict[str, Any] = {"optimizer__weight_decay": params["weight_decay"]}
    if lr_factors:
        options["optimizer__param_groups"] = [
            (pattern, {"lr": lr * factor}) for pattern, factor in lr_factors.items()
        ]
    if isinstance(optimizer, str):
        kind = OPTIMIZERS[optimizer]
        if optimizer == "sgd":
            # Not fused: with momentum that fails where a weight gets its first gradient
            # later than others, as those of a rare modality do.
            options["optimizer__momentum"] = 0.9
        else:
            options["optimizer__fused"] = device.type in ("cpu", "cuda")
    else:
        kind = optimizer
    used: list[Any] = []
    if stops_early:
        stopping = EarlyStopping(
            monitor="valid_loss",
            patience=params["n_iter_no_change"],
            load_best=True,
            sink=logger.debug,
        )
        used.append(("early_stopping", stopping))
    used.extend(_check_callbacks(params["callbacks"] or []))
    if params["verbose"]:
        used.append(("epoch_bar", EpochBar(params["max_epochs"], label)))
    return SkmissingNet(
        module,
        criterion=_WeightedMean,
        optimizer=kind,
        lr=lr,
        max_epochs=params["max_epochs"],
        batch_size=params["batch_size"],
        device=str(device),
        train_split=None,
        callbacks=used,
        augment=augment,
        seed=seed,
        verbose=0,
        **options,
    )


def restore_net(module: nn.Module, history, **settings) -> SkmissingNet:
    """Put a trained module into a net that predicts.

    ``settings`` are parameters of the net, its ``device`` among them.
    """
    net = SkmissingNet(
        module, criterion=_WeightedMean, train_split=None, verbose=0, **settings
    )
    net.initialize()
    net.history = history
    module.eval()
    return net


def _check_callbacks(callbacks: Sequence[Any]) -> Sequence[Any]:
    """Callbacks of skorch, their classes, or pairs of a name and one of these."""
    for item in callbacks:
        found = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        kind = found if isinstance(found, type) else type(found)
        if not issubclass(kind, Callback):
            raise TypeError(
                f"Got {item!r} in callbacks, expected callbacks of skorch, alone or as "
                "(name, callback)."
            )
    return callbacks
