"""Encoder for vectors."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval, StrOptions
from ._encoder import Encoder, EncoderModule, check_widths, flat_size

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
}


@stores_parameters
class MLPEncoder(Encoder):
    """Multilayer perceptron over the flat values of a block.

    Parameters
    ----------
    hidden : sequence of int, default=(64, 64)
        Widths of the layers. The last one is the width of the code.
    activation : {"relu", "tanh", "gelu"}, default="relu"
        Applied after every layer.
    dropout : float in [0, 1), default=0.0
        Share of hidden units dropped in training, after every layer.
    scale_inputs : bool or "auto", default="auto"
        Standardise every feature with the mean and standard deviation of the training
        rows that have the block. "auto": features with heavy tails, which have values
        more than 6 standard deviations from their mean, become normal scores of their
        ranks among these rows.
    missing_features : {"auto", "indicator", "mean"}, default="auto"
        NaN features of a present block get the mean. "indicator": each feature with NaN
        in training rows also gets an input that is 1 where it is NaN; "auto": those
        that are NaN in at least 5 % of them.
    lr_factor : float, default=1.0
        Factor on the estimator's learning rate for the weights of this encoder.

    See Also
    --------
    ConvEncoder : For images.
    SequenceEncoder : For series.
    ModuleEncoder : For any torch module, pre-trained ones included.

    Examples
    --------
    >>> from skmissing.nn import MLPEncoder
    >>> MLPEncoder(hidden=(32,)).get_params()["hidden"]
    (32,)
    """

    hidden: Sequence[int] = (64, 64)
    activation: str = "relu"
    dropout: float = 0.0
    scale_inputs: bool | str = "auto"
    missing_features: str = "auto"
    lr_factor: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "scale_inputs": ["boolean", StrOptions({"auto"})],
        "missing_features": [StrOptions({"auto", "indicator", "mean"})],
        "lr_factor": [Interval(Real, 0, None, closed="neither")],
    }

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        super().check(name, shape)
        check_widths("hidden", self.hidden)

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        layers: list[nn.Module] = [nn.Flatten()]
        width = flat_size(shape)
        for size in self.hidden:
            layers += [nn.Linear(width, int(size)), ACTIVATIONS[self.activation]()]
            if self.dropout > 0:
                layers.append(nn.Dropout(self.dropout))
            width = int(size)
        return EncoderModule(nn.Sequential(*layers), width)
