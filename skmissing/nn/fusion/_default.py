"""Fusions by their short names."""

from __future__ import annotations

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
}


def resolve_fusion(fusion: str | Fusion) -> Fusion:
    """The parameter object that a short name stands for."""
    return FUSIONS[fusion]() if isinstance(fusion, str) else fusion
