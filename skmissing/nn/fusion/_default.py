"""Fusions by their short names."""

from __future__ import annotations

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

FUSIONS: dict[str, type[Fusion]] = {
    "early": EarlyFusion,
    "late": LateFusion,
    "attention": AttentionFusion,
    "gated": GatedFusion,
    "product": ProductOfExperts,
    "mtl": MTLFusion,
    "i2m2": I2M2Fusion,
    "shaspec": ShaSpecFusion,
    "qmf": QMFFusion,
    "tmc": TMCFusion,
    "latent": LatentFusion,
    "dynmm": DynMMFusion,
    "prompts": PromptFusion,
    "pdf": PDFFusion,
    "online_mae": OnlineMAEFusion,
    "muse": MUSEFusion,
    "m3care": M3CareFusion,
    "cmmd": CMMDFusion,
}


def resolve_fusion(fusion: str | Fusion) -> Fusion:
    """The parameter object that a short name stands for."""
    return FUSIONS[fusion]() if isinstance(fusion, str) else fusion
