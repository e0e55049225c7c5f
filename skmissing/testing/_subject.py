"""An estimator under test, and the data and fits that several checks share."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from ..exceptions import EmptyRowWarning
from ..modalities import MultimodalData


def make_blocks(
    n: int = 60,
    n_modalities: int = 2,
    missing: float = 0.3,
    seed: int = 0,
    n_classes: int = 3,
    shaped: bool = False,
) -> tuple[MultimodalData, np.ndarray]:
    """Small data with block-wise missingness and no empty row; labels from 0.

    Each block is missing with probability ``missing``. With ``shaped`` the first block
    is a small image, and the second a series of different lengths.
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    blocks: dict[str, np.ndarray] = {}
    for m in range(n_modalities):
        shape: tuple[int, ...] = (3 + m,)
        if shaped:
            shape = {0: (1, 6, 6), 1: (7, 2)}.get(m, shape)
        block = rng.normal(size=(n, *shape)) + y.reshape(-1, *[1] * len(shape))
        if shaped and m == 1:
            for i, length in enumerate(rng.integers(2, 8, size=n)):
                block[i, length:] = np.nan
        blocks[f"m{m}"] = block
    mask = rng.random((n, n_modalities)) < missing
    keep = rng.integers(n_modalities, size=n)
    mask[np.arange(n), keep] = False
    return MultimodalData(blocks).hide(mask), y


def proba(estimator, X) -> np.ndarray:
    """Probabilities, where rows without any modality are meant to be there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyRowWarning)
        return np.asarray(estimator.predict_proba(X))


class Fitted(NamedTuple):
    """Data, and an estimator that was fitted on them."""

    X: MultimodalData
    y: np.ndarray
    estimator: Any


class Subject:
    """An estimator under test.

    ``brief`` are settings for comparisons to the last bit, which a few epochs show as
    well as many, and ``deterministic`` those in which a weight of 2 is the same as two
    rows. ``tolerance`` is how much a prediction may depend on the other rows.
    """

    def __init__(
        self, estimator, *, brief=None, deterministic=None, tolerance: float = 1e-6
    ) -> None:
        for method in ("fit", "predict", "predict_proba"):
            if not hasattr(estimator, method):
                raise TypeError(
                    f"Got a {type(estimator).__name__} without {method}, expected a "
                    "classifier with fit, predict and predict_proba."
                )
        self.estimator, self.tolerance = estimator, tolerance
        self._brief = estimator if brief is None else brief
        self._deterministic = estimator if deterministic is None else deterministic

    def make(self, **params) -> BaseEstimator:
        """An unfitted clone."""
        return clone(self.estimator).set_params(**params)

    def make_brief(self, **params) -> BaseEstimator:
        """An unfitted clone that learns briefly."""
        return clone(self._brief).set_params(**params)

    def make_deterministic(self, **params) -> BaseEstimator:
        """An unfitted clone without noise."""
        return clone(self._deterministic).set_params(**params)

    def accepts(self, name: str) -> bool:
        """Whether the estimator has a parameter, nested ones by their full names."""
        return name in self.estimator.get_params()

    def accepts_in_fit(self, name: str) -> bool:
        """Whether ``fit`` takes an argument."""
        return has_fit_parameter(self.estimator, name)

    @cached_property
    def on_blocks(self) -> Fitted:
        """A brief fit on two tables."""
        X, y = make_blocks()
        return Fitted(X, y, self.make_brief().fit(X, y))

    @cached_property
    def on_shapes(self) -> Fitted:
        """A brief fit on an image, a series and a table."""
        X, y = make_blocks(n=90, shaped=True, n_modalities=3)
        return Fitted(X, y, self.make_brief().fit(X, y))

    @cached_property
    def on_two_patterns(self) -> tuple[Fitted, np.ndarray]:
        """A weighted fit on complete rows and rows with one modality, and the prior."""
        X, y = make_blocks(n=80, n_modalities=3, missing=0.0)
        half = np.arange(80) % 2 == 0
        X = X.hide({"m1": half, "m2": half})
        w = np.where(y == 0, 4.0, 1.0)
        estimator = self.make().fit(X, y, sample_weight=w)
        return Fitted(X, y, estimator), np.bincount(y, w) / w.sum()
