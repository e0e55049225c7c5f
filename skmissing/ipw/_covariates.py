"""Covariates of any type as the standardised table that a propensity model sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from itertools import chain
from math import prod
from typing import Any, Self

import numpy as np
import pandas as pd

from .._estimation._partial_labels import known_labels, labels_of
from .._estimation._scale import root_mean_square
from .._utils._warn import warn_user
from ..exceptions import IdentifierWarning, MissingCovariateWarning
from ..modalities._column_values import column_label
from ..modalities._frames import read_frame
from ..modalities._layout import _select_columns, shorten
from ..modalities._matching import match_columns
from ..modalities._multimodal_data import MultimodalData
from ..modalities._normal_scores import FAR, NormalScores
from ..modalities._validation import covariate_frame
from ._covariate_values import (
    are_labels,
    as_levels,
    as_numbers,
    find_identifier,
    may_identify,
)

# Levels of a text covariate that get a column of their own. Free text and record
# numbers would otherwise add a column per row; the rarer levels share one column.
MAX_LEVELS = 100
# Rows by which numbers are distinguished from the groups.
HEAD_ROWS = 1000


class _Rare(Enum):
    """All rare levels: a value of its own, so that no level is mistaken for it."""

    OTHER = "(other)"

    def __str__(self) -> str:
        return self.value


@dataclass
class Column:
    """What fit has learnt about one covariate."""

    label: str
    # Sorted levels of a categorical covariate; None for a number.
    levels: list[Any] | None
    # The training mean, or the most frequent level.
    fill: Any
    # Whether values were missing in fit, and so an indicator column exists.
    had_missing: bool
    rare: set = field(default_factory=set)
    # Of a number with heavy tails: the normal scores of its ranks.
    scores: NormalScores | None = None

    @property
    def names(self) -> list[str]:
        out = [self.label]
        if self.levels is not None:
            out = [f"{self.label}={level}" for level in self.levels]
        return [*out, f"{self.label} is missing"] if self.had_missing else out

    def place(self, level) -> int:
        """Number of a level among those with a column, -1 for one unknown in fit."""
        if level in self.rare:
            level = _Rare.OTHER
        return self._places.get(level, -1)

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {level: j for j, level in enumerate(self.levels or [])}


class CovariateTable:
    """Numbers, categories and dates side by side, filled, coded and standardised."""

    def fit_transform(
        self, covariates: list[tuple[str, Any]], weight: np.ndarray
    ) -> np.ndarray:
        """Learn from training rows."""
        self._columns = [_learn(label, v, weight) for label, v in covariates]
        names = [name for column in self._columns for name in column.names]
        table = np.empty((len(weight), len(names)))
        coded = (
            _code(c, values)[0] for c, (_, values) in zip(self._columns, covariates)
        )
        share = weight / weight.sum()
        mean, scale = np.empty(len(names)), np.empty(len(names))
        # Column by column before they get into the table, whose columns are far apart
        # in memory; a whole second table would double the memory.
        for j, part in enumerate(chain.from_iterable(coded)):
            mean[j] = share @ part
            centred = part - mean[j]
            scale[j] = root_mean_square(centred, weight)
            table[:, j] = centred
        self._keep_varying(names, mean, scale)
        if not self._varies.all():
            table = np.ascontiguousarray(table[:, self._varies])
        table /= self.scale_
        return table

    @classmethod
    def of(cls, columns: list[Column], mean: np.ndarray, scale: np.ndarray) -> Self:
        """From covariates whose coded columns have known means and deviations."""
        out = cls()
        out._columns = columns
        out._keep_varying([name for c in columns for name in c.names], mean, scale)
        return out

    def _keep_varying(self, names: list[str], mean, scale) -> None:
        # What is constant up to rounding explains nothing, in whatever unit.
        self._varies = scale > 1e-12 * np.abs(mean)
        self.names_ = [name for name, v in zip(names, self._varies) if v]
        self.mean_, self.scale_ = mean[self._varies], scale[self._varies]

    def transform(self, covariates: list[tuple[str, Any]], n: int) -> np.ndarray:
        """Code other rows as in fit."""
        table, trouble = self.code(covariates, n)
        self.warn(trouble)
        return table

    def code(
        self, covariates: list[tuple[str, Any]], n: int
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Coded rows, and in how many of them covariates had to be filled."""
        # Row by row in memory, as in fit: products are the same to the last bit.
        table = np.empty((n, len(self.names_)))
        at, k, trouble = 0, 0, {}
        for column, (_, values) in zip(self._columns, covariates):
            parts, n_new = _code(column, values)
            for part in parts:
                if self._varies[k]:
                    out = table[:, at]
                    np.divide(part - self.mean_[at], self.scale_[at], out=out)
                    at += 1
                k += 1
            if n_new:
                trouble[column.label] = n_new
        return table, trouble

    def warn(self, trouble: dict[str, int]) -> None:
        """Warn of covariates that had to be filled."""
        if not trouble:
            return
        counts = ", ".join(f"{label!r} ({k})" for label, k in trouble.items())
        warn_user(
            f"Got covariates that are missing, or have levels unknown in fit, in "
            f"{counts} rows; the mean or the most frequent level of the training "
            "rows takes their place.",
            MissingCovariateWarning,
        )


