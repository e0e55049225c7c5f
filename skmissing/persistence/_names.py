"""Which classes and functions a file may name, and what stands behind a name."""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..exceptions import ModelFileError

# A path of Python names, without those that begin or end with two underscores.
_NAME = re.compile(r"(?:(?!__)[A-Za-z_]\w*\.)+(?!__)[A-Za-z_]\w*", re.ASCII)

_PACKAGE = re.compile(r"(?:(?!__)[A-Za-z_]\w*\.)+\*", re.ASCII)
# Modules of Python, and packages with functions that run code or read files.
_NEVER_WHOLE = frozenset({*sys.stdlib_module_names, "numpy", "sklearn", "torch"})

# Packages of scikit-learn whose estimators a file may hold: none of them reads a file,
# opens a connection or runs what it is given, and the compiled code of those that are
# not here (clusters, manifolds) relies on state that nothing checks.
_SKLEARN = frozenset({
    "calibration", "compose", "covariance", "cross_decomposition",
    "decomposition", "discriminant_analysis", "dummy", "ensemble",
    "feature_extraction", "feature_selection", "frozen", "gaussian_process", "impute",
    "isotonic", "kernel_approximation", "kernel_ridge", "linear_model",
    "mixture", "model_selection", "multiclass", "multioutput", "naive_bayes",
    "neighbors", "neural_network", "pipeline", "preprocessing", "random_projection",
    "semi_supervised", "svm", "tree",
})  # fmt: skip
# What estimators of scikit-learn hold that is no estimator itself.
_SKLEARN_PARTS = frozenset(
    {
        "sklearn._loss.link.HalfLogitLink",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogLink",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.AbsoluteError",
        "sklearn._loss.loss.ExponentialLoss",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfGammaLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfPoissonLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn._loss.loss.HuberLoss",
        "sklearn._loss.loss.PinballLoss",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._scorer._MultimetricScorer",
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.metrics._scorer._Scorer",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils._metadata_requests.MetadataRequest",
        "sklearn.utils._metadata_requests.MethodMetadataRequest",
    }
)
_SKLEARN_BASES = frozenset(
    {
        "sklearn.base.BaseEstimator",
        "sklearn.gaussian_process.kernels.Kernel",
        "sklearn.model_selection._split.BaseCrossValidator",
        "sklearn.model_selection._split.BaseShuffleSplit",
        "sklearn.model_selection._split._RepeatedSplits",
    }
)
_SKORCH = frozenset(
    {
        "skorch.callbacks.logging.EpochTimer",
        "skorch.callbacks.logging.PrintLog",
        "skorch.callbacks.lr_scheduler.LRScheduler",
        "skorch.callbacks.scoring.EpochScoring",
        "skorch.callbacks.training.EarlyStopping",
        "skorch.callbacks.training.GradientNormClipping",
    }
)
_TORCH_BASES = {
    "torch.nn.modules.": "torch.nn.modules.module.Module",
    "torch.optim.": "torch.optim.optimizer.Optimizer",
}
# Types of numpy and Python that stand as values, such as OneHotEncoder(dtype=...), and
# kinds of them, such as make_column_selector(dtype_include=...).
_TYPES = frozenset(
    {
        *(f"numpy.{np.dtype(code).type.__name__}" for code in "?bhilqBHILQefdFDSUOMm"),
        *(f"numpy.{kind}" for kind in ("floating", "integer", "number")),
        *(f"builtins.{kind}" for kind in ("bool", "float", "int", "object", "str")),
    }
)
_METRICS = (
    "accuracy_score", "average_precision_score", "balanced_accuracy_score",
    "brier_score_loss", "cohen_kappa_score", "d2_log_loss_score",
    "explained_variance_score", "f1_score", "fbeta_score", "hamming_loss",
    "jaccard_score", "log_loss", "matthews_corrcoef", "mean_absolute_error",
    "mean_squared_error", "precision_score", "r2_score", "recall_score",
    "roc_auc_score", "root_mean_squared_error", "top_k_accuracy_score",
    "zero_one_loss",
)  # fmt: skip
_UFUNCS = (
    "abs", "arcsinh", "arctan", "cbrt", "cos", "exp", "exp2", "expm1", "isfinite",
    "isnan", "log", "log10", "log1p", "log2", "nan_to_num", "negative", "ravel",
    "reciprocal", "sign", "sin", "sqrt", "square", "tanh",
)  # fmt: skip
_FUNCTIONS = frozenset(
    {
        "builtins.print",
        "sklearn.utils.validation.check_array",
        "scipy.special.expit",
        "scipy.special.logit",
        *(f"numpy.{name}" for name in _UFUNCS),
        *(f"sklearn.metrics.{name}" for name in _METRICS),
        *(
            f"sklearn.feature_selection.{name}"
            for name in (
                "chi2", "f_classif", "f_regression", "mutual_info_classif",
                "mutual_info_regression",
            )
        ),
    }
)  # fmt: skip


