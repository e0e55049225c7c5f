"""The one table of settings under which estimators are tested.

Classifiers of ``skmissing.baselines`` are in ``INIT_PARAMS`` by themselves, other new
estimators add one line; ``test_common.py`` then runs scikit-learn's checks and the laws
of the package on them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

import skmissing
from skmissing import (
    DyMoSelector,
    IPWMultimodalClassifier,
    PatternStackingClassifier,
    PRIMOClassifier,
    PropensityWeighter,
    UMEMMAEnsemble,
    baselines,
)
from skmissing.baselines import FusionClassifier, PatternClassifier, UnimodalEnsemble
from skmissing.dymo import TokenTransformer, Typicality
from skmissing.modalities import ModalityTransformer
from skmissing.nn import (
    AttentionFusion,
    CMMDFusion,
    DynMMFusion,
    GatedFusion,
    I2M2Fusion,
    LatentFusion,
    M3CareFusion,
    MTLFusion,
    MUSEFusion,
    OnlineMAEFusion,
    PDFFusion,
    ProductOfExperts,
    PromptFusion,
    QMFFusion,
    ShaSpecFusion,
    TMCFusion,
)
from skmissing.pid import PIDEstimator
from skmissing.recovery import (
    BaseRecovery,
    CRARecovery,
    GaussianRecovery,
    MeanRecovery,
    MultimodalVAE,
    NeighborRecovery,
    RegressionRecovery,
)

# Small and fast, but with everything that is random in the default settings.
NET = {"max_epochs": 8, "lr": 2e-2, "n_threads": 1, "random_state": 0}
# Every source of noise switched off by a documented parameter.
QUIET = {**NET, "dtype": "float64", "batch_size": None, "early_stopping": False}

SMALL_TRANSFORMER = {
    "token_dim": 16, "n_heads": 2, "feature_dim": 8, "n_layers": 1, "n_subsets": 2,
}  # fmt: skip
# In float32 the attention of batches of other sizes differs by more than the 1e-7 that
# a check of scikit-learn allows.
SELECTOR = {**NET, "net": TokenTransformer(**SMALL_TRANSFORMER), "dtype": "float64"}


@dataclass
class Settings:
    """How one estimator is tested.

    ``fast`` are its everyday settings made small, ``deterministic`` those in which a
    weight of 2 is the same as two rows.
    """

    kind: type
    fast: dict[str, Any] = field(default_factory=dict)
    deterministic: dict[str, Any] = field(default_factory=dict)

    def make(self, **params: Any) -> Any:
        return self.kind(**{**self.fast, **params})

    def make_brief(self, **params: Any) -> Any:
        """For comparisons to the last bit, which a few epochs show as well as many."""
        return self.make(**{**({"max_epochs": 4} if self.has_net else {}), **params})

    def make_deterministic(self, **params: Any) -> Any:
        return self.kind(**{**self.deterministic, **params})

    @property
    def has_net(self) -> bool:
        return "dtype" in inspect.signature(self.kind).parameters


# Noise that no common parameter of the nets switches off.
SILENCE = {"modality_dropout": 0.0}


def default_settings(kind: type) -> Settings:
    """Settings by the parameters that a class has; enough for most."""
    names = set(inspect.signature(kind).parameters)
    fast, deterministic = NET, {**QUIET, **SILENCE}
    return Settings(
        kind,
        {k: v for k, v in fast.items() if k in names},
        {k: v for k, v in deterministic.items() if k in names},
    )


class FoldsByValue:
    """Two folds by the digits of a value: rows that are equal share a fold."""

    def __repr__(self):
        # Workers of pytest compare the names of tests.
        return "FoldsByValue()"

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2

    def split(self, X, y, groups=None):
        if hasattr(X, "blocks"):
            value = X[X.names[-1]].reshape(len(X), -1)[:, 0]
        else:
            value = np.asarray(X, dtype=np.float64)[:, 0]
        second = np.nan_to_num(np.abs(value) * 1e3) % 2 >= 1
        # Data of a single value still need two folds.
        if second.all() or not second.any():
            second = np.arange(len(second)) % 2 == 0
        for test in (~second, second):
            yield np.flatnonzero(~test), np.flatnonzero(test)


MEMBERS = [("pattern", PatternClassifier()), ("flat", DummyClassifier())]

INIT_PARAMS = {
    **{name: default_settings(getattr(baselines, name)) for name in baselines.__all__},
    "UMEMMAEnsemble": Settings(
        UMEMMAEnsemble,
        {**NET, "finetune_epochs": 5},
        {**QUIET, "finetune_epochs": 5, "modality_dropout": 0.0},
    ),
    "PRIMOClassifier": Settings(
        PRIMOClassifier,
        {**NET, "n_draws": 20},
        # Noise of training is drawn once per batch, whatever its number of rows.
        {**QUIET, "n_draws": 20, "classifier_dropout": 0.0, "shared_noise": True},
    ),
    "DyMoSelector": Settings(
        DyMoSelector,
        SELECTOR,
        # Patterns with enough rows are told by their number, and not by their weight.
        {
            **QUIET,
            "net": TokenTransformer(**SMALL_TRANSFORMER),
            "recovery": RegressionRecovery(min_rows=1),
            "typicality": Typicality(min_rows=1),
            "min_reward": 0.0,
        },
    ),
    "ModalityTransformer": Settings(ModalityTransformer),
    "GaussianRecovery": Settings(GaussianRecovery),
    "MeanRecovery": Settings(MeanRecovery),
    "NeighborRecovery": Settings(NeighborRecovery),
    "RegressionRecovery": Settings(
        RegressionRecovery, {"random_state": 0}, {"random_state": 0}
    ),
    "CRARecovery": Settings(
        CRARecovery, {**NET, "hidden": 16}, {**QUIET, "max_epochs": 5, "hidden": 16}
    ),
    "MultimodalVAE": Settings(
        MultimodalVAE, NET, {**QUIET, "max_epochs": 5, "shared_noise": True}
    ),
    "PropensityWeighter": Settings(
        PropensityWeighter, {"random_state": 0}, {"random_state": 0}
    ),
    # A penalty that is not tuned: a tenth of the time of the default, whose own checks
    # stand in test_common.py.
    "PIDEstimator": Settings(
        PIDEstimator,
        {"random_state": 0},
        {"random_state": 0, "estimator": LogisticRegression(tol=1e-8)},
    ),
    # Folds for which a weight of 2 is the same as two rows.
    "PatternStackingClassifier": Settings(
        PatternStackingClassifier,
        {"estimators": MEMBERS, "cv": 2, "random_state": 0},
        {"estimators": MEMBERS, "cv": FoldsByValue(), "hidden_weight": 0.0},
    ),
    # An inner estimator for which a weight of 2 is the same as two rows.
    "IPWMultimodalClassifier": Settings(
        IPWMultimodalClassifier,
        {"estimator": PatternClassifier()},
        {"estimator": PatternClassifier()},
    ),
}
# Fusions other than early and late, small.
TOKENS = {"token_dim": 16, "n_heads": 2, "n_layers": 1}
TOKENED = ("attention", "mtl", "m3care", "online_mae", "prompts", "muse")
# A transformer takes more and smaller steps.
STEADY = {"batch_size": 8, "lr": 5e-3, "max_epochs": 16}
SMALL_BATCH = {"batch_size": 16}
FUSIONS = {
    "attention": AttentionFusion(**TOKENS),
    "mtl": MTLFusion(**TOKENS),
    "m3care": M3CareFusion(memory_rows=128, **TOKENS),
    "online_mae": OnlineMAEFusion(**TOKENS),
    "prompts": PromptFusion(n_prompts=2, **TOKENS),
    "muse": MUSEFusion(width=16),
    "cmmd": CMMDFusion(latent_dim=8, hidden=16, shared_noise=True),
    "pdf": PDFFusion(),
    "i2m2": I2M2Fusion(),
    "shaspec": ShaSpecFusion(width=16),
    "qmf": QMFFusion(),
    "tmc": TMCFusion(annealing_epochs=3),
    # Noise of training is drawn once per batch, whatever its number of rows.
    "latent": LatentFusion(shared_noise=True),
    "mixture": LatentFusion(experts="mixture", shared_noise=True),
    "dynmm": DynMMFusion(),
    "gated": GatedFusion(width=16),
    "product": ProductOfExperts(unimodal_weight=0.5),
}
# Other settings of the same classes, for the laws alone.
VARIANTS = {
    **{
        f"FusionClassifier, {name}": Settings(
            FusionClassifier,
            {**NET, "fusion": fusion, **(STEADY if name in TOKENED else SMALL_BATCH)},
            {**QUIET, "fusion": fusion, "modality_dropout": 0.0},
        )
        for name, fusion in FUSIONS.items()
    },
    "FusionClassifier, late": Settings(
        FusionClassifier,
        {**NET, "fusion": "late", "dropout_scheme": "exclusive"},
        {**QUIET, "fusion": "late", "modality_dropout": 0.0},
    ),
    "FusionClassifier, mask": Settings(
        FusionClassifier,
        {**NET, "use_mask": True},
        {**QUIET, "use_mask": True, "modality_dropout": 0.0},
    ),
    "UnimodalEnsemble, mean": Settings(
        UnimodalEnsemble,
        {**NET, "combination": "mean"},
        {**QUIET, "combination": "mean"},
    ),
    "UMEMMAEnsemble, noise": Settings(
        UMEMMAEnsemble,
        {
            **NET,
            "finetune_epochs": 5,
            "fusion": "mean_proba",
            "substitute": "noise",
            "final_complete_finetune": True,
        },
        # Each missing block is noise of its own in training, so the rows that lack
        # one are not repeated exactly; the mean is the same for every row.
        {
            **QUIET,
            "finetune_epochs": 5,
            "fusion": "mean_proba",
            "substitute": "mean",
            "modality_dropout": 0.0,
            "final_complete_finetune": True,
        },
    ),
    "DyMoSelector, euclidean": Settings(
        DyMoSelector,
        {
            **SELECTOR,
            "distance": "euclidean",
            "recovery": NeighborRecovery(),
            "selection": "simultaneous",
            "typicality": Typicality(
                statistics="held_out", ics="halfnormal", reward="logprob"
            ),
        },
        {
            **QUIET,
            "net": TokenTransformer(**SMALL_TRANSFORMER),
            "distance": "euclidean",
            "recovery": MeanRecovery(),
            "selection": "simultaneous",
            "typicality": Typicality(ics="halfnormal", reward="logprob", min_rows=1),
            "min_reward": 0.0,
        },
    ),
    "PatternClassifier, exact": Settings(
        PatternClassifier, {"training_rows": "exact"}, {"training_rows": "exact"}
    ),
    "IPWMultimodalClassifier, net": Settings(
        IPWMultimodalClassifier,
        {"estimator": FusionClassifier(**{**NET, "dtype": "float64"})},
        {"estimator": FusionClassifier(**QUIET, modality_dropout=0.0)},
    ),
}
CLASSIFIERS = {
    k: s for k, s in INIT_PARAMS.items() if issubclass(s.kind, ClassifierMixin)
}


def public_estimators() -> dict[str, type]:
    """Every public estimator class of the package, parameter objects apart."""
    found = {}
    for info in pkgutil.walk_packages(skmissing.__path__, "skmissing."):
        if "._" in info.name:
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if (
                inspect.isclass(thing)
                and issubclass(thing, BaseEstimator)
                and hasattr(thing, "fit")
                and thing is not BaseRecovery
            ):
                found[name] = thing
    return found
