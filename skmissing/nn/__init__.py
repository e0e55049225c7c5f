"""Encoders and the training engine. Importing this subpackage imports torch."""

from .encoders import (
    ConvEncoder,
    EmbeddingEncoder,
    MLPEncoder,
    ModuleEncoder,
    SequenceEncoder,
)

__all__ = [
    "ConvEncoder",
    "EmbeddingEncoder",
    "MLPEncoder",
    "ModuleEncoder",
    "SequenceEncoder",
]