def iter_covariates(
    data: MultimodalData, name: str, only: set[str] | None = None
) -> Iterator[tuple[str, Any]]:
    """The features of one block as covariates, NaN where the block is missing."""
    labels = data.feature_names.get(name)
    if labels is None:
        labels = [f"{name}__{i}" for i in range(prod(data.block_shapes[name]))]
    chosen = [j for j, a in enumerate(labels) if only is None or a in only]
    if not chosen:
        return
    block = np.asarray(data[name]).reshape(len(data), -1)
    here = data.present[:, data.names.index(name)]
    for j in chosen:
        label = labels[j]
        values = block[:, j]
        if not here.all() and values.dtype.kind in "mM":
            values = np.where(here, values, np.array("NaT", values.dtype))
        elif not here.all():
            kind = np.float64 if values.dtype.kind in "fiub" else object
            values = values.astype(kind)
            values[~here] = np.nan
        yield label, values


def _learn(label: str, values, weight: np.ndarray) -> Column:
    used = weight > 0
    numbers = as_numbers(label, values)
    if numbers is not None:
        seen = ~np.isnan(numbers)
        mass = weight[seen].sum()
        fill = float(weight[seen] @ numbers[seen] / mass) if mass > 0 else 0.0
        scores = _scores_of(numbers[seen & used], weight[seen & used], fill)
        had_missing = bool((~seen & used).any())
        return Column(label, None, fill, had_missing, scores=scores)
    codes, found = as_levels(label, values)
    mass = level_masses(codes, weight, len(found))
    missing = bool((used & (codes < 0)).any())
    return column_of_levels(label, dict(zip(found, mass)), missing)


def level_masses(codes: np.ndarray, weight: np.ndarray, n_levels: int) -> list[float]:
    """Sum of the weights of each level."""
    known = codes >= 0
    return np.bincount(codes[known], weight[known], minlength=n_levels).tolist()


def column_of_levels(label: str, mass_of: dict[Any, float], missing: bool) -> Column:
    """A categorical covariate, from the weight of each of its levels."""
    # By text, so that levels of mixed types have an order too.
    found = sorted(
        (level for level, mass in mass_of.items() if mass > 0),
        key=lambda level: (str(level), str(type(level))),
    )
    if not found:
        return Column(label, [], None, missing)
    common = sorted(found, key=lambda level: -mass_of[level])
    rare = set(common[MAX_LEVELS:])
    kept = [level for level in found if level not in rare]
    return Column(
        label, [*kept, _Rare.OTHER] if rare else kept, common[0], missing, rare
    )


def _scores_of(x: np.ndarray, weight: np.ndarray, mean: float) -> NormalScores | None:
    """Ranks, where values are far from the mean: they would rule a linear model."""
    if not len(x):
        return None
    far = np.abs(x - mean).max() > FAR * root_mean_square(x - mean, weight)
    return NormalScores.fit(x, weight) if far and len(np.unique(x)) > 2 else None


def _code(column: Column, values) -> tuple[Iterator[np.ndarray], int]:
    """Columns of one covariate, and in how many rows it was filled for lack of more.

    Rows whose value is missing are marked by the indicator where fit has made one; only
    where it has not are they counted.
    """
    parts: Iterator[np.ndarray]
    if column.levels is None:
        numbers = as_numbers(column.label, values)
        if numbers is None:
            raise ValueError(
                f"Got text in the covariate {column.label!r}, expected numbers as in "
                "fit."
            )
        missing, n_unknown = np.isnan(numbers), 0
        filled = np.where(missing, column.fill, numbers) if missing.any() else numbers
        parts = iter([filled if column.scores is None else column.scores(filled)])
    else:
        codes, found = as_levels(column.label, values)
        missing = codes < 0
        places = np.array([column.place(level) for level in found], dtype=np.intp)
        # The last one is that of missing values, whose code is -1.
        at = np.append(places, -1)[codes]
        n_unknown = int((at[~missing] < 0).sum())
        at[at < 0] = column.place(column.fill)
        parts = ((at == j).astype(np.float64) for j in range(len(column.levels)))
    if column.had_missing:
        return chain(parts, [missing.astype(np.float64)]), n_unknown
    return parts, n_unknown + int(missing.sum())


def rows_of(X, rows: slice | np.ndarray):
    """Some rows of a table; a MultimodalData, which is none, as it is."""
    if isinstance(X, MultimodalData):
        return X
    X = read_frame(X)
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else np.asarray(X)[rows]


