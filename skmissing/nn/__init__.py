"""Encoders and the training engine. Importing this subpackage imports torch."""

from .encoders import ConvEncoder, MLPEncoder, ModuleEncoder, SequenceEncoder

__all__ = ["ConvEncoder", "MLPEncoder", "ModuleEncoder", "SequenceEncoder"]
