"""The scikit-learn face of every net in the package."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import replace
from textwrap import shorten
from typing import Any, ClassVar

import numpy as np

from .._estimation._classifier_mixin import MultimodalClassifierMixin
from .._estimation._rows import LabelledRows, check_training_rows, warn_unobserved
from .._utils._parameters import stores_parameters
from .._utils._random import local_random_state
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import StrOptions, _fit_context
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from ._callbacks import reports_fit
from ._criterion import CRITERIA
from ._encoder_bank import EncoderBank
from ._fitted_net import FittedNet
from ._net_features import NetFeatures
from ._net_parameters import NetParameters
from ._runtime import torch_threads
from ._task import TaskModule
from ._training import TrainingPlan, TrainingTask, train_net
from .encoders._encoder import Encoder

# Parameters of encoders that a warm start may change.
OF_TRAINING = ("frozen", "lr_factor")
# Of a value in a message: that of a module may be a whole page.
MOST_LETTERS = 100


@stores_parameters
class BaseNetClassifier(MultimodalClassifierMixin, NetFeatures, NetParameters):
    """Common parameters, validation and prediction of the classifiers with a net.

    Subclasses declare their parameters and train in :meth:`_fit_rows`. What
    :meth:`_train` fits also predicts; a subclass that predicts otherwise defines
    :meth:`_log_proba`, for rows with any modality that is :meth:`_usable`.

    Parameters
    ----------
    criterion : {"cross_entropy", "focal"} or callable, default="cross_entropy"
        Loss that the net is trained with: a loss of torch that takes class scores and
        class indices, such as ``torch.nn.CrossEntropyLoss(label_smoothing=0.1)``, or a
        function of both that returns a loss for each row. Reductions of torch losses
        are switched off, and sample weights applied. The object given is copied.
        "focal": :class:`~skmissing.nn.FocalLoss`.
    class_weight : dict, "balanced" or None, default=None
        Factors on the weights of the rows of each class.
    warm_start : bool, default=False
        Start from the weights of the former ``fit``, with its statistics. Of encoders
        only ``frozen`` and ``lr_factor`` may have changed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted share of each class; the prediction for rows without any modality.
    encoders_ : dict of str to encoder
        The encoder of each modality, defaults included; parameters only.
    """

    criterion: Any = "cross_entropy"
    class_weight: Any = None
    warm_start: bool = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "criterion": [StrOptions(set(CRITERIA)), callable],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "warm_start": ["boolean"],
    }
    # Own parameters that may differ from those of the former fit on a warm start.
    _not_of_the_net: ClassVar[tuple[str, ...]] = ()

    # -- fit ---------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    @reports_fit
    @restore_on_error
    def fit(self, X, y, sample_weight=None, groups=None):
        """Train on rows with any pattern of missing modalities.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The modalities; see the user guide on data.
        y : array of shape (n_samples,)
            Class labels of any type.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. A row of weight 0 counts as absent; only ratios matter.
        groups : array of shape (n_samples,), default=None
            Rows of one group stay together in the validation split.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For data, labels or parameters that cannot be used; the estimator is then
            as it was before.
        """
        before = dict(self.__dict__)
        data = check_multimodal(self, X, self.modalities, reset=True)
        rows = check_training_rows(
            self, data, y, sample_weight, groups, self.class_weight
        )
        warm = bool(self.warm_start) and "classes_" in before
        encoders = self._resolve_encoders(
            rows.data, before["encoders_"] if warm else None
        )
        described = self._describe_net(encoders)
        if warm:
            self._check_same_task(before, rows, described)
            # The former net knows its modalities by their order.
            self.modality_names_in_ = before["modality_names_in_"]
            rows = replace(rows, data=rows.data.select(list(self.modality_names_in_)))
        self._net_description = described
        rng = local_random_state(self.random_state)
        self._fit_rows(TrainingTask(rows, encoders, rng, warm))
        # Copies: set_params changes those of the user.
        self.encoders_ = {name: copy(encoder) for name, encoder in encoders.items()}
        self.classes_ = rows.classes
        self.class_prior_ = rows.prior
        return self

    def _training_params(self) -> dict[str, Any]:
        return {**super()._training_params(), "criterion": self.criterion}

    @abstractmethod
    def _fit_rows(self, task: TrainingTask) -> None:
        """Train; set ``net_`` (or ``nets_``) and what prediction needs."""

    def _train(
        self, task: TrainingTask, build: Callable[[EncoderBank], TaskModule], **plan
    ) -> None:
        """Train one net, further than the former one on a warm start."""
        self._fitted: FittedNet = train_net(
            self._training_params(),
            task.rows,
            task.encoders,
            build,
            task.rng,
            TrainingPlan(
                label=type(self).__name__,
                retune=self._retune,
                attributes=lambda fitted: {
                    "_fitted": fitted,
                    "classes_": task.rows.classes,
                    "class_prior_": task.rows.prior,
                },
                **plan,
            ),
            warm=self._fitted if task.warm else None,
        )
        warn_unobserved(task.rows.data.names, self._fitted.used)
        self.net_ = self._fitted.net
        self.n_iter_: Any = len(self.net_.history)

    def _retune(self, module) -> None:
        """Give a module that goes on the present parameters of its loss."""

    def _describe_net(self, encoders: dict[str, Encoder]) -> dict[str, str]:
        """What the net is made of, to compare with on a warm start."""
        common = BaseNetClassifier._get_param_names()
        free = {
            name
            for kind in type(self).__mro__
            for name in vars(kind).get("_not_of_the_net", ())
        }
        own = [
            name
            for name in self._get_param_names()
            if name not in common and name not in free
        ]
        out = {name: repr(getattr(self, name)) for name in own}
        for modality, encoder in encoders.items():
            label = f"encoder of {modality}"
            out[label] = type(encoder).__name__
            for name, value in encoder.get_params(deep=False).items():
                if name not in OF_TRAINING:
                    out[f"{name} of the {label}"] = repr(value)
        return out

    def _check_same_task(
        self, before: dict, rows: LabelledRows, described: dict[str, str]
    ) -> None:
        for name, value in before["_net_description"].items():
            if described.get(name, value) != value:
                given, former = (
                    shorten(text, MOST_LETTERS) for text in (described[name], value)
                )
                if given == former:
                    former = "another one"
                raise ValueError(
                    f"Got {name}={given} with warm_start=True, expected {former} as in "
                    "the former fit."
                )
        same = (
            np.array_equal(before["classes_"], rows.classes)
            and before["modality_shapes_in_"] == self.modality_shapes_in_
        )
        if not same:
            raise ValueError(
                f"Got classes {rows.classes.tolist()} and modalities "
                f"{self.modality_shapes_in_} with warm_start=True, expected those of "
                f"the former fit: {before['classes_'].tolist()} and "
                f"{before['modality_shapes_in_']}."
            )

    def unimodal_net(self, name: str) -> FittedNet | None:
        """The net of one modality alone, for estimators that build on it.

        Parameters
        ----------
        name : str
            The modality.

        Returns
        -------
        FittedNet or None
            None where this estimator has no such net.
        """
        # Those that train nets of single modalities keep them here.
        nets: dict[str, FittedNet] = getattr(self, "_nets", {})
        return nets.get(name)

    # -- predict -----------------------------------------------------------------------

    def _usable(self, data: MultimodalData) -> np.ndarray:
        """Present mask without modalities that were never seen in training."""
        return self._fitted.usable(data)

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        return self._fitted.log_proba(data)

    def _answerable(self, data: MultimodalData) -> np.ndarray:
        return np.asarray(self._usable(data).any(axis=1))

    def _while_predicting(self) -> AbstractContextManager:
        return torch_threads(self.n_threads)
