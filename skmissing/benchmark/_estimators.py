"""The rows of the benchmark: estimators, and what of them is tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# What is tuned of every net.
NET = {"lr": [3e-4, 1e-3, 3e-3], "weight_decay": [0.0, 1e-3, 1e-2]}
DROPOUT = {**NET, "modality_dropout": [0.0, 0.2, 0.5]}


@dataclass(frozen=True)
class Entry:
    """A row of the benchmark.

    Parameters
    ----------
    make : callable
        Makes the estimator, a classifier of this package or any with ``predict_proba``.
        Called without arguments, so that importing this costs nothing.
    space : dict, default={}
        What random search draws from: lists, or distributions of SciPy.
    source : str, default=""
        Code that the predictions depend on beside that of the class: after a change of
        it, they are not read from files.
    """

    make: Callable[[], Any]
    space: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


def _fusion(**params) -> Callable[[], Any]:
    def make():
        from ..baselines import FusionClassifier

        return FusionClassifier(**params)

    return make


def _baseline(name: str) -> Callable[[], Any]:
    def make():
        from .. import baselines

        return getattr(baselines, name)()

    return make


def _method(name: str) -> Callable[[], Any]:
    def make():
        import skmissing

        return getattr(skmissing, name)()

    return make


def _latent():
    from ..recovery import MultimodalVAE

    return make_pipeline(
        MultimodalVAE(output="latent"), StandardScaler(), LogisticRegression()
    )


def _logistic():
    return make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=300),
    )


def _tabicl():
    from tabicl import TabICLClassifier

    return TabICLClassifier()


# Rows that are FusionClassifier with a fusion.
FUSION_ROWS = {
    "late fusion": "late",
    "gated fusion": "gated",
    "product of experts": "product",
    "MTL": "mtl",
    "I2M2": "i2m2",
    "ShaSpec": "shaspec",
    "QMF": "qmf",
    "TMC": "tmc",
    "PDF": "pdf",
    "DynMM": "dynmm",
    "M3Care": "m3care",
    "MUSE": "muse",
    "CMMD": "cmmd",
    "OnlineMAE": "online_mae",
    "prompts": "prompts",
    "latent fusion": "latent",
}

ESTIMATORS: dict[str, Entry] = {
    "stacking": Entry(
        _method("PatternStackingClassifier"), {"hidden_weight": [0.0, 0.1, 0.2, 0.5]}
    ),
    "early fusion": Entry(_fusion(), DROPOUT),
    "attention fusion": Entry(_fusion(fusion="attention"), DROPOUT),
    "ModDrop": Entry(_fusion(fusion="attention", modality_dropout=0.5), DROPOUT),
    **{
        label: Entry(_fusion(fusion=fusion), DROPOUT)
        for label, fusion in FUSION_ROWS.items()
    },
    "uni-modal ensemble": Entry(
        _baseline("UnimodalEnsemble"), {**NET, "combination": ["product", "mean"]}
    ),
    "UME-MMA": Entry(_method("UMEMMAEnsemble"), DROPOUT),
    "DyMo": Entry(_method("DyMoSelector"), NET),
    "PRIMO": Entry(_method("PRIMOClassifier"), NET),
    "VAE + logistic": Entry(
        _latent,
        {"multimodalvae__lr": NET["lr"], "multimodalvae__latent_dim": [16, 32, 64]},
    ),
    "pattern models": Entry(
        _baseline("PatternClassifier"), {"training_rows": ["available", "exact"]}
    ),
    "boosting on NaN": Entry(
        lambda: HistGradientBoostingClassifier(max_iter=100),
        {
            "learning_rate": [0.03, 0.1, 0.2],
            "max_leaf_nodes": [8, 15, 31],
            "l2_regularization": [0.0, 1.0, 10.0],
        },
    ),
    "imputed logistic": Entry(
        _logistic, {"logisticregression__C": [1e-3, 1e-2, 0.1, 1.0, 10.0]}
    ),
}
if find_spec("tabicl") is not None:
    ESTIMATORS["TabICL"] = Entry(_tabicl)
