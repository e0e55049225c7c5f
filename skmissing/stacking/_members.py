"""Classifiers of any kind on the blocks of rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from .._estimation._inner_estimators import (
    FlatTable,
    a_row_for_each,
    accepts_nan,
    clone_seeded,
    fit_weighted,
    takes_multimodal,
)
from .._estimation._number_table import NumberTable
from .._estimation._rows import LabelledRows
from .._utils._errors import same_kind
from ..exceptions import SkmissingWarning
from ..modalities._multimodal_data import MultimodalData

# Columns times classes up to which boosted trees are a member by default: beyond, they
# take longer than all others together.
BOOSTING_WIDTH = 1000
# Trees say 0 of what they have not seen, which would cost infinitely much where it is
# wrong. It takes ten thousand rows to tell this from 0.
LEAST = 1e-4
BOOSTING = {"learning_rate": 0.1, "max_iter": 100}


class NumericBlocks:
    """Text, categories and dates of blocks as numbers; other blocks stay."""

    def __init__(self, data: MultimodalData) -> None:
        self._tables: dict[str, NumberTable] = {}
        for name in data.names:
            if data[name].dtype.kind in "fiub":
                continue
            here = data.present[:, data.names.index(name)]
            self._tables[name] = NumberTable([name]).fit(data[here])

    def __call__(self, data: MultimodalData) -> MultimodalData:
        """The same rows."""
        if not self._tables:
            return data
        blocks = {
            name: self._tables[name].transform(data)
            if name in self._tables
            else data[name]
            for name in data.names
        }
        return MultimodalData.unchecked(blocks, data.present.copy())


@dataclass(frozen=True)
class FittedMember:
    """A classifier fitted on some of the rows; None if these have a single class."""

    model: Any
    table: FlatTable | None
    classes: np.ndarray
    prior: np.ndarray

    def log_ratio(self, data: MultimodalData) -> np.ndarray:
        """Logarithm of probability over prior, shape (n, n_classes).

        0 for rows of which the model can use nothing, and for classes that it has not
        seen.
        """
        out = np.zeros((len(data), len(self.prior)))
        if self.model is None:
            return out
        used = np.asarray(data.present.any(axis=1))
        if self.table is None and hasattr(self.model, "can_predict"):
            used = np.asarray(self.model.can_predict(data))
        if not used.any():
            return out
        rows = data[used]
        X = rows if self.table is None else self.table.transform(rows)
        proba = a_row_for_each(self.model, self.model.predict_proba(X), int(used.sum()))
        found = np.log(np.maximum(proba, LEAST))
        columns = np.searchsorted(self.classes, self.model.classes_)
        out[np.ix_(used, columns)] = found - np.log(self.prior[columns])
        return out


def fit_member(
    name: str, template, rows: LabelledRows, prior: np.ndarray, seed: int
) -> FittedMember:
    """A clone fitted on blocks, or on the flat table if it knows of no blocks."""
    if len(np.unique(rows.y)) < 2:
        return FittedMember(None, None, rows.classes, prior)
    model = clone_seeded(template, seed)
    labels, table = rows.classes[rows.y], None
    weight = rows.normalised().weight
    X: Any = rows.data
    if not takes_multimodal(model):
        table = FlatTable(rows.data.names, accepts_nan(model)).fit(rows.data, weight)
        X = table.transform(rows.data)
    with warnings.catch_warnings():
        # Said once, of all rows; a fold may lack what they have.
        warnings.simplefilter("ignore", SkmissingWarning)
        try:
            fit_weighted(model, X, labels, weight, rows.groups)
        except Warning:
            # Under a filter that makes errors of them.
            raise
        except Exception as error:
            raise same_kind(
                error,
                f"Got {type(error).__name__} from {type(model).__name__} for the "
                f"member {name!r}: {error}",
            ) from error
    return FittedMember(model, table, rows.classes, prior)


def default_members(data: MultimodalData, n_classes: int) -> dict[str, Any]:
    """Classifiers that err in different ways."""
    from ..baselines import FusionClassifier, PatternClassifier, UnimodalEnsemble

    members: dict[str, Any] = {
        "pattern": PatternClassifier(),
        "fusion": FusionClassifier(),
        "unimodal": UnimodalEnsemble(),
    }
    n_columns = sum(prod(shape) for shape in data.block_shapes.values())
    if n_columns * n_classes <= BOOSTING_WIDTH:
        members["boosting"] = HistGradientBoostingClassifier(**BOOSTING)
    return members


def hide_some(
    data: MultimodalData, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that have several modalities, and which of them to keep in a copy."""
    several = np.flatnonzero(data.present.sum(axis=1) > 1)
    have = data.present[several]
    kept = have & (rng.random_sample(have.shape) < 0.5)
    # One is left at least, and one gone.
    score = np.where(have, rng.random_sample(have.shape), -1.0)
    top = score.argmax(axis=1)
    every = np.arange(len(several))
    none, all_ = ~kept.any(axis=1), (kept == have).all(axis=1)
    kept[every[none], top[none]] = True
    kept[every[all_], top[all_]] = False
    return several, kept
