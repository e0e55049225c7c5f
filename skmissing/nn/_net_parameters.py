"""Parameters that all estimators with a net share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from .._utils._named_parts import NamedParts, named_pairs
from .._utils._sklearn_compat import Interval, StrOptions
from ..modalities._multimodal_data import MultimodalData
from ._engine import OPTIMIZERS
from ._runtime import DTYPES
from .encoders._default import default_encoder
from .encoders._encoder import Encoder

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


class NetParameters(NamedParts, BaseEstimator):
    """Common parameters, those of encoders among them, and their validation."""

    encoders: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "modalities": [dict, list, tuple, None],
        "encoders": [dict, list, tuple, None],
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

    def set_params(self, **params) -> NetParameters:
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

    def _training_params(self) -> dict[str, Any]:
        """The common parameters by name; those that a class does not have are None."""
        return {name: getattr(self, name, None) for name in COMMON_PARAMETERS}

    def _resolve_encoders(self, data: MultimodalData) -> dict[str, Encoder]:
        """One checked encoder for every modality: the user's or the default."""
        given: dict[str, Encoder] = {}
        own = set(super()._get_param_names())
        for pair in named_pairs(self.encoders):
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
