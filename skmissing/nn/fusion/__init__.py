"""Parameter objects that describe how the codes of modalities are fused."""

from ._attention_fusion import AttentionFusion
from ._cmmd_fusion import CMMDFusion
from ._dynmm_fusion import DynMMFusion
from ._early_fusion import EarlyFusion
from ._fusion import Fusion
from ._gated_fusion import GatedFusion
from ._i2m2_fusion import I2M2Fusion
from ._late_fusion import LateFusion
from ._latent_fusion import LatentFusion
from ._m3care_fusion import M3CareFusion
from ._mtl_fusion import MTLFusion
from ._muse_fusion import MUSEFusion
from ._online_mae_fusion import OnlineMAEFusion
from ._pdf_fusion import PDFFusion
from ._product_of_experts import ProductOfExperts
from ._prompt_fusion import PromptFusion
from ._qmf_fusion import QMFFusion
from ._shaspec_fusion import ShaSpecFusion
from ._tmc_fusion import TMCFusion

__all__ = [
    "AttentionFusion",
    "CMMDFusion",
    "DynMMFusion",
    "EarlyFusion",
    "Fusion",
    "GatedFusion",
    "I2M2Fusion",
    "LateFusion",
    "LatentFusion",
    "M3CareFusion",
    "MTLFusion",
    "MUSEFusion",
    "OnlineMAEFusion",
    "PDFFusion",
    "ProductOfExperts",
    "PromptFusion",
    "QMFFusion",
    "ShaSpecFusion",
    "TMCFusion",
]
