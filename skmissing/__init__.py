"""Supervised learning with scikit-learn when whole modalities are missing.

The public names are loaded on first use, so that ``import skmissing`` stays light:
torch and matplotlib are imported by the parts that need them.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Public name -> submodule that defines it. Each method adds its line.
_LAZY = {
    "DyMoSelector": "dymo",
    "IPWMultimodalClassifier": "ipw",
    "Modality": "modalities",
    "ModalityReport": "reporting",
    "MultimodalData": "modalities",
    "PIDEstimator": "pid",
    "PRIMOClassifier": "primo",
    "PatternStackingClassifier": "stacking",
    "PropensityWeighter": "ipw",
    "UMEMMAEnsemble": "umemma",
    "load": "persistence",
    "report": "reporting",
    "save": "persistence",
}
_SUBMODULES = (
    "baselines",
    "benchmark",
    "datasets",
    "dymo",
    "exceptions",
    "inspection",
    "ipw",
    "metrics",
    "missingness",
    "modalities",
    "nn",
    "persistence",
    "pid",
    "primo",
    "recovery",
    "reporting",
    "stacking",
    "testing",
    "umemma",
)

__all__ = sorted([*_LAZY, "__version__"])


def __getattr__(name: str):
    if name in _LAZY:
        value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY, *_SUBMODULES])
