"""Callbacks of scikit-learn: a fit, its nets and their epochs as tasks.

The methods through which estimators report are young in scikit-learn; they are called
in this file alone.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from sklearn.callback import CallbackContext, CallbackSupportMixin, with_callbacks
from skorch.callbacks import Callback

from ._engine import restore_net
from ._fitted_net import FittedNet

# From a net to what its estimator would have learnt, had training ended now.
Attributes = Callable[[FittedNet], dict[str, Any]]


@dataclass
class Reports:
    """A fit that callbacks follow, and what they may ask for."""

    estimator: Any
    context: CallbackContext
    asked: dict[str, Any]

    def start_net(self, label: str, max_epochs: int) -> CallbackContext:
        """The task of one net, whose subtasks are epochs."""
        name = f"train {label}"
        task = self.context.subcontext(task_name=name, max_subtasks=max_epochs)
        self.begin(task)
        return task

    def begin(self, task: CallbackContext) -> None:
        """Tell callbacks that a task begins."""
        task.call_on_fit_task_begin(estimator=self.estimator, **self.asked)

    def end(self, task: CallbackContext, attributes=None) -> bool:
        """Tell callbacks that a task is over; whether one asks to stop."""
        return bool(
            task.call_on_fit_task_end(
                estimator=self.estimator,
                **self.asked,
                reconstruction_attributes=attributes,
            )
        )


class ReportingMixin(CallbackSupportMixin):
    """``set_callbacks`` for estimators whose ``fit`` trains nets."""

    def _start_reports(self, X, y, sample_weight) -> Reports:
        """Begin the task of a fit."""
        context = self._init_callback_context(max_subtasks=None)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        reports = Reports(self, context, {"X": X, "y": y, "metadata": metadata})
        reports.begin(context)
        followed = bool(getattr(self, "_skl_callbacks", ()))
        self._reports: Reports | None = reports if followed else None
        return reports


def reports_fit(fit: Callable) -> Callable:
    """Report a ``fit``, and let callbacks go when it is over, however it ends."""

    @functools.wraps(fit)
    @with_callbacks
    def wrapper(self, X, y=None, sample_weight=None, groups=None):
        reports = self._start_reports(X, y, sample_weight)
        try:
            fit(self, X, y, sample_weight, groups)
        finally:
            self.__dict__.pop("_reports", None)
        # Everything that was learnt is in place.
        reports.end(reports.context, dict)
        return self

    return wrapper


def drop_reports(net) -> None:
    """Take the reports out of a net that is trained."""
    for name in ("callbacks", "callbacks_"):
        kept = [item for item in getattr(net, name) if not _is_report(item)]
        setattr(net, name, kept)


def _is_report(item) -> bool:
    return isinstance(item, tuple) and item[0] == "epoch_reports"


class EpochReports(Callback):
    """Hands the epochs of one net to callbacks of scikit-learn."""

    def __init__(
        self,
        reports: Reports,
        fitted: FittedNet,
        label: str,
        attributes: Attributes | None,
    ) -> None:
        self.reports = reports
        self.fitted = fitted
        self.label = label
        self.attributes = attributes
        self.task: Any = None
        self.epoch: Any = None

    def on_train_begin(self, net, **kwargs) -> None:  # noqa: ARG002
        self.task = self.reports.start_net(self.label, net.max_epochs)

    def on_epoch_begin(self, net, **kwargs) -> None:  # noqa: ARG002
        self.epoch = self.task.subcontext(task_name="epoch")
        self.reports.begin(self.epoch)

    def on_epoch_end(self, net, **kwargs) -> None:  # noqa: ARG002
        epoch, self.epoch = self.epoch, None
        if self.reports.end(epoch, self._attributes()):
            # How callbacks of skorch end a training.
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs) -> None:  # noqa: ARG002
        if self.epoch is not None:
            # Another callback ended the training in this epoch.
            self.reports.end(self.epoch, self._attributes())
        self.reports.end(self.task)

    def _attributes(self) -> Callable[[], dict[str, Any]] | None:
        """What makes a copy of the estimator predict, made only if it is asked for."""
        if self.attributes is None:
            return None
        return functools.partial(self._learnt, self.attributes)

    def _learnt(self, attributes: Attributes) -> dict[str, Any]:
        net = self.fitted.net
        with torch.random.fork_rng(devices=[]):
            module = copy.deepcopy(net.module_)
            module.freeze([])
            so_far = restore_net(module, net.history, device=str(net.device))
        return attributes(replace(self.fitted, net=so_far))