def name_of(thing) -> str:
    """The full name of a class or function, by which a file finds it again."""
    if isinstance(thing, type):
        return f"{thing.__module__}.{thing.__qualname__}"
    short = getattr(thing, "__name__", "")
    for known in _FUNCTIONS:
        module, _, name = known.rpartition(".")
        if name == short and _attribute(module, name) is thing:
            return known
    return f"{getattr(thing, '__module__', None)}.{thing.__qualname__}"


def is_importable(thing) -> bool:
    """Whether a class or function is found again by its name."""
    try:
        return resolve(name_of(thing), None) is thing
    except ModelFileError:
        return False


def is_allowed(name: str) -> bool:
    """Whether a file may name a class or function without being trusted."""
    if name in _TYPES or name in _FUNCTIONS:
        return True
    root, _, rest = name.partition(".")
    if root == "skmissing":
        return _is_class(name)
    if root == "sklearn":
        return name in _SKLEARN_PARTS or (
            rest.partition(".")[0] in _SKLEARN
            and ".tests." not in name
            and _is_class(name, _SKLEARN_BASES)
        )
    if root == "skorch":
        return name in _SKORCH and _is_class(name)
    if root == "torch":
        bases = [base for start, base in _TORCH_BASES.items() if name.startswith(start)]
        return bool(bases) and _is_class(name, bases)
    return False


def _is_class(name: str, bases: Collection[str] | None = None) -> bool:
    """Whether a name is that of a class where it is defined, below one of some."""
    if name.endswith("__main__") or ".__main__." in name:
        return False
    found = resolve(name, None)
    if not isinstance(found, type) or name_of(found) != name:
        return False
    return bases is None or any(name_of(base) in bases for base in found.__mro__)


def resolve(name: str, names: Collection[str] | None) -> Any:
    """The class or function of a name, which must be one of the ``names``."""
    if not _NAME.fullmatch(name) or (names is not None and name not in names):
        raise ModelFileError(
            f"Got the name {name[:80]!r} in the file, expected one that it lists."
        )
    module, _, attribute = name.rpartition(".")
    found = _attribute(module, attribute)
    if found is None:
        raise ModelFileError(
            f"Got {name!r} in the file, expected a class or function of the versions "
            "that are installed."
        )
    return found


def _attribute(module: str, name: str) -> Any:
    """An attribute of a module, or None. Imports the module."""
    if module == "builtins":
        return getattr(builtins, name, None)
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


@dataclass(frozen=True)
class Trusted:
    """What a user trusts: names, and the beginnings of names."""

    names: frozenset[str] = frozenset()
    packages: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        if name in self.names:
            return True
        if not name.startswith(self.packages):
            return False
        # Only what is defined there: a package imports functions of others.
        found = resolve(name, None)
        known = isinstance(found, type) or inspect.isroutine(found)
        return known and name_of(found) == name

    @property
    def listed(self) -> list[str]:
        """What was given, as text."""
        return [*(f"{package}*" for package in self.packages), *sorted(self.names)]

    @classmethod
    def read(cls, trusted) -> Trusted:
        """Take classes, functions, names, and packages such as ``"skrub.*"``."""
        if trusted is None:
            return cls()
        expected = "classes, functions, their full names, or packages such as 'skrub.*'"
        if isinstance(trusted, str) or not isinstance(trusted, Collection):
            raise TypeError(
                f"Got trusted of type {type(trusted).__name__}, expected None or a "
                f"list of {expected}."
            )
        names, packages = set(), []
        for item in trusted:
            if isinstance(item, str) and item.endswith("*"):
                if not _PACKAGE.fullmatch(item):
                    raise ValueError(f"Got {item!r} in trusted, expected {expected}.")
                packages.append(item[:-1])
            elif isinstance(item, str):
                names.add(item)
            elif isinstance(item, type) or inspect.isroutine(item):
                names.add(name_of(item))
            else:
                raise TypeError(
                    f"Got a {type(item).__name__} in trusted, expected {expected}."
                )
        return cls(frozenset(names), tuple(packages))


def shorten_names(names: Collection[str]) -> list[str]:
    """Names to trust, with a package for all of its names where it has several."""
    roots = Counter(name.partition(".")[0] for name in names)
    whole = {root for root, n in roots.items() if n > 2 and root not in _NEVER_WHOLE}
    out = [name for name in names if name.partition(".")[0] not in whole]
    return [*(f"{root}.*" for root in sorted(whole)), *out]
