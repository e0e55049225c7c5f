"""Parameters that all estimators with a net share."""

from __future__ import annotations

from dataclasses import fields
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from .._utils._checks import check_known
from .._utils._named_parts import NamedParts
from .._utils._parameters import stores_parameters
from .._utils._sklearn_compat import Interval, StrOptions
from ..modalities._multimodal_data import MultimodalData
from ._callbacks import ReportingMixin
from ._engine import OPTIMIZERS
from ._runtime import DTYPES
from .encoders._default import choose_encoder, default_encoder
from .encoders._encoder import Encoder


@stores_parameters
class NetParameters(ReportingMixin, NamedParts, BaseEstimator):
    """Common parameters, those of encoders among them, and their validation.

    Parameters
    ----------
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    encoders : dict of str to encoder, or list of pairs, default=None
        Encoder of each modality, such as ``{"image": ConvEncoder(channels=(8, 16))}``;
        its parameters are then reached as ``image__channels``. Modalities that are not
        listed, and None, get one by the shape of the block: a convolutional net for
        ``(C, H, W)``, a recurrent one for ``(T, F)``, embeddings for integer tokens
        ``(T,)`` in a container, else a multilayer perceptron.
    max_epochs : int, default=50
        Passes over the training rows.
    lr : float, default=1e-3
        Learning rate.
    batch_size : int, "auto" or None, default="auto"
        Rows in a batch. "auto" grows with the number of rows, from 8 to 128; None takes
        all rows at once.
    optimizer : {"adamw", "adam", "sgd"} or callable, default="adamw"
        "sgd" has a momentum of 0.9. A callable takes parameter groups, ``lr`` and
        ``weight_decay``, as the classes in ``torch.optim`` do.
    weight_decay : float, default=0.0
        Weight decay.
    early_stopping : bool or "auto", default="auto"
        Hold rows out and stop when their loss no longer falls; the best weights are
        restored. "auto": from 100 training rows on.
    validation_fraction : float in (0, 1), default=0.1
        Share of rows (of groups, where given) held out for early stopping.
    n_iter_no_change : int, default=10
        Epochs without a better validation loss before training stops.
    dtype : {"float32", "float64"}, default="float32"
        Arithmetic of the net. Statistics are float64 in any case.
    device : str, default="auto"
        A torch device, or "auto" for a CUDA device where there is one.
    n_threads : int, default=None
        Threads of one torch operation, in ``fit`` and ``predict``. None leaves torch's
        setting. Results repeat exactly for the same number of threads.
    callbacks : list of skorch callbacks, default=None
        Called during training.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState instance or None, default=None
        Source of every random number in ``fit``. The global generators of NumPy and
        torch are left as they are; None draws a fresh seed.

    Attributes
    ----------
    modality_names_in_ : ndarray of str
        Names of the modalities seen in ``fit``.
    modality_shapes_in_ : dict of str to tuple of int
        Shape of one row of each modality.
    n_features_in_ : int
        Columns of a 2-D X, number of modalities of a MultimodalData.
    feature_names_in_ : ndarray of str
        Only for data frames with string column names.
    """

    modalities: Any = None
    encoders: dict | list | None = None
    max_epochs: int = 50
    lr: float = 1e-3
    batch_size: int | str | None = "auto"
    optimizer: Any = "adamw"
    weight_decay: float = 0.0
    early_stopping: bool | str = "auto"
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    dtype: str = "float32"
    device: str = "auto"
    n_threads: int | None = None
    callbacks: list | None = None
    verbose: int = 0
    random_state: Any = None

    _parts = "encoders"
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
        "dtype": [StrOptions(set(DTYPES))],
        "device": [str],
        # Far more threads than that end the process.
        "n_threads": [Interval(Integral, 1, 1024, closed="both"), None],
        "callbacks": [list, tuple, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def _shown_parts(self) -> dict[str, Any]:
        return {**super()._shown_parts(), **getattr(self, "encoders_", {})}

    def _training_params(self) -> dict[str, Any]:
        """The common parameters by name, and who follows the fit, if anybody does."""
        params = {f.name: getattr(self, f.name) for f in fields(NetParameters)}
        return {**params, "reports": getattr(self, "_reports", None)}

    def _embeds_tokens(self) -> bool:
        """Whether integers without an encoder may be taken as tokens."""
        # Columns of a table are numbers.
        return getattr(self, "column_layout_", None) is None

    def _resolve_encoders(
        self, data: MultimodalData, former: dict[str, Encoder] | None = None
    ) -> dict[str, Encoder]:
        """One checked encoder for every modality: the user's or the default.

        Defaults of a ``former`` fit stay, whatever the data look like now.
        """
        given = self._checked_parts("encoder")
        check_known("an encoder for", given, data.names)
        for name, encoder in given.items():
            if isinstance(encoder, type):
                raise TypeError(
                    f"Got the class {encoder.__name__} as encoder of {name!r}, "
                    f"expected an object, such as {encoder.__name__}(...)."
                )
            if encoder is not None and not isinstance(encoder, Encoder):
                raise TypeError(
                    f"Got a {type(encoder).__name__} as encoder of {name!r}, expected "
                    "an encoder of skmissing.nn; ModuleEncoder takes torch modules."
                )
        out = {}
        for name, shape in data.block_shapes.items():
            encoder = given.get(name)
            if encoder is None:
                encoder = (former or {}).get(name)
            if encoder is None:
                embeds = self._embeds_tokens()
                encoder = (
                    choose_encoder(data, name) if embeds else default_encoder(shape)
                )
            encoder.check(name, shape)
            out[name] = encoder
        return out
