"""Parameter objects that describe how the codes of modalities are fused."""

from ._attention_fusion import AttentionFusion
from ._dynmm_fusion import DynMMFusion
from ._early_fusion import EarlyFusion
from ._fusion import Fusion
from ._gated_fusion import GatedFusion
from ._i2m2_fusion import I2M2Fusion
from ._late_fusion import LateFusion
from ._latent_fusion import LatentFusion
from ._mtl_fusion import MTLFusion
from ._product_of_experts import ProductOfExperts
from ._qmf_fusion import QMFFusion
from ._shaspec_fusion import ShaSpecFusion
from ._tmc_fusion import TMCFusion

__all__ = [
    "AttentionFusion",
    "DynMMFusion",
    "EarlyFusion",
    "Fusion",
    "GatedFusion",
    "I2M2Fusion",
    "LateFusion",
    "LatentFusion",
    "MTLFusion",
    "ProductOfExperts",
    "QMFFusion",
    "ShaSpecFusion",
    "TMCFusion",
]
