"""Encoders, fusions and the training engine. Importing it imports torch."""

from ._focal_loss import FocalLoss
from .encoders import (
    ConvEncoder,
    EmbeddingEncoder,
    MLPEncoder,
    ModuleEncoder,
    SequenceEncoder,
)
from .fusion import (
    AttentionFusion,
    DynMMFusion,
    EarlyFusion,
    Fusion,
    GatedFusion,
    I2M2Fusion,
    LateFusion,
    LatentFusion,
    MTLFusion,
    ProductOfExperts,
    QMFFusion,
    ShaSpecFusion,
    TMCFusion,
)

__all__ = [
    "AttentionFusion",
    "ConvEncoder",
    "DynMMFusion",
    "EarlyFusion",
    "EmbeddingEncoder",
    "FocalLoss",
    "Fusion",
    "GatedFusion",
    "I2M2Fusion",
    "LateFusion",
    "LatentFusion",
    "MLPEncoder",
    "MTLFusion",
    "ModuleEncoder",
    "ProductOfExperts",
    "QMFFusion",
    "SequenceEncoder",
    "ShaSpecFusion",
    "TMCFusion",
]
