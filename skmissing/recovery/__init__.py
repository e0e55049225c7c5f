"""Fill missing modalities from those that a row has.

Torch is imported with :class:`CRARecovery` and :class:`MultimodalVAE` only.
"""

from __future__ import annotations

from importlib import import_module

from ._base import BaseRecovery
from ._gaussian import GaussianRecovery
from ._mean import MeanRecovery
from ._neighbor import NeighborRecovery
from ._regression import RegressionRecovery

__all__ = [
    "BaseRecovery",
    "CRARecovery",
    "GaussianRecovery",
    "MeanRecovery",
    "MultimodalVAE",
    "NeighborRecovery",
    "RegressionRecovery",
]


# With nets; their modules are imported when they are asked for.
_NETS = {"CRARecovery": "._cra", "MultimodalVAE": "._vae"}


def __getattr__(name: str):
    if name in _NETS:
        found = getattr(import_module(_NETS[name], __name__), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NETS])