class CovariateSource:
    """Finds the same covariates in every X.

    ``kept`` are the rows of ``fit`` that count, with positive weight.
    """

    def __init__(self, estimator, data: MultimodalData, X, kept: np.ndarray) -> None:
        always = data.present[kept].all(axis=0)
        self.blocks: list[str] = []
        self.columns: np.ndarray | None = None
        self.from_table = False
        # Labels of covariates that nobody named and that identify rows.
        self.left_out: set[str] = set()
        if estimator.covariates is None:
            self.blocks = [name for name, a in zip(data.names, always) if a]
            some = rows_of(X, slice(0, 1))
            self.from_table = covariate_frame(estimator, some) is not None
        else:
            self._resolve(estimator, data, X)
        taken = set(self.blocks)
        if self.columns is not None:
            # Modalities that the chosen columns belong to.
            owners = estimator.column_layout_.indices.items()
            taken |= {name for name, i in owners if np.isin(self.columns, i).any()}
        for name, a in zip(data.names, always):
            if name in taken and not a and any(name in r for r in estimator.required_):
                raise ValueError(
                    f"Got the modality {name!r} in covariates, expected none that is "
                    "required and missing in some rows: its absence is what is to be "
                    "explained."
                )

    def _resolve(self, estimator, data: MultimodalData, X) -> None:
        given = estimator.covariates
        given = [given] if isinstance(given, str) else given
        if isinstance(given, np.ndarray | pd.Index):
            given = given.tolist()
        if isinstance(given, list | tuple):
            self.blocks = [g for g in given if isinstance(g, str) and g in data.names]
            given = [g for g in given if not isinstance(g, str) or g not in data.names]
            if not given:
                return
        if isinstance(X, MultimodalData):
            raise ValueError(
                f"Got covariates={estimator.covariates!r} with a MultimodalData, "
                f"expected names among its blocks {data.names}."
            )
        self.columns = _select_columns(X, "covariates", given)
        self.from_table = True

    def leave_out(
        self, estimator, data: MultimodalData, X, y, kept: np.ndarray, groups
    ) -> None:
        """Leave out what identifies rows or is the label, unless it was asked for.

        With a warning. ``y`` may be None.
        """
        if estimator.covariates is not None:
            return
        found: dict[str, str] = {}
        # Numbers that differ from groups and labels in the first rows need not be read.
        head = slice(0, HEAD_ROWS)
        some = None if groups is None else groups[head]
        labels = None if y is None else np.asarray(y, dtype=object)
        wanted = {
            label
            for label, values in self.take(
                estimator, data[head], rows_of(X, head), None
            )
            if may_identify(label, values, kept[head], some)
            or are_labels(values, labels, kept, head)
        }
        for label, values in self.take(estimator, data, X, None, wanted):
            reason = find_identifier(label, values, kept, groups)
            if are_labels(values, labels, kept):
                reason = "the label"
            if reason is not None:
                found[label] = reason
        self.left_out = set(found)
        if found:
            listed = ", ".join(f"{label!r} ({why})" for label, why in found.items())
            warn_user(
                "Got covariates=None with columns that identify rows, or are the "
                f"label: {listed}; they are left out of the propensity. Name the "
                "covariates to choose others.",
                IdentifierWarning,
            )

    def take(
        self, estimator, data: MultimodalData, X, y, only: set[str] | None = None
    ) -> list[tuple[str, Any]]:
        """Label and values of every covariate; ``y`` is one of them, or None."""
        out: list[tuple[str, Any]] = []
        if self.from_table and only != set():
            columns = self._columns_of(estimator, X).items()
            out += [(column_label(label), values) for label, values in columns]
        for name in self.blocks:
            out += iter_covariates(data, name, only)
        out = [
            (label, values)
            for label, values in out
            if label not in self.left_out and (only is None or label in only)
        ]
        if y is not None:
            known = known_labels(y, len(data))
            if not known.all():
                raise ValueError(
                    f"Got {int((~known).sum())} missing labels with use_target=True, "
                    "expected a label for every row."
                )
            out.append(("target", self._names_of(labels_of(y, known))))
        return out

    def learn_classes(self, y) -> None:
        """Classes of the labels of the training rows, where they are a covariate."""
        known = known_labels(y, len(y))
        self.classes = np.unique(labels_of(y, known))

    def _names_of(self, labels: np.ndarray) -> np.ndarray:
        """Labels as text, by value: 1, 1.0 and True are one label."""
        out = np.full(len(labels), None, dtype=object)
        for label in self.classes:
            out[labels == label] = str(label)
        # None is an unknown label, which the coding then warns of.
        return out

    def _chosen_columns(self, estimator, X: pd.DataFrame) -> pd.DataFrame:
        assert self.columns is not None
        found = match_columns(estimator, X).iloc[:, self.columns]
        absent = [label for label in found.columns if label not in X.columns]
        if absent:
            raise ValueError(
                f"Got X without the covariates {shorten(absent)}, expected the columns "
                "seen in fit."
            )
        return found

    def _columns_of(self, estimator, X) -> pd.DataFrame:
        if isinstance(X, MultimodalData) or estimator.column_layout_ is None:
            raise ValueError(
                f"Got a {type(X).__name__} without covariate columns, expected a table "
                "with the columns of fit."
            )
        if self.columns is None:
            frame = covariate_frame(estimator, X, self.left_out)
            assert frame is not None
            return frame
        X = read_frame(X)
        if isinstance(X, pd.DataFrame):
            return self._chosen_columns(estimator, X)
        array = np.asarray(X)[:, self.columns]
        return pd.DataFrame(array, columns=[f"column{i}" for i in self.columns])
