"""Fill missing modalities from those that a row has.

Torch is imported with :class:`MultimodalVAE` only.
"""

from __future__ import annotations

from ._base import BaseRecovery
from ._gaussian import GaussianRecovery
from ._mean import MeanRecovery
from ._neighbor import NeighborRecovery
from ._regression import RegressionRecovery

__all__ = [
    "BaseRecovery",
    "GaussianRecovery",
    "MeanRecovery",
    "MultimodalVAE",
    "NeighborRecovery",
    "RegressionRecovery",
]


def __getattr__(name: str):
    if name == "MultimodalVAE":
        from ._vae import MultimodalVAE

        globals()[name] = MultimodalVAE
        return MultimodalVAE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "MultimodalVAE"])
