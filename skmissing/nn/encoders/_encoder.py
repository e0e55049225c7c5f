"""What the encoders of all modalities have in common."""

from __future__ import annotations

from math import prod

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

from ..._utils._checks import is_count
from ...modalities._scaling import BlockScaler, fit_scaler

# Share of NaN in a feature from which on it gets an indicator, by ``missing_features``.
INDICATED = {"mean": None, "auto": 0.05, "indicator": 0.0}


class Encoder(BaseEstimator):
    """Base of the parameter objects that describe the net of one modality.

    An encoder holds parameters only, in the manner of a scikit-learn estimator, so
    that it can be cloned and tuned. The torch module is made by :meth:`build`.
    """

    scale_inputs: bool | str = True
    missing_features: str = "mean"
    frozen: bool = False
    lr_factor: float = 1.0
    # Whether integers reach the module as integers; others get them as numbers.
    keeps_integers: bool = False
    # Whether integers are names, of which there is no mean.
    reads_tokens: bool = False

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        """Validate the parameters for a block of the given row shape.

        Parameters
        ----------
        name : str
            Modality, for error messages.
        shape : tuple of int
            Shape of one row of the block.
        """
        self._validate_params()

    def statistics_axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Axes of one row that share a mean and a standard deviation.

        Parameters
        ----------
        shape : tuple of int
            Shape of one row of the block.

        Returns
        -------
        tuple of int
            Empty: every feature has its own.
        """
        return ()

    def fit_scaler(
        self, name: str, block, rows: np.ndarray, weight: np.ndarray
    ) -> BlockScaler:
        """Learn from training rows what makes input of the module of a block.

        Parameters
        ----------
        name : str
            Modality, for error messages.
        block : array of shape (n, ...)
            The block.
        rows : ndarray of bool of shape (n,)
            Rows that have it.
        weight : ndarray of shape (n,)
            Weights of the rows.

        Returns
        -------
        BlockScaler
        """
        return fit_scaler(
            block,
            rows,
            weight,
            self.statistics_axes(block.shape[1:]),
            self.scale_inputs,
            keeps_integers=self.keeps_integers,
            indicate=INDICATED[self.missing_features],
        )

    def for_input(self, scaler: BlockScaler) -> Encoder:
        """The encoder for the input that a scaler makes.

        Parameters
        ----------
        scaler : BlockScaler
            What :meth:`fit_scaler` returned.

        Returns
        -------
        Encoder
        """
        return self

    def is_series(self, shape: tuple[int, ...]) -> bool:
        """Whether trailing all-NaN entries of the first axis are padding.

        Parameters
        ----------
        shape : tuple of int
            Shape of one row of the block.

        Returns
        -------
        bool
        """
        return False

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        """Make the torch module.

        Parameters
        ----------
        shape : tuple of int
            Shape of one row of the block.

        Returns
        -------
        torch.nn.Module
            Maps ``(n, *shape)`` to ``(n, out_features)``; has that attribute.
        """
        raise TypeError(f"{type(self).__name__} does not build a module.")

    def _expect_ndim(self, name: str, shape: tuple[int, ...], ndim: int, what: str):
        if len(shape) != ndim:
            raise ValueError(
                f"Got shape {shape} per row for the modality {name!r} with "
                f"{type(self).__name__}, expected {what}."
            )


class EncoderModule(nn.Module):
    """A body that ends in a vector, with the width of that vector."""

    def __init__(self, body: nn.Module, out_features: int) -> None:
        super().__init__()
        self.body = body
        self.out_features = out_features

    def forward(self, x, lengths=None):
        return self.body(x)


def flat_size(shape: tuple[int, ...]) -> int:
    """Number of values in one row of a block."""
    return prod(shape)


def check_widths(parameter: str, widths) -> None:
    """Refuse anything but a non-empty sequence of positive integers."""
    if len(widths) == 0 or not all(is_count(w) for w in widths):
        raise ValueError(
            f"Got {parameter}={widths!r}, expected a non-empty sequence of positive "
            "integers."
        )
