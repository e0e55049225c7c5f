"""Parameter objects that describe the net of one modality."""

from ._conv_encoder import ConvEncoder
from ._embedding_encoder import EmbeddingEncoder
from ._mlp_encoder import MLPEncoder
from ._module_encoder import ModuleEncoder
from ._sequence_encoder import SequenceEncoder

__all__ = [
    "ConvEncoder",
    "EmbeddingEncoder",
    "MLPEncoder",
    "ModuleEncoder",
    "SequenceEncoder",
]
