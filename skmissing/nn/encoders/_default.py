"""The encoder of a modality that is not listed."""

from __future__ import annotations

from ..._utils._warn import warn_user
from ...exceptions import AmbiguousIntegerWarning
from ...modalities._multimodal_data import MultimodalData
from ...modalities._tokens import may_be_tokens, numeric_trait
from ._conv_encoder import ConvEncoder
from ._embedding_encoder import EmbeddingEncoder
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


def choose_encoder(data: MultimodalData, name: str) -> Encoder:
    """Encoder for a block by what is in it, which may be integer tokens."""
    shape = data.block_shapes[name]
    if not may_be_tokens(data, name):
        return default_encoder(shape)
    trait = numeric_trait(data, name)
    if trait is None:
        return EmbeddingEncoder()
    warn_user(
        f"Got integers of shape {shape} in the modality {name!r} without an encoder; "
        f"they are taken as numbers, because they have {trait}. List MLPEncoder() in "
        "encoders if they are, EmbeddingEncoder() if they are tokens.",
        AmbiguousIntegerWarning,
    )
    return default_encoder(shape)
