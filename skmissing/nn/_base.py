"""The scikit-learn face of every net in the package."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import _BaseComposition

from .._classify import MultimodalClassifierMixin
from .._fit import restore_on_error
from .._random import local_random_state
from .._target import TrainingRows, check_training_rows
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from ._encoder import Encoder, default_encoder
from ._engine import OPTIMIZERS
from ._feed import FittedNet
from ._runtime import DTYPES, torch_threads

COMMON_PARAMETERS = (
    "encoders",
    "max_epochs",
    "lr",
    "batch_size",
    "optimizer",
    "weight_decay",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "class_weight",
    "dtype",
    "device",
    "n_threads",
    "callbacks",
    "warm_start",
    "verbose",
    "random_state",
)


class BaseNetClassifier(MultimodalClassifierMixin, _BaseComposition, BaseEstimator):
    """Common parameters, validation and prediction of the classifiers with a net.

    Subclasses store their parameters, train in :meth:`_fit_rows` and answer in
    :meth:`_log_proba`, for rows that :meth:`_usable` leaves something of.
    """

    # Own parameters that may differ from those of the former fit on a warm start.
    _not_of_the_net: tuple[str, ...] = ("n_jobs", "modality_dropout", "dropout_scheme")

    _parameter_constraints: dict[str, list[Any]] = {
        "modalities": [dict, list, tuple, None],
        "encoders": [list, tuple, None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
            None,
        ],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "dtype": [StrOptions(set(DTYPES))],
        "device": [str],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def get_params(self, deep: bool = True) -> dict:
        """Parameters of this estimator and of its encoders.

        Parameters
        ----------
        deep : bool, default=True
            Include ``modality__parameter`` for the encoders in the list.

        Returns
        -------
        dict
        """
        return self._get_params("encoders", deep=deep)

    def set_params(self, **params: Any) -> BaseNetClassifier:
        """Set parameters, ``modality__parameter`` for those of an encoder.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self
        """
        self._set_params("encoders", **params)
        return self

    # -- fit ---------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    @restore_on_error
    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Any:
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
        encoders = self._resolve_encoders(rows.data)
        warm = bool(self.warm_start) and "classes_" in before
        described = self._describe_net(encoders)
        if warm:
            self._check_same_task(before, rows, described)
            # The former net knows its modalities by their order.
            self.modality_names_in_ = before["modality_names_in_"]
            rows.data = rows.data.select(list(self.modality_names_in_))
        self._net_description = described
        self._fit_rows(rows, encoders, local_random_state(self.random_state), warm)
        self.classes_ = rows.classes
        self.class_prior_ = rows.prior()
        return self

    @abstractmethod
    def _fit_rows(
        self,
        rows: TrainingRows,
        encoders: dict[str, Encoder],
        rng: np.random.RandomState,
        warm: bool,
    ) -> None:
        """Train; set ``net_`` (or ``nets_``) and what prediction needs."""

    def _training_params(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in COMMON_PARAMETERS}

    def _describe_net(self, encoders: dict[str, Encoder]) -> dict[str, str]:
        """What the net is made of, to compare with on a warm start."""
        own = [
            name
            for name in self._parameter_constraints
            if name not in BaseNetClassifier._parameter_constraints
            and name not in self._not_of_the_net
        ]
        out = {name: repr(getattr(self, name)) for name in own}
        return {**out, **{f"encoder of {k}": repr(e) for k, e in encoders.items()}}

    def _check_same_task(
        self, before: dict, rows: TrainingRows, described: dict[str, str]
    ) -> None:
        for name, value in before["_net_description"].items():
            if described.get(name, value) != value:
                raise ValueError(
                    f"Got {name}={described[name]} with warm_start=True, expected "
                    f"{value} as in the former fit."
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

    def _resolve_encoders(self, data: MultimodalData) -> dict[str, Encoder]:
        """One checked encoder for every modality: the user's or the default."""
        given: dict[str, Encoder] = {}
        own = set(super()._get_param_names())
        for pair in self.encoders or []:
            if not (isinstance(pair, tuple) and len(pair) == 2):
                raise ValueError(
                    f"Got {pair!r} in encoders, expected (modality, encoder) pairs."
                )
            name, encoder = pair
            if name in own:
                raise ValueError(
                    f"Got an encoder named {name!r}, expected a name other than the "
                    f"parameter {name!r} of {type(self).__name__}; rename the modality."
                )
            if not isinstance(name, str) or "__" in name:
                raise ValueError(
                    f"Got an encoder named {name!r} for {type(self).__name__}, "
                    "expected the name of a modality, without '__'."
                )
            if name in given:
                raise ValueError(
                    f"Got two encoders for the modality {name!r}, expected one."
                )
            if name not in data.names:
                raise ValueError(
                    f"Got an encoder for the unknown modality {name!r}, expected some "
                    f"of {data.names}."
                )
            if not isinstance(encoder, Encoder):
                raise TypeError(
                    f"Got a {type(encoder).__name__} as encoder of {name!r}, expected "
                    "an encoder of skmissing.nn; ModuleEncoder takes torch modules."
                )
            given[name] = encoder
        out = {}
        for name, shape in data.block_shapes.items():
            encoder = given.get(name)
            encoder = default_encoder(shape) if encoder is None else encoder
            encoder.check(name, shape)
            out[name] = encoder
        return out

    def _unimodal_net(self, name: str) -> FittedNet | None:
        """The net of one modality alone, to build on; None if there is none."""
        return None

    # -- predict -----------------------------------------------------------------------

    @abstractmethod
    def _usable(self, data: MultimodalData) -> np.ndarray:
        """Present mask without modalities that were never seen in training."""

    def _answerable(self, data: MultimodalData) -> np.ndarray:
        return np.asarray(self._usable(data).any(axis=1))

    def _while_predicting(self) -> AbstractContextManager:
        return torch_threads(self.n_threads)
