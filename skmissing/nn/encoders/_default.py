"""The encoder of a modality that is not listed."""

from __future__ import annotations

from ._conv_encoder import ConvEncoder
from ._encoder import Encoder
from ._mlp_encoder import MLPEncoder
from ._sequence_encoder import SequenceEncoder


def default_encoder(shape: tuple[int, ...]) -> Encoder:
    """Encoder for a block by the shape of one row of it.

    Parameters
    ----------
    shape : tuple of int
        ``(C, H, W)`` gets a convolutional net, ``(T, F)`` a recurrent one, any other
        else a multilayer perceptron over its flat values.

    Returns
    -------
    Encoder
    """
    if len(shape) == 3:
        return ConvEncoder()
    if len(shape) == 2:
        return SequenceEncoder()
    return MLPEncoder()
