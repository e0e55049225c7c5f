"""What a report is about: rows, labels, an estimator, and settings."""

from __future__ import annotations

import inspect
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from .._estimation._partial_labels import known_labels
from .._estimation._rows import check_groups, check_weights
from .._estimation._vectors import read_vector
from .._utils._progress import Progress
from .._utils._sklearn_compat import _safe_indexing
from ..missingness._read import read_blocks
from ..modalities import ModalityTransformer, MultimodalData
from ..modalities._frames import read_frame

# From here on a fold hardly depends on single rows of the others, and a net has seen
# enough batches after half of the passes.
MANY_ROWS = 5000
LONGEST_VALUE = 60


@dataclass(frozen=True)
class Settings:
    """Settings of a report."""

    cv: Any
    scoring: list[str]
    propensity: Any
    learner: Any
    n_bootstraps: int
    confidence_level: float
    n_jobs: int | None
    random_state: int


@dataclass(frozen=True)
class Rows:
    """Labelled rows; ``numbers`` is X with text and categories encoded as numbers."""

    X: Any
    y: np.ndarray
    modalities: Any
    numbers: Any
    number_modalities: Any
    names: list[str]
    present: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    weight: np.ndarray | None

    @classmethod
    def check(cls, X, y, modalities, groups, sample_weight) -> Rows:
        """Leave out rows without a label, and encode what is no number."""
        X = read_frame(X)
        data, _ = read_blocks(X, modalities, "report")
        if len(data.names) < 2:
            raise ValueError(
                f"Got X with the single modality {data.names[0]!r} in report, expected "
                "at least two; pass modalities, which columns belong to which."
            )
        groups = check_groups(groups, len(data))
        weight = None
        if sample_weight is not None:
            weight = check_weights(sample_weight, len(data))
        known = np.flatnonzero(known_labels(y, len(data)))
        y = read_vector("y", y, len(data))
        labels = np.arange(len(data))
        if isinstance(X, pd.DataFrame):
            labels = X.index.to_numpy()
        if len(known) < len(data):
            X, data, y, labels = (
                _safe_indexing(a, known) for a in (X, data, y, labels)
            )
            y = np.asarray(y.tolist())
            groups = None if groups is None else groups[known]
            weight = None if weight is None else weight[known]
        if isinstance(X, pd.DataFrame):
            X = X.reset_index(drop=True)
        numbers, of_numbers = encode(X, data, modalities)
        return cls(
            X, y, modalities, numbers, of_numbers, data.names, np.asarray(data.present),
            labels, groups, weight,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.y)

    @property
    def core(self) -> list[str]:
        """Modalities that nearly every row has."""
        share = self.present.mean(axis=0)
        return [name for name, s in zip(self.names, share) if s >= 0.99]


def encode(X, data: MultimodalData, modalities) -> tuple[Any, Any]:
    """X as numbers, and the modalities of its columns; as it is where it is numbers."""
    if all(block.dtype.kind in "fiub" for block in data.blocks.values()):
        return X, modalities
    encoder = ModalityTransformer(
        "auto", modalities=modalities, remainder="passthrough"
    )
    with warnings.catch_warnings():
        # Of categories that are rare: their columns are no results.
        warnings.simplefilter("ignore")
        out = encoder.fit_transform(X)
    if not isinstance(out, pd.DataFrame):
        return out, None
    return out, encoder.output_modalities_


def is_fitted(estimator) -> bool:
    """Whether an estimator was fitted before."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def name_estimator(estimator) -> str:
    """Class of a classifier, or of the last step, and parameters not by default.

    The modalities are left out: the page has them.
    """
    last = getattr(estimator, "steps", [(None, estimator)])[-1][1]
    given = last.get_params(deep=False) if hasattr(last, "get_params") else {}
    known = inspect.signature(type(last)).parameters
    changed = [
        f"{key}={_shorten(repr(value))}"
        for key, value in given.items()
        if key != "modalities"
        and (key not in known or repr(value) != repr(known[key].default))
    ]
    return f"{type(last).__name__}({', '.join(changed)})"


def _shorten(text: str) -> str:
    """Values of parameters on one line."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def write_estimator(estimator) -> str:
    """All parameters that are not by default, however many."""
    with config_context(print_changed_only=True):
        if isinstance(estimator, BaseEstimator):
            return estimator.__repr__(N_CHAR_MAX=sys.maxsize)
        return repr(estimator)


def run_all(task: Callable[..., Any], items, *given, n_jobs: int | None) -> list[Any]:
    """``task(item, *given)`` of each item, at once; its warnings come from here."""
    found = Parallel(n_jobs=n_jobs)(
        delayed(_run_one)(task, item, *given) for item in items
    )
    for _, caught in found:
        for message in caught:
            warnings.warn(message, stacklevel=2)
    return [result for result, _ in found]


def _run_one(task, *given) -> tuple[Any, list[Warning]]:
    """A result, and the warnings that another process would lose."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = task(*given)
    return result, [w.message for w in caught if isinstance(w.message, Warning)]


@dataclass
class Notes:
    """Warnings raised underneath, and why sections are missing."""

    warnings: list[tuple[str, str, str]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    verbose: int = 0
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Collect warnings; a ValueError leaves the section out, with its reason."""
        after = time.monotonic() - self.began
        Progress(self.verbose).announce(f"report: {name}, after {after:.0f} s")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                yield
            except ValueError as error:
                self.missing[name] = str(error)
        self.warnings += [(name, w.category.__name__, str(w.message)) for w in caught]

    def to_frame(self) -> pd.DataFrame:
        """Distinct warnings with how often each came."""
        columns = ["section", "warning", "message"]
        table = pd.DataFrame(self.warnings, columns=columns)
        return table.groupby(columns, sort=False).size().reset_index(name="count")
