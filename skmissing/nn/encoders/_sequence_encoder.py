"""Encoder for series."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval, StrOptions
from ._encoder import Encoder


@stores_parameters
class SequenceEncoder(Encoder):
    """Net for blocks of shape (time steps, channels), with rows of different length.

    Time steps at the end of a row that are NaN in every channel are padding: they
    change neither the code nor the statistics.

    Parameters
    ----------
    kind : {"gru", "conv"}, default="gru"
        A gated recurrent net whose code is its state at the last step, or temporal
        convolutions whose code is the mean over the steps.
    hidden_size : int, default=64
        Width of the layers and of the code.
    n_layers : int, default=1
        Number of layers.
    kernel_size : int, default=5
        Width of the temporal filters, in time steps; odd. Only for ``kind="conv"``.
    dropout : float in [0, 1), default=0.0
        Share of the code dropped in training.
    scale_inputs : bool or "auto", default="auto"
        Standardise every channel with the mean and standard deviation over the steps
        of the training rows that have the block. "auto": channels with heavy tails,
        which have values more than 6 standard deviations from their mean, become normal
        scores of their ranks among these steps.
    missing_features : {"auto", "indicator", "mean"}, default="auto"
        NaN channels of a present block get the mean. "indicator": each channel with NaN
        in training rows also gets an input that is 1 where it is NaN; "auto": those
        that are NaN in at least 5 % of them.
    lr_factor : float, default=1.0
        Factor on the estimator's learning rate for the weights of this encoder.

    Examples
    --------
    >>> from skmissing.nn import SequenceEncoder
    >>> SequenceEncoder(kind="conv", hidden_size=32)
    SequenceEncoder(hidden_size=32, kind='conv')
    """

    kind: str = "gru"
    hidden_size: int = 64
    n_layers: int = 1
    kernel_size: int = 5
    dropout: float = 0.0
    scale_inputs: bool | str = "auto"
    missing_features: str = "auto"
    lr_factor: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "kind": [StrOptions({"gru", "conv"})],
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "scale_inputs": ["boolean", StrOptions({"auto"})],
        "missing_features": [StrOptions({"auto", "indicator", "mean"})],
        "lr_factor": [Interval(Real, 0, None, closed="neither")],
    }

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        super().check(name, shape)
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"Got kernel_size={self.kernel_size} for the modality {name!r}, "
                "expected an odd number."
            )
        self._expect_ndim(name, shape, 2, "(time steps, channels)")

    def statistics_axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (0,)

    def is_series(self, shape: tuple[int, ...]) -> bool:
        return True

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        if self.kind == "gru":
            return _Recurrent(
                shape[1], int(self.hidden_size), int(self.n_layers), self.dropout
            )
        return _Convolutional(
            shape[1],
            int(self.hidden_size),
            int(self.n_layers),
            int(self.kernel_size),
            self.dropout,
        )


class _Recurrent(nn.Module):
    def __init__(self, depth: int, width: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.rnn = nn.GRU(depth, width, n_layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.out_features = width

    def forward(self, x, lengths=None):
        # One direction only, so the state at the last real step has not seen padding.
        states, _ = self.rnn(x)
        if lengths is None:
            last = states[:, -1]
        else:
            rows = torch.arange(len(x), device=x.device)
            last = states[rows, lengths - 1]
        return self.dropout(last)


class _Convolutional(nn.Module):
    def __init__(
        self, depth: int, width: int, n_layers: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(depth if i == 0 else width, width, kernel, padding=kernel // 2)
            for i in range(n_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.out_features = width

    def forward(self, x, lengths=None):
        x = x.transpose(1, 2)
        if lengths is None:
            real, count = None, x.shape[2]
        else:
            steps = torch.arange(x.shape[2], device=x.device)
            real = (steps < lengths[:, None]).to(x.dtype)[:, None, :]
            count = lengths[:, None].to(x.dtype)
            x = x * real
        for layer in self.layers:
            x = torch.relu(layer(x))
            if real is not None:
                # Keeps what stands behind the end at zero for the next layer.
                x = x * real
        return self.dropout(x.sum(dim=2) / count)
