"""Encoders and the training engine. Importing this subpackage imports torch."""

from .encoders._conv_encoder import ConvEncoder
from .encoders._mlp_encoder import MLPEncoder
from .encoders._module_encoder import ModuleEncoder
from .encoders._sequence_encoder import SequenceEncoder

__all__ = ["ConvEncoder", "MLPEncoder", "ModuleEncoder", "SequenceEncoder"]
